using System.Globalization;

namespace Tessera.Bench.Peers;

/// <summary>
/// How much of the machine's time its host gave to others (steal in proc_stat(5)), from the moment
/// this is made. 0 on hardware.
/// </summary>
internal sealed class StolenTime
{
    private readonly (long Stolen, long All) _start = Read();

    /// <summary>Share of the time of all cores so far, 0 to 1.</summary>
    public double Share()
    {
        (long stolen, long all) = Read();
        return (double)(stolen - _start.Stolen) / Math.Max(1, all - _start.All);
    }

    /// <summary>In ticks, since the machine was started.</summary>
    private static (long Stolen, long All) Read()
    {
        // cpu user nice system idle iowait irq softirq steal guest guest_nice; the last two are
        // part of the first two.
        long[] ticks = [.. File.ReadLines("/proc/stat").First()
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)[1..9]
            .Select(word => long.Parse(word, CultureInfo.InvariantCulture))];
        return (ticks[7], ticks.Sum());
    }
}
