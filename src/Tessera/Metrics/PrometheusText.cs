using System.Collections.Immutable;
using System.Globalization;
using System.Text;

namespace Tessera.Metrics;

/// <summary>
/// Writes metrics in Prometheus' text format, version 0.0.4: families with their help and type,
/// each sample on a line of its own. Used by one thread.
/// </summary>
internal sealed class PrometheusText
{
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    private readonly StringBuilder _text = new();
    private string _family = "";

    /// <param name="type">counter, gauge or histogram.</param>
    /// <param name="help">One line without backslashes.</param>
    public PrometheusText Family(string name, string type, string help)
    {
        _family = name;
        _text.Append("# HELP ").Append(name).Append(' ').Append(help).Append('\n');
        _text.Append("# TYPE ").Append(name).Append(' ').Append(type).Append('\n');
        return this;
    }

    /// <param name="labels">Of the last family's sample; values may be anything.</param>
    public PrometheusText Sample(
        double value, params ReadOnlySpan<(string Name, string Value)> labels) =>
        Sample("", value, labels);

    /// <summary>Buckets count what is at most their bound, in seconds.</summary>
    public PrometheusText Histogram(
        ImmutableArray<int> boundsMs,
        ImmutableArray<long> counts,
        long sumMs,
        params ReadOnlySpan<(string Name, string Value)> labels)
    {
        (string, string)[] all = [.. labels, ("le", "")];
        long sum = 0;
        for (int i = 0; i < counts.Length; i++)
        {
            sum += counts[i];
            all[^1] = ("le", i < boundsMs.Length ? Number(boundsMs[i] / 1_000d) : "+Inf");
            Sample("_bucket", sum, all);
        }

        Sample("_sum", sumMs / 1_000d, labels);
        return Sample("_count", sum, labels);
    }

    public override string ToString() => _text.ToString();

    private PrometheusText Sample(
        string suffix, double value, ReadOnlySpan<(string Name, string Value)> labels)
    {
        _text.Append(_family).Append(suffix);
        for (int i = 0; i < labels.Length; i++)
        {
            _text.Append(i == 0 ? '{' : ',').Append(labels[i].Name).Append("=\"");
            _text.Append(Escape(labels[i].Value)).Append('"');
        }

        _text.Append(labels.IsEmpty ? " " : "} ").Append(Number(value)).Append('\n');
        return this;
    }

    private static string Number(double value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Escape(string value) => value
        .Replace("\\", "\\\\", StringComparison.Ordinal)
        .Replace("\"", "\\\"", StringComparison.Ordinal)
        .Replace("\n", "\\n", StringComparison.Ordinal);
}
