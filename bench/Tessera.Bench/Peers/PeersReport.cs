using System.Globalization;
using System.Text;

namespace Tessera.Bench.Peers;

/// <summary>
/// The report as Markdown that reads well on a terminal too: medians over the rounds, and medians
/// of the ratios that were taken inside each round, since what disturbs a round disturbs all in it.
/// </summary>
internal sealed class PeersReport
{
    /// <summary>Below this share of its core a proxy was waiting for the load.</summary>
    private const double Saturated = 0.95;

    private const string Tessera = "tessera";

    /// <summary>Of the machine's time that others had: less disturbs nobody.</summary>
    private const double DoubtfulShare = 0.03;

    /// <summary>Differences between two runs below this say nothing.</summary>
    private const double Tolerance = 0.10;

    private static readonly string[] Columns =
    [
        "scenario", "proxy", "requests/s", "ratio", "best", "CPU µs/req", "ratio", "best",
        "p50 ms", "p99 ms", "RSS MiB", "B/conn", "ratio", "core",
    ];

    private readonly IReadOnlyList<Measurement> _measurements;
    private readonly string _reference;

    /// <param name="reference">The peer that ratios are to.</param>
    public PeersReport(IReadOnlyList<Measurement> measurements, string reference)
    {
        _measurements = measurements;
        _reference = reference;
    }

    public string Table()
    {
        List<string[]> rows = [Columns];
        bool hasIdleCore = false;
        foreach (var group in _measurements.GroupBy(one => (one.Scenario, one.Peer)))
        {
            bool isIdle = group.Key.Scenario.Kind == LoadKind.Idle;
            Measurement[] all = [.. group];
            double busy = Median(all, one => one.Busy);
            hasIdleCore |= busy < Saturated && !isIdle;
            string[] speed = isIdle ? ["", "", "", "", "", "", "", ""] :
            [
                Text(Median(all, one => one.Load.RequestsPerSecond), "0"),
                Text(Ratio(all, one => one.Load.RequestsPerSecond), "0.00"),
                Best(all, one => one.Load.RequestsPerSecond, others => others.Max()),
                Text(Median(all, one => one.CpuMicroseconds), "0.0"),
                Text(Ratio(all, one => one.CpuMicroseconds), "0.00"),
                Best(all, one => one.CpuMicroseconds, others => others.Min()),
                Text(Median(all, one => one.Load.P50.TotalMilliseconds), "0.00"),
                Text(Median(all, one => one.Load.P99.TotalMilliseconds), "0.00"),
            ];
            rows.Add(
            [
                group.Key.Scenario.Name,
                group.Key.Peer,
                .. speed,
                Text(Median(all, one => one.ResidentBytes / 1_048_576.0), "0"),
                isIdle ? Text(Median(all, one => one.BytesPerConnection), "0") : "",
                isIdle ? Text(Ratio(all, one => one.BytesPerConnection), "0.00") : "",
                isIdle ? "" : Text(busy * 100, "0") + (busy < Saturated ? " %*" : " %"),
            ]);
        }

        var text = new StringBuilder(Align(rows));
        text.Append($"\nMedians; ratios are to {_reference} within each round.\n");
        if (hasIdleCore)
        {
            text.Append("\\* This proxy did not fill its core: the load did not come faster, ")
                .Append("so its CPU time tells more than its requests.\n");
        }

        foreach (string doubt in Doubts())
        {
            text.Append($"Doubtful: {doubt}\n");
        }

        return text.ToString();
    }

