using System.Runtime.CompilerServices;
using Tessera.Linux;
using Tessera.Linux.Net;

namespace Tessera.Proxy.Reactors;

/// <summary>What an <see cref="IoOperation"/> asks of the poller.</summary>
internal enum IoKind : byte
{
    /// <summary>
    /// No socket: completed by <see cref="Reactor.Schedule"/> or by its deadline.
    /// </summary>
    Wait,

    /// <summary>Bytes into the given buffer; 0 is the end of the stream.</summary>
    Receive,

    /// <summary>
    /// Bytes into a buffer that is rented when there is something to receive, so that a silent
    /// connection owns none. The receiver returns it.
    /// </summary>
    ReceiveRented,

    /// <summary>All of the given bytes.</summary>
    Send,

    /// <summary>As <see cref="Send"/>, while more is about to follow at once.</summary>
    SendMore,

    /// <summary>
    /// Bytes of <see cref="IoOperation.File"/>; fewer than asked for when the file ends before.
    /// </summary>
    SendFile,

    /// <summary>Bytes into <see cref="IoOperation.Pipe"/>; 0 is the end of the stream.</summary>
    FillPipe,

    /// <summary>All of the given bytes, out of <see cref="IoOperation.Pipe"/>.</summary>
    DrainPipe,

    /// <summary>Outcome of a connect that was begun.</summary>
    Connect,

    /// <summary>One connection of a listening socket; the value is its descriptor.</summary>
    Accept,

    /// <summary>
    /// Until there is something to receive, which stays in the socket: 1 when it is bytes, 0 when
    /// it is the end of the stream.
    /// </summary>
    Readable,
}

/// <summary>
/// One operation at a time on one direction of a socket, used again and again: awaiting it
/// allocates nothing. It is started through its <see cref="Reactor"/>; the awaiting code resumes on
/// that reactor's thread, which is the only one that may touch it.
/// </summary>
internal sealed class IoOperation : TimerEntry
{
    private readonly Reactor _reactor;
    private Action? _continuation;
    private State _state;
    private int _timeoutMs;

    /// <summary>A look was taken at how slow this send is.</summary>
    private bool _isSlow;

    public IoOperation(Reactor reactor, IoHandle? handle)
    {
        _reactor = reactor;
        Handle = handle!;
    }

    private enum State : byte
    {
        Completed,

        /// <summary>The poller, the deadline or a cancellation completes it.</summary>
        Pending,

        /// <summary>Its result is known and it waits for the end of the reactor's turn.</summary>
        Scheduled,
    }

    /// <summary>The socket; null for <see cref="IoKind.Wait"/>.</summary>
    internal IoHandle Handle { get; private set; }

    internal IoKind Kind { get; private set; }

    /// <summary>
    /// What to receive into or send from; after a rented receive, the receiver's own.
    /// </summary>
    internal byte[] Buffer { get; set; } = [];

    internal int Offset { get; private set; }

    internal int Length { get; set; }

    /// <summary>Descriptor to send from; for <see cref="IoKind.SendFile"/>.</summary>
    internal int File { get; set; }

    /// <summary>Where in <see cref="File"/> to begin.</summary>
    internal long FileOffset { get; set; }

    /// <summary>
    /// For <see cref="IoKind.FillPipe"/> and <see cref="IoKind.DrainPipe"/>.
    /// </summary>
    internal SplicePipe? Pipe { get; set; }

    /// <summary>
    /// Bytes of a send that the kernel has taken; meaningful after a failure as well.
    /// </summary>
    internal int Transferred { get; set; }

    /// <summary>
    /// The poller's own: the number of the transfer that carries it out, -1 for none.
    /// </summary>
    internal int Transfer { get; set; } = -1;

    internal bool IsSend =>
        Kind is IoKind.Send or IoKind.SendMore or IoKind.SendFile or IoKind.DrainPipe;

    /// <summary>Who connected; for <see cref="IoKind.Accept"/>.</summary>
    internal InternetAddress AcceptedPeer;

    /// <summary>
    /// Bytes of all operations since it was its handle's: received in the read direction, sent in
    /// the other.
    /// </summary>
    internal long TotalBytes { get; private set; }

    internal bool IsPending => _state == State.Pending;

    internal bool IsScheduled => _state == State.Scheduled;

    internal bool IsCompleted => _state == State.Completed;

    /// <summary>Bytes, descriptor or 0, else the errno; ETIMEDOUT after the deadline.</summary>
    internal SyscallResult Result { get; private set; }

    public IoAwaiter GetAwaiter() => new(this);

    /// <summary>From now on it is an operation of another socket.</summary>
    internal void MoveTo(IoHandle handle)
    {
        Handle = handle;
        Pipe = null;
        TotalBytes = 0;
    }

