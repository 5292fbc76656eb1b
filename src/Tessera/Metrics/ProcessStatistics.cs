using System.Globalization;

namespace Tessera.Metrics;

/// <summary>
/// What the kernel knows of this process, see proc(5); 0 for what it does not tell.
/// </summary>
internal sealed record ProcessStatistics(
    double CpuSeconds,
    long ResidentBytes,
    long VirtualBytes,
    int Threads,
    int OpenFiles,
    long MaxOpenFiles,
    double StartUnixSeconds)
{
    private const double TicksPerSecond = 100;

    public static ProcessStatistics Read()
    {
        try
        {
            // The name in parentheses may hold anything: fields are counted from behind it.
            string stat = File.ReadAllText("/proc/self/stat");
            string[] fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            double ticks = Number(fields[11]) + Number(fields[12]);
            return new ProcessStatistics(
                ticks / TicksPerSecond,
                (long)Number(fields[21]) * Environment.SystemPageSize,
                (long)Number(fields[20]),
                (int)Number(fields[17]),
                Directory.GetFiles("/proc/self/fd").Length,
                ReadMaxOpenFiles(),
                ReadBootTime() + (Number(fields[19]) / TicksPerSecond));
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException
            or FormatException or IndexOutOfRangeException)
        {
            return new ProcessStatistics(0, 0, 0, 0, 0, 0, 0);
        }
    }

    private static long ReadMaxOpenFiles()
    {
        string line = File.ReadLines("/proc/self/limits")
            .First(l => l.StartsWith("Max open files", StringComparison.Ordinal));
        string soft = line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[3];
        return soft == "unlimited" ? 0 : (long)Number(soft);
    }

    private static double ReadBootTime() => Number(File.ReadLines("/proc/stat")
        .First(l => l.StartsWith("btime ", StringComparison.Ordinal))[6..]);

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);
}
