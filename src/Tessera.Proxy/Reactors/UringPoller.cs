using System.Runtime.InteropServices;
using Tessera.Linux;
using Tessera.Linux.Net;

namespace Tessera.Proxy.Reactors;

/// <summary>
/// <see cref="IPoller"/> over io_uring(7). Each socket is watched once, by a poll that reports
/// every change, so that readiness, the peer's end and resets are known as with epoll; receives
/// and sends are written into the ring and carried out together, with the wait, in one system call
/// a turn.
/// </summary>
/// <remarks>
/// No transfer outlives that call: it is made not to wait, and one that could not be carried out
/// waits for the poll. So the kernel never holds a buffer while code of the reactor runs, an
/// operation can be given up at any time, and a silent connection owns no buffer.
/// </remarks>
internal sealed unsafe class UringPoller : IPoller
{
    private const uint AllEvents =
        Epoll.Readable | Epoll.Writable | Epoll.PeerClosed | Epoll.EdgeTriggered;

    private const int MaxRequests = 1_024;
    private const int MaxCompletions = 8_192;

    /// <summary>Transfers of one turn; more are carried out one by one.</summary>
    private const int MaxTransfers = 512;

    // What a completion belongs to, in the uppermost byte of its data.
    private const ulong NobodyData = 0;
    private const ulong WakeData = 1UL << 56;
    private const ulong WatchData = 2UL << 56;
    private const ulong TransferData = 3UL << 56;
    private const ulong KindMask = 0xFFUL << 56;
    private const uint GenerationMask = 0xFFFFFF;

    private readonly IoUring _ring;
    private readonly int _wake;
    private readonly BufferPool _buffers;
    private readonly Transfer[] _transfers = new Transfer[MaxTransfers];
    private readonly Stack<int> _freeTransfers = new(MaxTransfers);
    private readonly List<Finished> _finished = [];
    private readonly List<IoHandle> _alerts = [];
    private readonly NewWork _newWork = new();
    private readonly Queue<IoHandle> _sleepers = new();
    private IoHandle?[] _handles = new IoHandle?[1_024];
    private uint _generation;
    private int _nextFinished;

    private UringPoller(IoUring ring, int wake, BufferPool buffers)
    {
        _ring = ring;
        _wake = wake;
        _buffers = buffers;
        for (int i = MaxTransfers - 1; i >= 0; i--)
        {
            _transfers[i].Pin = GCHandle.Alloc(null, GCHandleType.Pinned);
            _freeTransfers.Push(i);
        }

        _ring.TryWatch(_wake, Epoll.Readable | Epoll.EdgeTriggered, WakeData);
    }

    /// <summary>Fails where the kernel is too old for it or does not allow it.</summary>
    public static SyscallResult TryCreate(BufferPool buffers, out UringPoller? poller)
    {
        poller = null;
        SyscallResult created = IoUring.TryCreate(MaxRequests, MaxCompletions, out IoUring? ring);
        if (!created.IsSuccess)
        {
            return created;
        }

        SyscallResult wake = EventFd.Create();
        if (!wake.IsSuccess)
        {
            ring!.Dispose();
            return wake;
        }

        poller = new UringPoller(ring!, wake.IntValue, buffers);
        return SyscallResult.Success(0);
    }

    public SyscallResult Add(IoHandle handle)
    {
        int descriptor = handle.Descriptor;
        if (descriptor >= _handles.Length)
        {
            Array.Resize(ref _handles, Math.Max(descriptor + 1, _handles.Length * 2));
        }

        _generation = (_generation + 1) & GenerationMask;
        handle.Generation = _generation;
        if (!TryWatch(handle))
        {
            return SyscallResult.Failure(Errno.Busy);
        }

        _handles[descriptor] = handle;
        return SyscallResult.Success(0);
    }

    public void Close(IoHandle handle)
    {
        int descriptor = handle.Descriptor;
        if (descriptor < 0)
        {
            return;
        }

        bool isListener = handle.CurrentRead is { Kind: IoKind.Accept };
        Forget(handle);
        SocketCalls.Close(descriptor);
        if (isListener)
        {
            // Its address is free only when the watch is gone too; a connection ends at the end of
            // the turn.
            _ring.Enter(0, 0);
        }
    }

    public void Release(IoHandle handle)
    {
        Forget(handle);
        _ring.Enter(0, 0);
    }

    public bool TryStart(IoOperation operation)
    {
        IoHandle handle = operation.Handle;
        operation.Transfer = -1;
        bool mayTry = ReadyIo.IsWrite(operation) ? handle.IsWritable : handle.IsReadable;
        if (!mayTry || TryQueue(operation)
            || !ReadyIo.Try(operation, _buffers, out SyscallResult result))
        {
            return false;
        }

        operation.CompleteAtOnce(result);
        return true;
    }