    /// <summary>Sets the deadline of an operation in progress; 0 is none.</summary>
    internal void ExpireAfter(int timeoutMs)
    {
        _timeoutMs = HasFloor ? Math.Min(timeoutMs, Handle.SendFloor!.CheckMs) : timeoutMs;
        Arm();
    }

    /// <summary>
    /// The time begins anew, unless it is looked at from time to time how far a send has come.
    /// </summary>
    internal void ExtendDeadline()
    {
        if (!HasFloor)
        {
            Arm();
        }
    }

    /// <summary>
    /// Ends an operation in progress with ECANCELED, at the end of the reactor's turn.
    /// </summary>
    internal void Cancel()
    {
        if (_state == State.Pending)
        {
            _reactor.Poller.Abandon(this);
            _reactor.Schedule(this, SyscallResult.Failure(Errno.Canceled));
        }
    }

    /// <summary>The rented buffer is the receiver's now.</summary>
    internal void ForgetBuffer() => Buffer = [];

    /// <summary>Sets what is asked for. The operation must not be in progress.</summary>
    internal void Begin(IoKind kind, byte[] buffer, int offset, int length)
    {
        if (_state != State.Completed)
        {
            throw new InvalidOperationException($"{Kind} is still in progress");
        }

        _state = State.Pending;
        Kind = kind;
        Buffer = buffer;
        Offset = offset;
        Length = length;
        Transferred = 0;
        _timeoutMs = 0;
        _isSlow = false;
    }

    /// <summary>Completed within its start, before anyone could await it.</summary>
    internal void CompleteAtOnce(SyscallResult result)
    {
        Result = result;
        _state = State.Completed;
        Count(result);
    }

    /// <summary>Completes and resumes the awaiting code within this call.</summary>
    internal void Complete(SyscallResult result)
    {
        Result = result;
        _state = State.Completed;
        Count(result);
        TimerWheel.Disarm(this);
        Action? continuation = _continuation;
        _continuation = null;
        continuation?.Invoke();
    }

    /// <summary>Fixes the result; <see cref="Complete"/> follows at the end of the turn.</summary>
    internal void MarkScheduled(SyscallResult result)
    {
        Result = result;
        _state = State.Scheduled;
        TimerWheel.Disarm(this);
    }

    /// <summary>
    /// Takes back an operation that nothing awaits but a callback: it will not be called.
    /// </summary>
    internal void Withdraw()
    {
        _state = State.Completed;
        _continuation = null;
        TimerWheel.Disarm(this);
    }

    internal void OnCompleted(Action continuation) => _continuation = continuation;

    /// <summary>Bytes that were carried without an operation, as datagrams are.</summary>
    internal void Count(long bytes) => TotalBytes += bytes;

    private void Count(SyscallResult result) =>
        TotalBytes += Kind is IoKind.Receive or IoKind.ReceiveRented or IoKind.FillPipe
            ? result.IsSuccess ? result.Value : 0
            : Transferred;

    protected internal override void Expire()
    {
        if (_state == State.Pending && !MayGoOn())
        {
            _reactor.Poller.Abandon(this);
            Complete(SyscallResult.Failure(Errno.TimedOut));
        }
    }

    private bool HasFloor => IsSend && Handle.SendFloor is not null;

    private void Arm()
    {
        if (_timeoutMs > 0)
        {
            _reactor.Timers.Arm(this, _reactor.NowMs + _timeoutMs);
        }
    }

    /// <summary>A send that is slow, but not too slow, gets more time.</summary>
    private bool MayGoOn()
    {
        if (!HasFloor)
        {
            return false;
        }

        SendFloor floor = Handle.SendFloor!;
        SendProgress progress = Handle.SendProgress ??= new SendProgress();
        if (!_isSlow)
        {
            progress.CheckedMs = SendProgress.Never;
            _isSlow = true;
        }

        if (!floor.Allows(
            progress, Handle.Descriptor, Transferred, Length - Transferred, _reactor.NowMs))
        {
            return false;
        }

        ExpireAfter((int)Math.Min(progress.CreditMs, floor.CheckMs));
        return true;
    }
}

/// <summary>Awaits an <see cref="IoOperation"/>.</summary>
internal readonly struct IoAwaiter : ICriticalNotifyCompletion
{
    private readonly IoOperation _operation;

    public IoAwaiter(IoOperation operation) => _operation = operation;

    public bool IsCompleted => _operation.IsCompleted;

    public SyscallResult GetResult() => _operation.Result;

    public void OnCompleted(Action continuation) => _operation.OnCompleted(continuation);

    public void UnsafeOnCompleted(Action continuation) => _operation.OnCompleted(continuation);
}
