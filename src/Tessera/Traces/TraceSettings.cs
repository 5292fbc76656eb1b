using System.Collections.Immutable;
using System.Globalization;
using Tessera.Stack;

namespace Tessera.Traces;

/// <summary>
/// Whether and where to traces go, from the daemon's environment: <c>TESSERA_TRACES</c> names a
/// collector and turns tracing on. What OpenTelemetry's own variables say of headers and of the
/// service's name holds too.
/// </summary>
/// <param name="Endpoint">Where OTLP messages are posted to.</param>
/// <param name="Ratio">Share of the traces that begin here and are recorded, 0 to 1.</param>
internal sealed record TraceSettings(
    Uri Endpoint,
    double Ratio,
    ImmutableDictionary<string, string> Headers,
    ImmutableDictionary<string, string> Resource)
{
    public const string Variable = "TESSERA_TRACES";
    public const string RatioVariable = "TESSERA_TRACE_RATIO";

    /// <summary>Null without tracing.</summary>
    /// <exception cref="UserErrorException">A variable cannot be understood.</exception>
    public static TraceSettings? Read(Func<string, string?> variable)
    {
        string? text = variable(Variable);
        if (string.IsNullOrEmpty(text))
        {
            return null;
        }

        if (!Uri.TryCreate(text, UriKind.Absolute, out Uri? address)
            || address.Scheme is not ("http" or "https"))
        {
            throw new UserErrorException(
                $"{Variable} is \"{text}\"; give the address of a collector that takes OTLP over "
                + "HTTP, such as http://127.0.0.1:4318");
        }

        // A bare address gets the path that the protocol has for traces.
        Uri endpoint = address.AbsolutePath == "/" ? new Uri(address, "/v1/traces") : address;
        ImmutableDictionary<string, string> resource =
            ReadPairs(variable("OTEL_RESOURCE_ATTRIBUTES"));
        string? name = variable("OTEL_SERVICE_NAME");
        return new TraceSettings(
            endpoint,
            ReadRatio(variable(RatioVariable)),
            ReadPairs(variable("OTEL_EXPORTER_OTLP_HEADERS")),
            !string.IsNullOrEmpty(name) ? resource.SetItem("service.name", name)
                : resource.ContainsKey("service.name") ? resource
                : resource.Add("service.name", "tessera"));
    }

    private static double ReadRatio(string? text)
    {
        if (string.IsNullOrEmpty(text))
        {
            return 1;
        }

        return double.TryParse(
            text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double ratio)
            && ratio is >= 0 and <= 1
            ? ratio
            : throw new UserErrorException(
                $"{RatioVariable} is \"{text}\"; give a number from 0 to 1");
    }

    /// <summary>"a=b,c=d", values percent-encoded; what has no "=" is left out.</summary>
    private static ImmutableDictionary<string, string> ReadPairs(string? text) =>
        (text ?? "").Split(',', StringSplitOptions.TrimEntries)
            .Select(pair => pair.Split('=', 2))
            .Where(pair => pair.Length == 2 && pair[0].Length > 0)
            .GroupBy(pair => pair[0])
            .ToImmutableDictionary(g => g.Key, g => Uri.UnescapeDataString(g.Last()[1]));
}
