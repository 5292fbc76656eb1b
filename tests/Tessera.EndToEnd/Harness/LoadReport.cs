using Shouldly;

namespace Tessera.EndToEnd.Harness;

/// <param name="Instance">Who answered; empty when nobody did.</param>
/// <param name="Failure">Empty for a complete 200.</param>
public sealed record LoadSample(
    DateTimeOffset Began, TimeSpan Elapsed, string Instance, string Failure)
{
    public DateTimeOffset Ended => Began + Elapsed;
}

/// <summary>How a run of <see cref="LoadClient"/> went.</summary>
public sealed class LoadReport
{
    public LoadReport(IEnumerable<LoadSample> samples) =>
        Samples = [.. samples.OrderBy(sample => sample.Ended)];

    /// <summary>In the order of their ends.</summary>
    public IReadOnlyList<LoadSample> Samples { get; }

    public int Requests => Samples.Count;

    public int Failures => Samples.Count(sample => sample.Failure.Length > 0);

    public TimeSpan Slowest => Samples.Max(sample => sample.Elapsed);

    /// <summary>Complete answers by the name of the instance that gave them.</summary>
    public IReadOnlyDictionary<string, int> ByInstance => Samples
        .Where(sample => sample.Failure.Length == 0)
        .GroupBy(sample => sample.Instance)
        .ToDictionary(group => group.Key, group => group.Count());

    /// <param name="fraction">0.5 is the median.</param>
    public TimeSpan Percentile(double fraction)
    {
        TimeSpan[] sorted = [.. Samples.Select(sample => sample.Elapsed).Order()];
        return sorted[(int)(fraction * (sorted.Length - 1))];
    }

    public LoadReport ShouldHaveNoFailure(int atLeast = 100)
    {
        Failures.ShouldBe(0, ToString());
        Requests.ShouldBeGreaterThanOrEqualTo(atLeast, ToString());
        return this;
    }

    public override string ToString()
    {
        IEnumerable<string> reasons = Samples
            .Where(sample => sample.Failure.Length > 0)
            .GroupBy(sample => sample.Failure)
            .OrderByDescending(group => group.Count())
            .Take(8)
            .Select(g => $"  {g.Count()} x {g.Key} (first {g.First().Ended:HH:mm:ss.fff}, "
                + $"after {g.First().Elapsed.TotalMilliseconds:F0} ms)");
        IEnumerable<string> shares = ByInstance.Select(pair => $"  {pair.Key}: {pair.Value}");
        return $"{Requests} requests, {Failures} failed, median "
            + $"{Percentile(0.5).TotalMilliseconds:F1} ms, p99 "
            + $"{Percentile(0.99).TotalMilliseconds:F1} ms, slowest "
            + $"{Slowest.TotalMilliseconds:F0} ms\n{string.Join('\n', reasons)}\n"
            + string.Join('\n', shares);
    }
}
