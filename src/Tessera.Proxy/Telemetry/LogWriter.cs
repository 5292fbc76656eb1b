using System.Collections.Concurrent;
using System.Net.Sockets;

namespace Tessera.Proxy.Telemetry;

/// <summary>
/// The one thread that writes logs, so that no reactor waits for a disk. When it cannot keep up or
/// a file cannot be written, lines are dropped and counted, and that is said once until writing
/// works again. Any thread may enqueue.
/// </summary>
internal sealed class LogWriter : IDisposable
{
    private const int BufferBytes = AccessLogFormat.MaxLineBytes;
    private const int MaxQueued = 4_096;
    private const long MaxQueuedBytes = 16L * 1_024 * 1_024;
    private const int MaxSpare = 32;

    private readonly BlockingCollection<LogChunk> _queue = new(MaxQueued);
    private readonly ConcurrentQueue<byte[]> _spare = [];
    private readonly LogFiles _files;
    private readonly Action<string> _complain;
    private readonly Thread _thread;
    private long _queuedBytes;
    private long _dropped;
    private bool _hasComplained;

    /// <param name="maxBytes">
    /// A file is rotated before it exceeds this; 0 never rotates, and keeps files open.
    /// </param>
    /// <param name="backups">Rotated files kept as path.1 (the newest), path.2, and so on.</param>
    /// <param name="complain">Told when lines are lost, and how many, once it works again.</param>
    public LogWriter(long maxBytes, int backups, Action<string> complain)
    {
        _files = new LogFiles(maxBytes, backups);
        _complain = complain;
        _thread = new Thread(Run) { Name = "tessera-log", IsBackground = true };
        _thread.Start();
    }

    /// <summary>Lines that were lost.</summary>
    public long Dropped => Volatile.Read(ref _dropped);

    /// <summary>
    /// Makes buffers beforehand, so that a reactor which has one in hand finds another.
    /// </summary>
    public void Stock(int buffers)
    {
        for (int i = _spare.Count; i < Math.Min(buffers, MaxSpare); i++)
        {
            _spare.Enqueue(new byte[BufferBytes]);
        }
    }

    public void CountDropped(int lines) => Interlocked.Add(ref _dropped, lines);

    public byte[] RentBuffer() =>
        _spare.TryDequeue(out byte[]? buffer) ? buffer : new byte[BufferBytes];

    /// <summary>Takes the chunk over; never waits.</summary>
    public void Enqueue(LogChunk chunk)
    {
        bool fits = Interlocked.Add(ref _queuedBytes, chunk.Buffer.Length) <= MaxQueuedBytes;
        if (!fits || !_queue.TryAdd(chunk))
        {
            Interlocked.Add(ref _queuedBytes, -chunk.Buffer.Length);
            Interlocked.Add(ref _dropped, chunk.Lines);
        }
    }

    /// <summary>Completes when everything that was taken so far has been written.</summary>
    /// <param name="reopens">Files are then opened anew.</param>
    public Task WriteOutAsync(bool reopens = false)
    {
        var written = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var chunk = new LogChunk(new LogTarget(""), [], 0, 0, written, reopens);
        if (!_queue.TryAdd(chunk))
        {
            // A queue that is full says that the disk is too slow to be waited for.
            written.SetResult();
        }

        return written.Task;
    }

    /// <summary>Writes what is queued, then ends.</summary>
    public void Dispose()
    {
        _queue.CompleteAdding();
        _thread.Join();
        _queue.Dispose();
        _files.Dispose();
    }

    private void Run()
    {
        foreach (LogChunk chunk in _queue.GetConsumingEnumerable())
        {
            if (chunk.Written is { } written)
            {
                if (chunk.Reopens)
                {
                    _files.Reopen(_complain);
                }

                written.SetResult();
                continue;
            }

            Interlocked.Add(ref _queuedBytes, -chunk.Buffer.Length);
            try
            {
                _files.Append(chunk.Target, chunk.Buffer.AsSpan(0, chunk.Length));
                ReportRecovery();
            }
            catch (Exception exception) when (exception is IOException
                or UnauthorizedAccessException or NotSupportedException or SocketException)
            {
                Interlocked.Add(ref _dropped, chunk.Lines);
                ReportFailure(chunk.Target, exception);
            }

            if (chunk.Buffer.Length == BufferBytes && _spare.Count < MaxSpare)
            {
                _spare.Enqueue(chunk.Buffer);
            }
        }
    }

    private void ReportFailure(LogTarget target, Exception exception)
    {
        if (!_hasComplained)
        {
            _hasComplained = true;
            _complain($"log {target.Path} cannot be written, lines are lost: {exception.Message}");
        }
    }

    private void ReportRecovery()
    {
        if (_hasComplained)
        {
            _hasComplained = false;
            _complain($"logs are written again; {Dropped} lines were lost so far");
        }
    }
}
