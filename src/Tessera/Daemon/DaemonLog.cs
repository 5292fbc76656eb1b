using System.Globalization;

namespace Tessera.Daemon;

/// <summary>
/// The daemon's own lines, on stderr. A daemon that was started on demand has a file there, which
/// is kept within a limit: at <see cref="MaxBytes"/> its content moves to <c>daemon.log.1</c>. Safe
/// from any thread.
/// </summary>
internal sealed class DaemonLog(TesseraHome home, bool isFile)
{
    public const long MaxBytes = 8 * 1_024 * 1_024;

    /// <summary>Lines between two looks at the size.</summary>
    private const int CheckEvery = 256;

    private readonly Lock _lock = new();
    private int _lines;

    public void Write(string message)
    {
        lock (_lock)
        {
            Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{DateTimeOffset.UtcNow:yyyy-MM-ddTHH:mm:ss.fffZ} {message}"));
            if (isFile && ++_lines % CheckEvery == 0)
            {
                KeepWithinLimit();
            }
        }
    }

    public void Delete()
    {
        File.Delete(home.DaemonLog);
        File.Delete(home.DaemonLog + ".1");
    }

    /// <summary>
    /// Copies and truncates, because stderr stays open on this very file; it appends, so the next
    /// line is the first of an empty file.
    /// </summary>
    private void KeepWithinLimit()
    {
        try
        {
            if (new FileInfo(home.DaemonLog) is { Exists: true, Length: > MaxBytes })
            {
                File.Copy(home.DaemonLog, home.DaemonLog + ".1", overwrite: true);
                using var file = new FileStream(
                    home.DaemonLog, FileMode.Truncate, FileAccess.Write, FileShare.ReadWrite);
            }
        }
        catch (IOException)
        {
            // A full disk: the next look tries again, and no line of the daemon is worth its end.
        }
    }
}
