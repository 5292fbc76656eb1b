using System.Collections.Concurrent;
using System.Diagnostics;
using Tessera.Linux;

namespace Tessera.Proxy.Reactors;

/// <summary>
/// One thread that waits for its sockets, completes their operations, expires deadlines and runs
/// what other threads posted. Everything that belongs to it is touched by this thread alone; other
/// threads may only call <see cref="Post"/> and <see cref="Stop"/>.
/// </summary>
internal sealed class Reactor : IDisposable
{
    /// <summary>More are left to the garbage collector.</summary>
    private const int MaxSpareOperations = 1_024;

    private static readonly long TicksPerMs = Stopwatch.Frequency / 1_000;

    private readonly ConcurrentQueue<Action> _mailbox = new();
    private readonly Queue<IoOperation> _scheduled = new();
    private readonly Queue<Action> _endings = new();
    private readonly Stack<IoOperation> _spareOperations = new();
    private readonly Action<Exception> _onFault;
    private readonly BusyPolling _busyPolling;
    private readonly Thread _thread;
    private readonly long _startTicks;
    private long _idleTicks;
    private long _waitingSince;
    private long _toldBusyTicks;
    private int _hasMail;
    private volatile bool _isStopping;

    /// <param name="poller">Owned: disposed with the reactor.</param>
    /// <param name="mayAsk">
    /// Whether it may ask again for a moment before it sleeps (<see cref="BusyPolling"/>).
    /// </param>
    /// <param name="onFault">Told of exceptions that code on this reactor let escape: bugs.</param>
    public Reactor(
        string name, IPoller poller, BufferPool buffers, bool mayAsk, Action<Exception> onFault)
    {
        _busyPolling = new BusyPolling(mayAsk, TimeProvider.System);
        Poller = poller;
        Buffers = buffers;
        _onFault = onFault;
        _startTicks = Stopwatch.GetTimestamp();
        NowMs = _startTicks / TicksPerMs;
        Timers = new TimerWheel(NowMs);
        _thread = new Thread(Run) { Name = name, IsBackground = true };
    }

    public IPoller Poller { get; }

    public BufferPool Buffers { get; }

    public TimerWheel Timers { get; }

    /// <summary>
    /// Milliseconds on a clock that never goes back, as of the beginning of this turn.
    /// </summary>
    public long NowMs { get; private set; }

    /// <summary>How often the reactor has waited and gone on.</summary>
    public long Turns { get; private set; }

    /// <summary>Time spent asking again instead of sleeping; any thread.</summary>
    public long AskedTicks => _busyPolling.AskedTicks;

    public bool IsCurrentThread => Thread.CurrentThread == _thread;

    /// <summary>What <see cref="NowMs"/> counts, read anew. Any thread.</summary>
    public static long ClockMs() =>
        Stopwatch.GetTimestamp() / TicksPerMs;

    /// <summary>
    /// Time spent with more than waiting, on <see cref="Stopwatch"/>; never less than what was told
    /// before. Any thread.
    /// </summary>
    public long ReadBusyTicks()
    {
        long now = Stopwatch.GetTimestamp();
        long since = Volatile.Read(ref _waitingSince);
        long waiting = since == 0 ? 0 : Math.Max(0, now - since);
        long busy = now - _startTicks - Volatile.Read(ref _idleTicks) - waiting;
        long told = Volatile.Read(ref _toldBusyTicks);
        while (busy > told)
        {
            long seen = Interlocked.CompareExchange(ref _toldBusyTicks, busy, told);
            if (seen == told)
            {
                return busy;
            }

            told = seen;
        }

        return told;
    }

    public void Start() => _thread.Start();

    /// <summary>
    /// Runs <paramref name="action"/> on the reactor, after everything posted before. Any thread.
    /// </summary>
    public void Post(Action action)
    {
        _mailbox.Enqueue(action);
        if (Interlocked.Exchange(ref _hasMail, 1) == 0)
        {
            Poller.Wake();
        }
    }

    /// <summary>Runs <paramref name="action"/> when this turn ends. On the reactor only.</summary>
    public void PostToTurnsEnd(Action action) => _endings.Enqueue(action);