    /// <summary>
    /// What of Tessera's ratios is worse by more than a tenth than in the table of a report.
    /// </summary>
    public IEnumerable<string> LossesSince(IEnumerable<string> lines)
    {
        const int scenario = 1, proxy = 2, requests = 4, cpu = 7, memory = 13;
        foreach (string line in lines)
        {
            string[] cells = [.. line.Split('|').Select(cell => cell.Trim())];
            Measurement[] all = cells.Length <= memory || cells[proxy] != Tessera
                ? []
                : [.. _measurements.Where(
                    one => one.Peer == Tessera && one.Scenario.Name == cells[scenario])];
            if (all.Length > 0 && TryParse(cells[memory], out double bytes)
                && Ratio(all, one => one.BytesPerConnection) > bytes * (1 + Tolerance))
            {
                yield return string.Create(
                    CultureInfo.InvariantCulture,
                    $"Lost: {cells[scenario]}: {Ratio(all, one => one.BytesPerConnection):0.00} "
                    + $"times the memory; recorded are {bytes:0.00}");
            }

            if (all.Length == 0 || !TryParse(cells[requests], out double speed)
                || !TryParse(cells[cpu], out double cost))
            {
                continue;
            }

            double speedNow = Ratio(all, one => one.Load.RequestsPerSecond);
            double costNow = Ratio(all, one => one.CpuMicroseconds);
            if (speedNow < speed * (1 - Tolerance) || costNow > cost * (1 + Tolerance))
            {
                yield return string.Create(
                    CultureInfo.InvariantCulture,
                    $"Lost: {cells[scenario]}: {speedNow:0.00} times the requests at "
                    + $"{costNow:0.00} of the CPU; recorded are {speed:0.00} at {cost:0.00}");
            }
        }
    }

    /// <summary>
    /// Replies that failed, proxies that did not log what they served, and a disturbed machine.
    /// </summary>
    private IEnumerable<string> Doubts()
    {
        const int leastBytesPerLine = 40;
        foreach (Measurement one in _measurements)
        {
            string where = $"{one.Peer}, {one.Scenario.Name}, round {one.Round}";
            if (one.Load.Failures > 0)
            {
                yield return $"{where}: {one.Load.Failures} failures";
            }

            if (one.StolenShare > DoubtfulShare)
            {
                yield return string.Create(
                    CultureInfo.InvariantCulture,
                    $"{where}: {one.StolenShare * 100:0} % of the machine's time was stolen");
            }

            if (one.Scenario.Kind != LoadKind.Idle
                && one.LogBytes < one.Load.Requests * leastBytesPerLine)
            {
                yield return
                    $"{where}: {one.LogBytes} bytes logged for {one.Load.Requests} requests";
            }
        }
    }

    private static bool TryParse(string text, out double number) => double.TryParse(
        text, NumberStyles.Float, CultureInfo.InvariantCulture, out number);

    private static double Median(IEnumerable<Measurement> all, Func<Measurement, double> value)
    {
        double[] sorted = [.. all.Select(value).Order()];
        int middle = sorted.Length / 2;
        return sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

    private double Ratio(Measurement[] all, Func<Measurement, double> value) => Median(
        all,
        one => value(one) / value(_measurements.Single(other =>
            other.Peer == _reference
            && other.Scenario == one.Scenario
            && other.Round == one.Round)));

    /// <summary>Of Tessera alone: the ratio to the best of the others in the same round.</summary>
    private string Best(
        Measurement[] all,
        Func<Measurement, double> value,
        Func<IEnumerable<double>, double> best)
    {
        bool hasOthers = _measurements.Any(
            one => one.Peer != Tessera && one.Scenario == all[0].Scenario);
        return all[0].Peer != Tessera || !hasOthers ? "" : Text(
            Median(all, one => value(one) / best(_measurements
                .Where(other => other.Peer != Tessera
                    && other.Scenario == one.Scenario && other.Round == one.Round)
                .Select(value))),
            "0.00");
    }

    private static string Text(double value, string format) =>
        value.ToString(format, CultureInfo.InvariantCulture);

    private static string Align(List<string[]> rows)
    {
        int[] widths = [.. Columns.Select((_, i) => rows.Max(row => row[i].Length))];
        rows.Insert(1, [.. widths.Select(width => new string('-', width - 1) + ":")]);
        var text = new StringBuilder();
        foreach (string[] row in rows)
        {
            text.Append("| ")
                .AppendJoin(" | ", row.Select((cell, i) => cell.PadLeft(widths[i])))
                .Append(" |\n");
        }

        return text.ToString();
    }
}
