using System.Globalization;

namespace Tessera.Stack.Compose.Values;

/// <summary>Signals as signal(7) names them on Linux for x86 and ARM.</summary>
internal static class SignalName
{
    private static readonly string[] Names =
    [
        "SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE",
        "SIGKILL", "SIGUSR1", "SIGSEGV", "SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM", "SIGSTKFLT",
        "SIGCHLD", "SIGCONT", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGXCPU",
        "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO", "SIGPWR", "SIGSYS",
    ];

    public static IReadOnlyList<string> All => Names;

    /// <summary>With SIG, from a name with or without it in any case, or a number.</summary>
    /// <returns>Null when there is no such signal.</returns>
    public static string? Normalise(string text)
    {
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number))
        {
            return number >= 1 && number <= Names.Length ? Names[number - 1] : null;
        }

        string name = text.ToUpperInvariant();
        name = name.StartsWith("SIG", StringComparison.Ordinal) ? name : "SIG" + name;
        name = name switch
        {
            "SIGIOT" => "SIGABRT",
            "SIGCLD" => "SIGCHLD",
            "SIGPOLL" => "SIGIO",
            _ => name,
        };
        return Array.IndexOf(Names, name) >= 0 ? name : null;
    }
}