    public void Abandon(IoOperation operation)
    {
        if (operation.Transfer >= 0)
        {
            Annul(operation);
        }
    }

    public bool HasWork =>
        !_newWork.IsEmpty || _finished.Count > 0 || _freeTransfers.Count < MaxTransfers;

    public bool Wait(int timeoutMs)
    {
        SyscallResult entered = _ring.Enter(1, _newWork.IsEmpty ? timeoutMs : 0);
        _newWork.BeginTurn();
        if (!entered.IsSuccess)
        {
            throw new InvalidOperationException(
                $"io_uring_enter: {Errno.Describe(entered.Errno)}");
        }

        return _ring.HasCompletions || !_newWork.IsEmpty || _finished.Count > 0;
    }

    public void Dispatch()
    {
        // (1) All results first: code that resumes may give up operations that are already done,
        // and what they received must not be lost with them. Until they complete they are
        // scheduled, which nothing but their own completion ends.
        while (_ring.TryTake(out Completion completion))
        {
            Take(completion);
        }

        while (_newWork.TryTake(out IoHandle? handle))
        {
            GoOn(handle);
        }

        foreach (IoHandle handle in _alerts)
        {
            handle.AlertWatcher();
        }

        _alerts.Clear();

        // (2) Counted on first: after an exception the next call goes on behind the culprit.
        while (_nextFinished < _finished.Count)
        {
            (IoOperation operation, byte[]? rented) = _finished[_nextFinished++];
            if (operation.IsScheduled)
            {
                operation.Complete(operation.Result);
            }
            else if (rented is not null)
            {
                _buffers.Return(rented);
            }
        }

        _finished.Clear();
        _nextFinished = 0;
        while (_sleepers.TryDequeue(out IoHandle? handle))
        {
            handle.WakeSleeper();
        }
    }

    public void Wake() => EventFd.Signal(_wake);

    public void Dispose()
    {
        _ring.Dispose();
        SocketCalls.Close(_wake);
        foreach (Transfer transfer in _transfers)
        {
            transfer.Pin.Free();
        }
    }

    private static ulong WatchDataOf(IoHandle handle, int descriptor) =>
        WatchData | ((ulong)handle.Generation << 32) | (uint)descriptor;

    private bool TryWatch(IoHandle handle)
    {
        ulong data = WatchDataOf(handle, handle.Descriptor);
        return _ring.TryWatch(handle.Descriptor, AllEvents, data)
            || (MakeRoom() && _ring.TryWatch(handle.Descriptor, AllEvents, data));
    }

    /// <summary>What was written so far is carried out now.</summary>
    private bool MakeRoom() => _ring.Enter(0, 0).IsSuccess;

    /// <summary>
    /// The watch holds the socket open: it has to end as well for the peer to learn of the close.
    /// </summary>
    private void Forget(IoHandle handle)
    {
        if (handle.CurrentRead is { } read)
        {
            Abandon(read);
        }

        if (handle.CurrentWrite is { } write)
        {
            Abandon(write);
        }

        ulong data = WatchDataOf(handle, handle.Descriptor);
        if (!_ring.TryUnwatch(data) && MakeRoom())
        {
            _ring.TryUnwatch(data);
        }

        _handles[handle.Descriptor] = null;
        handle.Descriptor = -1;
    }

    /// <summary>False when it is of a kind, or there are too many, to be queued.</summary>
    private bool TryQueue(IoOperation operation)
    {
        bool isRented = operation.Kind == IoKind.ReceiveRented;
        bool isSend = operation.Kind == IoKind.Send;
        if ((!isRented && !isSend && operation.Kind != IoKind.Receive)
            || !_freeTransfers.TryPop(out int number))
        {
            return false;
        }

        byte[] buffer = isRented
            ? _buffers.Rent(operation.Offset + operation.Length)
            : operation.Buffer;
        ref Transfer transfer = ref _transfers[number];
        transfer.Operation = operation;
        transfer.Rented = isRented ? buffer : null;
        transfer.Pin.Target = buffer;
        operation.Transfer = number;
        if (TryWrite(operation, number, buffer) || (MakeRoom()
            && TryWrite(operation, number, buffer)))
        {
            return true;
        }

        Free(number);
        return false;
    }

    private bool TryWrite(IoOperation operation, int number, byte[] buffer)
    {
        ref Transfer transfer = ref _transfers[number];
        byte* start = (byte*)transfer.Pin.AddrOfPinnedObject() + operation.Offset;
        int descriptor = operation.Handle.Descriptor;
        ulong data = TransferData | (uint)number;
        if (operation.Kind != IoKind.Send)
        {
            return _ring.TryReceive(
                descriptor, start, operation.Length, data, out transfer.Ticket);
        }

        int sent = operation.Transferred;
        return _ring.TrySend(
            descriptor, start + sent, operation.Length - sent, data, out transfer.Ticket);
    }