    /// <summary>
    /// Ends the thread after its current turn and waits for it. Any other thread.
    /// </summary>
    public void Stop()
    {
        _isStopping = true;
        Poller.Wake();
        if (_thread.IsAlive)
        {
            _thread.Join();
        }
    }

    public void Dispose()
    {
        Stop();
        Poller.Dispose();
    }

    /// <summary>
    /// Starts an operation; with <paramref name="timeoutMs"/> 0 it has no deadline.
    /// </summary>
    public IoOperation Start(
        IoOperation operation, IoKind kind, byte[] buffer, int offset, int length, int timeoutMs)
    {
        operation.Begin(kind, buffer, offset, length);
        if (kind == IoKind.Wait || !Poller.TryStart(operation))
        {
            operation.ExpireAfter(timeoutMs);
        }

        return operation;
    }

    /// <summary>
    /// Completes an operation in progress at the end of this turn, so that code which resumes never
    /// runs inside of the code which resumed it.
    /// </summary>
    public void Schedule(IoOperation operation, SyscallResult result)
    {
        operation.MarkScheduled(result);
        _scheduled.Enqueue(operation);
    }

    /// <summary>
    /// Lets everything else that is ready have its turn first. For loops whose operations may all
    /// finish at once; <paramref name="operation"/> must be free.
    /// </summary>
    public IoOperation Yield(IoOperation operation)
    {
        operation.Begin(IoKind.Wait, [], 0, 0);
        Schedule(operation, SyscallResult.Success(0));
        return operation;
    }

    /// <summary>An operation of <paramref name="handle"/>; see <see cref="Return"/>.</summary>
    public IoOperation RentOperation(IoHandle handle)
    {
        if (!_spareOperations.TryPop(out IoOperation? operation))
        {
            return new IoOperation(this, handle);
        }

        operation.MoveTo(handle);
        return operation;
    }

    /// <summary>Takes an operation for other sockets, unless it is in progress.</summary>
    public void Return(ref IoOperation? operation)
    {
        if (operation is { IsCompleted: true } spare
            && _spareOperations.Count < MaxSpareOperations)
        {
            _spareOperations.Push(spare);
            operation = null;
        }
    }

    /// <summary>
    /// Reports a bug; whatever it struck is given up by the caller, the reactor goes on.
    /// </summary>
    public void ReportFault(Exception exception) => _onFault(exception);

    /// <summary>Posts whose flag has fallen may be left when one of them threw.</summary>
    private bool HasMail => Volatile.Read(ref _hasMail) != 0 || !_mailbox.IsEmpty;

    private void Run()
    {
        while (!_isStopping)
        {
            try
            {
                Turn();
            }
            catch (Exception exception)
            {
                // One connection's bug: the next turn goes on behind it, in every queue.
                Volatile.Write(ref _hasMail, 1);
                _onFault(exception);
            }
        }
    }

    private void Turn()
    {
        // (1) What an exception kept from being completed in the last turn, if one did.
        Poller.Dispatch();
        Timers.Advance(NowMs);

        // (2) Wait, unless something is known to be due.
        if (_scheduled.Count > 0 || _endings.Count > 0 || HasMail || Poller.HasWork)
        {
            Poller.Wait(0);
        }
        else
        {
            Volatile.Write(ref _waitingSince, Stopwatch.GetTimestamp());
            long waited = _busyPolling.Wait(Poller, Timers.DelayMs(NowMs));
            Volatile.Write(ref _idleTicks, _idleTicks + waited);
            Volatile.Write(ref _waitingSince, 0);
        }

        NowMs = ClockMs();
        Turns++;

        // (3) Complete what became possible, expire what is due.
        Poller.Dispatch();
        Timers.Advance(NowMs);

        // (4) Post from other threads. The flag falls first: whoever posts later wakes again.
        if (HasMail)
        {
            Interlocked.Exchange(ref _hasMail, 0);
            while (_mailbox.TryDequeue(out Action? action))
            {
                action();
            }
        }

        // (5) What this turn scheduled; what that schedules belongs to the next turn.
        for (int count = _scheduled.Count; count > 0; count--)
        {
            IoOperation operation = _scheduled.Dequeue();
            if (operation.IsScheduled)
            {
                operation.Complete(operation.Result);
            }
        }

        // (6) What rests until all of that is done.
        while (_endings.TryDequeue(out Action? ending))
        {
            ending();
        }
    }
}
