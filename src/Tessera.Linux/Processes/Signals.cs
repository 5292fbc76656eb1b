using System.Collections.Frozen;
using System.Globalization;

namespace Tessera.Linux.Processes;

/// <summary>Signal numbers of Linux on x86-64 and arm64, by name (signal(7)).</summary>
public static class Signals
{
    public const int Interrupt = 2;
    public const int Kill = 9;
    public const int Terminate = 15;

    private const int RealTimeMin = 34;
    private const int RealTimeMax = 64;

    private static readonly string[] Names =
    [
        "", "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV",
        "USR2", "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU",
        "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
    ];

    private static readonly FrozenDictionary<string, int> Numbers = CreateTable();

    /// <summary>
    /// The number of <c>SIGTERM</c>, <c>term</c> or <c>15</c>; real-time signals as
    /// <c>SIGRTMIN+3</c>.
    /// </summary>
    public static bool TryParse(string name, out int signal)
    {
        string word = name.Trim().ToUpperInvariant();
        if (int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out signal))
        {
            return signal is > 0 and <= RealTimeMax;
        }

        word = word.StartsWith("SIG", StringComparison.Ordinal) ? word[3..] : word;
        return Numbers.TryGetValue(word, out signal);
    }

    /// <summary>The name with SIG, or the number in words where it has none.</summary>
    public static string Describe(int signal) => signal switch
    {
        > 0 when signal < Names.Length => "SIG" + Names[signal],
        >= RealTimeMin and <= RealTimeMax => $"SIGRTMIN+{signal - RealTimeMin}",
        _ => $"signal {signal}",
    };

    /// <summary>
    /// Ends the ignoring of a signal that this process was started with, as shells do for what runs
    /// in the background; one that is not ignored stays as it is. Before .NET handles any signal,
    /// and before anything is written to the console: it keeps what is ignored ignored.
    /// </summary>
    public static void EndIgnoring(int signal)
    {
        // proc(5): a mask in hexadecimal digits, the lowest bit is signal 1.
        const string Field = "SigIgn:";
        string? line = Array.Find(
            File.ReadAllLines("/proc/self/status"),
            text => text.StartsWith(Field, StringComparison.Ordinal));
        if (ulong.TryParse(
                line.AsSpan(Math.Min(Field.Length, line?.Length ?? 0)).Trim(),
                NumberStyles.HexNumber, CultureInfo.InvariantCulture, out ulong ignored)
            && (ignored & (1UL << (signal - 1))) != 0)
        {
            ProcessCalls.signal(signal, 0);
        }
    }

    private static FrozenDictionary<string, int> CreateTable()
    {
        var table = new Dictionary<string, int> { ["CLD"] = 17, ["POLL"] = 29, ["IOT"] = 6 };
        for (int i = 1; i < Names.Length; i++)
        {
            table[Names[i]] = i;
        }

        table["RTMIN"] = RealTimeMin;
        table["RTMAX"] = RealTimeMax;
        for (int i = 1; i <= RealTimeMax - RealTimeMin; i++)
        {
            table[$"RTMIN+{i}"] = RealTimeMin + i;
            table[$"RTMAX-{i}"] = RealTimeMax - i;
        }

        return table.ToFrozenDictionary();
    }
}