    private void Annul(IoOperation operation)
    {
        int number = operation.Transfer;
        ref Transfer transfer = ref _transfers[number];
        operation.Transfer = -1;
        if (_ring.Annul(transfer.Ticket, NobodyData))
        {
            Free(number);
            return;
        }

        // It has been carried out, and its completion is still to come: only when there are more
        // completions than the ring holds.
        transfer.Operation = null;
        transfer.Orphan = operation.Handle;
    }

    private void Free(int number)
    {
        ref Transfer transfer = ref _transfers[number];
        if (transfer.Rented is { } rented)
        {
            _buffers.Return(rented);
        }

        if (transfer.Operation is { } operation)
        {
            operation.Transfer = -1;
        }

        transfer.Operation = null;
        transfer.Orphan = null;
        transfer.Rented = null;
        transfer.Pin.Target = null;
        _freeTransfers.Push(number);
    }

    private void Take(in Completion completion)
    {
        switch (completion.Data & KindMask)
        {
            case WatchData:
                TakeEvents(completion);
                break;
            case TransferData:
                TakeTransfer((int)(uint)completion.Data, completion.Result);
                break;
            case WakeData:
                EventFd.Drain(_wake);
                if (!completion.HasMore)
                {
                    _ring.TryWatch(_wake, Epoll.Readable | Epoll.EdgeTriggered, WakeData);
                }

                break;
        }
    }

    private void TakeEvents(in Completion completion)
    {
        IoHandle? handle = _handles[(int)(uint)completion.Data];
        uint generation = (uint)(completion.Data >> 32) & GenerationMask;
        if (handle is null || handle.Generation != generation)
        {
            return;
        }

        ReadyIo.Note(handle, completion.Result < 0 ? Epoll.Error : (uint)completion.Result);
        if (!completion.HasMore && completion.Result >= 0)
        {
            // The kernel gave the watch up, for want of memory or of room for completions.
            TryWatch(handle);
        }

        if (handle.BringsWork)
        {
            _newWork.Add(handle);
        }
        else
        {
            GoOn(handle);
        }
    }

    private void GoOn(IoHandle handle)
    {
        if (handle.Sleeper is not null)
        {
            _sleepers.Enqueue(handle);
            return;
        }

        if (handle is { IsReadable: true, CurrentRead: { IsPending: true } read })
        {
            GoOn(read);
        }

        if (handle is { IsWritable: true, CurrentWrite: { IsPending: true } write })
        {
            GoOn(write);
        }

        if (handle.Watcher is not null)
        {
            _alerts.Add(handle);
        }
    }

    /// <summary>The socket of an operation in progress has become ready.</summary>
    private void GoOn(IoOperation operation)
    {
        if (operation.Transfer < 0 && !TryQueue(operation)
            && ReadyIo.Try(operation, _buffers, out SyscallResult result))
        {
            Finish(operation, result, null);
        }
    }

    private void TakeTransfer(int number, int value)
    {
        ref Transfer transfer = ref _transfers[number];
        IoOperation? operation = transfer.Operation;
        SyscallResult result = value >= 0
            ? SyscallResult.Success(value)
            : SyscallResult.Failure(-value);
        if (operation is null || !operation.IsPending)
        {
            // Bytes that nobody will read: the connection must not go on without them.
            if ((transfer.Orphan ?? operation?.Handle) is { Descriptor: >= 0 } orphan && value > 0)
            {
                SocketCalls.ShutdownBoth(orphan.Descriptor);
            }

            Free(number);
            return;
        }

        byte[]? rented = transfer.Rented;
        bool isKept = rented is not null && value > 0;
        transfer.Rented = isKept ? null : rented;
        Free(number);
        if (operation.Kind == IoKind.Send
            ? ReadyIo.NoteSent(operation, ref result)
            : ReadyIo.NoteReceived(operation.Handle, operation.Length, result))
        {
            if (isKept)
            {
                operation.Buffer = rented!;
            }

            Finish(operation, result, isKept ? rented : null);
        }
    }

    private void Finish(IoOperation operation, SyscallResult result, byte[]? rented)
    {
        operation.MarkScheduled(result);
        _finished.Add(new Finished(operation, rented));
    }

    /// <summary>One receive or send between its start and its completion.</summary>
    private struct Transfer
    {
        public IoOperation? Operation;

        /// <summary>The socket of an operation that was given up too late.</summary>
        public IoHandle? Orphan;

        public byte[]? Rented;
        public GCHandle Pin;
        public uint Ticket;
    }

    private readonly record struct Finished(IoOperation Operation, byte[]? Rented);
}
