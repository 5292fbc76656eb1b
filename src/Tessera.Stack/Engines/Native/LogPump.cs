using Microsoft.Win32.SafeHandles;
using Tessera.Linux;
using Tessera.Linux.Processes;

namespace Tessera.Stack.Engines.Native;

/// <summary>
/// One thread that moves the output of all instances to their logs. Threading: public members from
/// any thread; the writers live on the thread itself.
/// </summary>
internal sealed class LogPump : IDisposable
{
    private const int TickMs = 200;

    // The smallest pipe carries 64 MiB a second across it.
    private const int PauseMs = 1;
    private const int PipeBytes = 1024 * 1024;
    private const int MinPipeBytes = 64 * 1024;

    private readonly PollThread _thread;
    private readonly Action<string> _log;
    private readonly TimeProvider _time;
    private readonly LogWriter.Scratch _scratch = new();
    private readonly Dictionary<string, LogWriter> _writers = new(StringComparer.Ordinal);
    private TaskCompletionSource? _growth;

    public LogPump(Action<string> log, TimeProvider time)
    {
        _log = log;
        _time = time;
        _thread = new PollThread("tessera-logs", TickMs, RetryTroubled, log, PauseMs);
    }

    /// <summary>
    /// Starts to move an instance's output. The FIFO is open when this returns: the instance may be
    /// started. Returns the place where its first line will be.
    /// </summary>
    /// <exception cref="IOException">The FIFO or the log cannot be opened.</exception>
    public LogPosition Open(SlotLog log, string writer, string fifoPath)
    {
        SyscallResult opened = Fifo.TryOpen(fifoPath, out SafeFileHandle? fifo);
        if (!opened.IsSuccess)
        {
            throw new IOException($"{fifoPath}: {ProcessErrno.Describe(opened.Errno)}");
        }

        LogSegment segment;
        LogWriter created;
        try
        {
            segment = log.Open(writer);
            created = new LogWriter(log, segment, fifo!, Enlarge(fifo!), _time, _scratch);
        }
        catch
        {
            fifo!.Dispose();
            throw;
        }

        var start = new LogPosition(segment.Sequence, segment.Length);
        _thread.Post(() =>
        {
            _writers.Add(writer, created);
            Watch(created);
        });
        return start;
    }

    /// <summary>
    /// Done when everything that the instance wrote is in its log. Its processes are gone.
    /// </summary>
    public Task CloseAsync(string writer)
    {
        var closed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _thread.Post(() =>
        {
            try
            {
                if (_writers.Remove(writer, out LogWriter? known))
                {
                    Unwatch(known);
                    known.Finish();
                    known.Dispose();
                    SignalGrowth();
                }
            }
            finally
            {
                closed.TrySetResult();
            }
        });
        return closed.Task;
    }

    /// <summary>Done when some log has grown since this was called.</summary>
    public Task WhenGrownAsync()
    {
        TaskCompletionSource? growth = Volatile.Read(ref _growth);
        while (growth is null)
        {
            var created = new TaskCompletionSource(
                TaskCreationOptions.RunContinuationsAsynchronously);
            growth = Interlocked.CompareExchange(ref _growth, created, null) ?? created;
        }

        return growth.Task;
    }

    /// <summary>Moves what is there a last time and leaves the FIFOs to the next daemon.</summary>
    public void Dispose()
    {
        _thread.Post(() =>
        {
            foreach (LogWriter writer in _writers.Values)
            {
                Unwatch(writer);
                writer.Move();
                writer.Dispose();
            }

            _writers.Clear();
        });
        _thread.Dispose();
        _scratch.Dispose();
    }

    private void Watch(LogWriter writer) =>
        writer.Token = _thread.Add(writer.Descriptor, () => Move(writer));

    private void Unwatch(LogWriter writer)
    {
        if (writer.Token is ulong token)
        {
            _thread.Remove(writer.Descriptor, token);
            writer.Token = null;
        }
    }

    private void Move(LogWriter writer)
    {
        if (writer.Move() > 0)
        {
            SignalGrowth();
        }

        if (writer.Trouble is string trouble)
        {
            Unwatch(writer);
            _log($"{writer.Name}: its log cannot be written ({trouble}); output that does not "
                + "fit into its pipe is dropped until it can");
        }
    }

    private void RetryTroubled()
    {
        foreach (LogWriter writer in _writers.Values)
        {
            if (writer.Token is null && writer.Recover())
            {
                _log($"{writer.Name}: its log is written again; "
                    + $"{writer.LostBytes} bytes were lost");
                writer.ForgetLoss();
                Watch(writer);
                SignalGrowth();
            }
        }
    }

    private void SignalGrowth() => Interlocked.Exchange(ref _growth, null)?.TrySetResult();

    /// <summary>
    /// A large pipe carries an instance over the time without a daemon. An unprivileged user may
    /// run out of room for pipes (pipe(7), pipe-user-pages-soft); then it stays as it is.
    /// </summary>
    private static int Enlarge(SafeFileHandle fifo)
    {
        for (int size = PipeBytes; size > MinPipeBytes; size /= 2)
        {
            SyscallResult resized = Fifo.Resize(fifo, size);
            if (resized.IsSuccess)
            {
                return resized.IntValue;
            }
        }

        return MinPipeBytes;
    }
}

/// <summary>A place in a slot's log.</summary>
internal readonly record struct LogPosition(long Sequence, long Offset);
