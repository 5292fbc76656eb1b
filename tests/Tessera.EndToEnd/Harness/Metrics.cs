using System.Globalization;
using Shouldly;

namespace Tessera.EndToEnd.Harness;

/// <summary>What <c>tessera metrics</c> printed at one moment.</summary>
public sealed class Metrics
{
    private readonly string[] _lines;

    private Metrics(string[] lines) => _lines = lines;

    public static async Task<Metrics> ReadAsync(TesseraHost host) =>
        new((await host.RunAsync("metrics")).ShouldSucceed().OutputLines);

    /// <summary>Waits until <paramref name="condition"/> holds.</summary>
    public static Task UntilAsync(TesseraHost host, string what, Predicate<Metrics> condition) =>
        Eventually.HoldsAsync(what, async () => condition(await ReadAsync(host)));

    /// <summary>Sum of the series of a name that have all these labels.</summary>
    /// <param name="labels">Such as <c>state="ejected"</c>.</param>
    public double this[string name, params string[] labels] => _lines
        .Where(line => (line.StartsWith(name + "{", StringComparison.Ordinal)
                || line.StartsWith(name + " ", StringComparison.Ordinal))
            && labels.All(label => line.Contains(label, StringComparison.Ordinal)))
        .Sum(line => double.Parse(line.Split(' ')[^1], CultureInfo.InvariantCulture));
}
