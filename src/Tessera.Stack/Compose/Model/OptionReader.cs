using System.Collections.Immutable;
using System.Globalization;
using Tessera.Stack.Compose.Schema;
using Tessera.Stack.Compose.Values;
using Tessera.Stack.Compose.Yaml;
using static Tessera.Stack.Compose.Schema.CommonShapes;

namespace Tessera.Stack.Compose.Model;

/// <summary>
/// Reads the values of one mapping that its shape has accepted, and says where one is out of its
/// bounds. Used by one thread.
/// </summary>
/// <param name="path">For messages: <c>services.web.x-tessera.limits</c>.</param>
internal sealed class OptionReader(MappingNode node, string path, Problems problems)
{
    private static readonly TimeSpan MaxDuration = TimeSpan.FromDays(365);

    public MappingNode Node => node;

    public string Path => path;

    public Problems Problems => problems;

    /// <summary>The mapping under a key; null when there is none.</summary>
    public OptionReader? Section(string key) =>
        node[key] is MappingNode inner ? new OptionReader(inner, $"{path}.{key}", problems) : null;

    /// <summary>As <see cref="Section"/>; null also for one that is switched off.</summary>
    public OptionReader? SwitchedOn(string key) =>
        Section(key) is { } inner && inner.Flag(RuleSchema.Enabled, fallback: true) ? inner : null;

    /// <summary>The mappings of the list under a key.</summary>
    public IEnumerable<OptionReader> Sections(string key) => node.ItemsOf(key)
        .Select((item, index) => (item as MappingNode, index))
        .Where(pair => pair.Item1 is not null)
        .Select(pair => new OptionReader(pair.Item1!, $"{path}.{key}[{pair.index}]", problems));

    /// <summary>Null when nothing is there.</summary>
    public string? Text(string key) => TextOf(node, key) is { Length: > 0 } text ? text : null;

    /// <summary>A text with the balancer's variables; null when nothing is there.</summary>
    public string? Template(string key)
    {
        string? text = Text(key);
        CheckTemplate(key, text);
        return text;
    }

    public void CheckTemplate(string key, string? text)
    {
        if (text is not null && problems.ProblemOfTemplate?.Invoke(text) is { } problem)
        {
            Refuse(key, $"cannot be read: {problem.TrimEnd('.')}");
        }
    }

    public ImmutableArray<string> Words(string key) => [.. node.ItemsOf(key).Select(TextOf)];

    public ImmutableArray<string> Words(string key, ImmutableArray<string> fallback) =>
        node.Contains(key) ? Words(key) : fallback;

    public IEnumerable<(string Name, string Value)> Pairs(string key) =>
        node.EntriesOf(key).Select(entry => (entry.Key, TextOf(entry.Value)));

    public bool Flag(string key, bool fallback) =>
        (node[key] as ScalarNode)?.Value as bool? ?? fallback;

    public int Number(string key, int fallback, int min, int max) =>
        (int)Within(key, (node[key] as ScalarNode)?.Value as long?, fallback, min, max);

    public long Bytes(string key, long fallback, long min, long max) => Within(
        key,
        ByteSize.TryParse(TextOf(node, key), out long bytes) ? bytes : null,
        fallback, min, max);

    public TimeSpan Duration(string key, TimeSpan fallback) => Duration(key) ?? fallback;

    public TimeSpan? Duration(string key) => DurationFrom(key, TimeSpan.Zero);

    /// <summary>Null when nothing is there, or when it is refused.</summary>
    public TimeSpan? DurationFrom(string key, TimeSpan min)
    {
        if (!GoDuration.TryParse(TextOf(node, key), out GoDuration duration))
        {
            return null;
        }

        if (duration.Nanoseconds < 0)
        {
            Refuse(key, "must not be negative");
            return null;
        }

        TimeSpan time = duration.ToTimeSpan();
        if (time < min || time > MaxDuration)
        {
            string from = new GoDuration((long)(min.TotalMilliseconds * 1_000_000)).ToString();
            Refuse(key, $"must be {from} to a year, not {TextOf(node, key)}");
            return null;
        }

        return time;
    }

    /// <param name="what">The rest of a sentence that begins with the key.</param>
    public void Refuse(string key, string what) =>
        problems.Add((node[key] ?? node).Position, $"{path}.{key} {what}");

    private long Within(string key, long? value, long fallback, long min, long max)
    {
        if (value is not { } number)
        {
            return fallback;
        }

        if (number < min || number > max)
        {
            Refuse(key, string.Create(
                CultureInfo.InvariantCulture, $"must be {min} to {max}, not {number}"));
            return fallback;
        }

        return number;
    }
}
