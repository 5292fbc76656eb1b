using System.Globalization;
using System.Threading.Channels;
using Tessera.Linux.Net;
using Tessera.Linux.Processes;

namespace Tessera.Daemon;

/// <summary>
/// The daemon's own lines, on stderr. <see cref="Write"/> never blocks and never throws, so that
/// reactors and supervisors may call it on a full disk: lines wait in a bounded queue for one
/// writer, and those that do not fit are counted. A daemon that was started on demand has a file
/// behind stderr; at <see cref="MaxBytes"/> its content moves to <c>daemon.log.1</c>. Safe from any
/// thread.
/// </summary>
internal sealed class DaemonLog : IAsyncDisposable
{
    public const long MaxBytes = 8 * 1_024 * 1_024;

    private const int MaxQueuedLines = 4_096;

    /// <summary>Lines between two looks at the size.</summary>
    private const int CheckEvery = 256;

    private readonly TesseraHome _home;
    private readonly bool _isFile;
    private readonly Channel<string> _lines = Channel.CreateBounded<string>(
        new BoundedChannelOptions(MaxQueuedLines) { SingleReader = true });
    private readonly Task _writer;
    private long _lost;

    public DaemonLog(TesseraHome home, bool isFile)
    {
        _home = home;
        _isFile = isFile;
        _writer = WriteAllAsync();
    }

    public void Write(string message)
    {
        string line = string.Create(CultureInfo.InvariantCulture,
            $"{DateTimeOffset.UtcNow:yyyy-MM-ddTHH:mm:ss.fffZ} {message}");
        if (!_lines.Writer.TryWrite(line))
        {
            Interlocked.Increment(ref _lost);
        }
    }

    /// <summary>Goes on in the file of that name, when the one in use was moved away.</summary>
    public void Reopen()
    {
        if (_isFile && StandardStreams.Redirect(_home.DaemonLog) is { IsSuccess: false } failed)
        {
            Write($"the log cannot be reopened: {Errno.Describe(failed.Errno)}");
        }
    }

    public void Delete()
    {
        File.Delete(_home.DaemonLog);
        File.Delete(_home.DaemonLog + ".1");
    }

    /// <summary>Writes what is queued.</summary>
    public async ValueTask DisposeAsync()
    {
        _lines.Writer.TryComplete();
        await _writer;
    }

    private async Task WriteAllAsync()
    {
        int count = 0;
        await foreach (string line in _lines.Reader.ReadAllAsync())
        {
            long lost = Interlocked.Exchange(ref _lost, 0);
            if (lost > 0)
            {
                TryWrite($"({lost} lines were lost here)");
            }

            TryWrite(line);
            if (_isFile && ++count % CheckEvery == 0)
            {
                KeepWithinLimit();
            }
        }
    }

    private void TryWrite(string line)
    {
        try
        {
            Console.Error.WriteLine(line);
        }
        catch (IOException)
        {
            // Nobody can be told where stderr cannot be written; no line is worth the daemon.
            Interlocked.Increment(ref _lost);
        }
    }

    /// <summary>
    /// Copies and truncates, because stderr stays open on this very file; it appends, so the next
    /// line is the first of an empty file.
    /// </summary>
    private void KeepWithinLimit()
    {
        try
        {
            if (new FileInfo(_home.DaemonLog) is { Exists: true, Length: > MaxBytes })
            {
                File.Copy(_home.DaemonLog, _home.DaemonLog + ".1", overwrite: true);
                using var file = new FileStream(
                    _home.DaemonLog, FileMode.Truncate, FileAccess.Write, FileShare.ReadWrite);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A full disk: the next look tries again.
        }
    }
}
