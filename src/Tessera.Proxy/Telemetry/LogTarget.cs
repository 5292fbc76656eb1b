namespace Tessera.Proxy.Telemetry;

/// <summary>Where lines go. Immutable; equal ones are the same file.</summary>
/// <param name="Path">Of a file; empty for the standard error output.</param>
/// <param name="GzipLevel">0 writes lines as they are.</param>
internal sealed record LogTarget(string Path, int GzipLevel = 0, SyslogConfig? Syslog = null)
{
    /// <summary>Its file stays open for the next lines, where files do.</summary>
    public bool IsKeptOpen { get; init; } = true;
}

/// <summary>Lines for one place.</summary>
/// <param name="Written">Completed, when there is one, once they and all before are in it.</param>
/// <param name="Reopens">Files that are open are closed, and opened anew.</param>
internal readonly record struct LogChunk(
    LogTarget Target,
    byte[] Buffer,
    int Length,
    int Lines,
    TaskCompletionSource? Written = null,
    bool Reopens = false);
