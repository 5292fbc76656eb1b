using System.Collections.Concurrent;
using Tessera.Linux.Processes;

namespace Tessera.Stack.Engines.Native;

/// <summary>
/// One thread that waits for descriptors to become readable and calls whoever asked. Threading:
/// every public member may be called from any thread; callbacks, posted actions and the tick run on
/// the thread itself, one at a time, and must not block for long.
/// </summary>
internal sealed class PollThread : IDisposable
{
    private readonly DescriptorPoller _poller = new();
    private readonly ConcurrentDictionary<ulong, Action> _callbacks = new();
    private readonly ConcurrentQueue<Action> _mailbox = new();
    private readonly Thread _thread;
    private readonly Action _tick;
    private readonly int _tickMs;
    private readonly int _pauseMs;
    private readonly Action<string> _log;
    private ulong _lastToken;
    private volatile bool _isStopped;

    /// <param name="tick">Called about every <paramref name="tickMs"/> milliseconds.</param>
    /// <param name="pauseMs">
    /// Slept after each round of callbacks, so that what comes in many small pieces is seen in
    /// fewer larger ones; 0 for none.
    /// </param>
    public PollThread(
        string name, int tickMs, Action tick, Action<string> log, int pauseMs = 0)
    {
        _pauseMs = pauseMs;
        _tick = tick;
        _tickMs = tickMs;
        _log = log;
        _thread = new Thread(Run) { Name = name, IsBackground = true };
        _thread.Start();
    }

    /// <summary>
    /// Calls back whenever the descriptor is readable, until <see cref="Remove"/>.
    /// </summary>
    /// <exception cref="IOException">The kernel refused, for want of memory or watches.</exception>
    public ulong Add(int descriptor, Action callback)
    {
        ulong token = Interlocked.Increment(ref _lastToken);
        _callbacks[token] = callback;
        Linux.SyscallResult added = _poller.Add(descriptor, token);
        if (!added.IsSuccess)
        {
            _callbacks.TryRemove(token, out _);
            throw new IOException($"epoll: {ProcessErrno.Describe(added.Errno)}");
        }

        return token;
    }

    /// <summary>
    /// Must come before the descriptor is closed. A callback under way is not waited for.
    /// </summary>
    public void Remove(int descriptor, ulong token)
    {
        _callbacks.TryRemove(token, out _);
        _poller.Remove(descriptor);
    }

    /// <summary>
    /// Runs an action on the thread, soon. Dropped when the thread has been stopped.
    /// </summary>
    public void Post(Action action)
    {
        _mailbox.Enqueue(action);
        _poller.Wake();
    }

    /// <summary>Ends the thread after what it is doing and after what was posted before.</summary>
    public void Dispose()
    {
        if (_isStopped)
        {
            return;
        }

        _isStopped = true;
        _poller.Wake();
        _thread.Join();
        _poller.Dispose();
    }

    private void Run()
    {
        var tokens = new ulong[256];
        long nextTick = Environment.TickCount64 + _tickMs;
        while (true)
        {
            bool isLast = _isStopped;
            int wait = isLast ? 0 : (int)Math.Max(0, nextTick - Environment.TickCount64);
            int count = _poller.Wait(tokens, wait);
            foreach (ulong token in tokens.AsSpan(0, count))
            {
                if (_callbacks.TryGetValue(token, out Action? callback))
                {
                    Call(callback);
                }
            }

            if (count > 0 && _pauseMs > 0)
            {
                Thread.Sleep(_pauseMs);
            }

            while (_mailbox.TryDequeue(out Action? action))
            {
                Call(action);
            }

            if (isLast)
            {
                return;
            }

            if (Environment.TickCount64 >= nextTick)
            {
                nextTick = Environment.TickCount64 + _tickMs;
                Call(_tick);
            }
        }
    }

    /// <summary>One instance's trouble must not end the thread that serves all of them.</summary>
    private void Call(Action action)
    {
        try
        {
            action();
        }
        catch (Exception e)
        {
            _log($"{_thread.Name}: {e}");
        }
    }
}
