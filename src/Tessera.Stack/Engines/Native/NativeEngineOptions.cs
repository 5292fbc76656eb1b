namespace Tessera.Stack.Engines.Native;

/// <summary>Where the native engine keeps its state, and every limit it works within.</summary>
public sealed record NativeEngineOptions
{
    /// <summary>
    /// Absolute; instances of a project live in <c>StateFolder/project/instances</c>.
    /// </summary>
    public required string StateFolder { get; init; }

    /// <summary>
    /// Put at the end of every instance's PATH (the program's own folder); null for nothing.
    /// </summary>
    public string? PathFolder { get; init; }

    /// <summary>
    /// Takes one line, without its end, for the daemon's log. Called from any thread.
    /// </summary>
    public Action<string> Log { get; init; } = static _ => { };

    /// <summary>
    /// Private ports are taken from here, where the kernel does not take its own from.
    /// </summary>
    public PortRange Ports { get; init; } = new(20_000, 29_999);

    /// <summary>Bytes of one log file (its index included) before the next one is begun.</summary>
    public long LogFileBytes { get; init; } = 10 * 1024 * 1024;

    /// <summary>
    /// Bytes of all log files of a slot, as a multiple of <see cref="LogFileBytes"/>.
    /// </summary>
    public int LogFilesKept { get; init; } = 3;

    /// <summary>First delay of the back-off; the very first restart comes at once.</summary>
    public TimeSpan RestartDelay { get; init; } = TimeSpan.FromMilliseconds(100);

    public TimeSpan MaxRestartDelay { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>An instance that was ready this long starts the back-off anew.</summary>
    public TimeSpan StableRun { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Healthchecks of all instances that may run at the same moment.</summary>
    public int MaxConcurrentHealthchecks { get; init; } = 64;

    /// <summary>Processes that may be starting at the same moment.</summary>
    public int MaxConcurrentStarts { get; init; } = 16;
}

/// <param name="First">1 to 65,535.</param>
/// <param name="Last">Included.</param>
public readonly record struct PortRange(int First, int Last)
{
    public int Count => Last - First + 1;
}
