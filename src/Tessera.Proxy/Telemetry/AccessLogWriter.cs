using System.Collections.Concurrent;

namespace Tessera.Proxy.Telemetry;

/// <summary>Lines for one file.</summary>
/// <param name="Written">Completed, when there is one, once they and all before are in it.</param>
internal readonly record struct LogChunk(
    string Path, byte[] Buffer, int Length, int Lines, TaskCompletionSource? Written = null);

/// <summary>
/// The one thread that writes log files, so that no reactor waits for a disk. When it cannot keep
/// up or a file cannot be written, lines are dropped and counted, and that is said once until
/// writing works again. Any thread may enqueue.
/// </summary>
internal sealed class AccessLogWriter : IDisposable
{
    private const int BufferBytes = AccessLogFormat.MaxLineBytes;
    private const int MaxQueued = 256;
    private const int MaxSpare = 32;

    private readonly BlockingCollection<LogChunk> _queue = new(MaxQueued);
    private readonly ConcurrentQueue<byte[]> _spare = [];
    private readonly long _maxBytes;
    private readonly int _backups;
    private readonly Action<string> _complain;
    private readonly Thread _thread;
    private long _dropped;
    private bool _hasComplained;

    /// <param name="maxBytes">A file is rotated before it exceeds this.</param>
    /// <param name="backups">Rotated files kept as path.1 (the newest), path.2, and so on.</param>
    /// <param name="complain">Told when lines are lost, and how many, once it works again.</param>
    public AccessLogWriter(long maxBytes, int backups, Action<string> complain)
    {
        _maxBytes = maxBytes;
        _backups = backups;
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
        for (int i = 0; i < buffers; i++)
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
        if (!_queue.TryAdd(chunk))
        {
            Interlocked.Add(ref _dropped, chunk.Lines);
        }
    }

    /// <summary>Completes when everything that was taken so far has been written.</summary>
    public Task WriteOutAsync()
    {
        var written = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        if (!_queue.TryAdd(new LogChunk("", [], 0, 0, written)))
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
    }

    private void Run()
    {
        foreach (LogChunk chunk in _queue.GetConsumingEnumerable())
        {
            if (chunk.Written is { } written)
            {
                written.SetResult();
                continue;
            }

            try
            {
                Append(chunk);
                ReportRecovery();
            }
            catch (Exception exception) when (exception is IOException
                or UnauthorizedAccessException or NotSupportedException)
            {
                Interlocked.Add(ref _dropped, chunk.Lines);
                ReportFailure(chunk.Path, exception);
            }

            if (_spare.Count < MaxSpare)
            {
                _spare.Enqueue(chunk.Buffer);
            }
        }
    }

    /// <summary>
    /// Opens the file anew each time: chunks are large and few, and so a file that was moved away
    /// or deleted is simply begun again.
    /// </summary>
    private void Append(LogChunk chunk)
    {
        var file = new FileInfo(chunk.Path);
        if (file.Exists && file.Length > 0 && file.Length + chunk.Length > _maxBytes)
        {
            Rotate(chunk.Path);
        }

        using var stream = new FileStream(
            chunk.Path,
            FileMode.Append,
            FileAccess.Write,
            FileShare.ReadWrite | FileShare.Delete,
            bufferSize: 0);
        stream.Write(chunk.Buffer, 0, chunk.Length);
    }

    private void Rotate(string path)
    {
        if (_backups <= 0)
        {
            File.Delete(path);
            return;
        }

        for (int i = _backups; i > 1; i--)
        {
            if (File.Exists($"{path}.{i - 1}"))
            {
                File.Move($"{path}.{i - 1}", $"{path}.{i}", overwrite: true);
            }
        }

        File.Move(path, $"{path}.1", overwrite: true);
    }

    private void ReportFailure(string path, Exception exception)
    {
        if (!_hasComplained)
        {
            _hasComplained = true;
            _complain($"access log {path} cannot be written, lines are lost: {exception.Message}");
        }
    }

    private void ReportRecovery()
    {
        if (_hasComplained)
        {
            _hasComplained = false;
            _complain($"access logs are written again; {Dropped} lines were lost so far");
        }
    }
}
