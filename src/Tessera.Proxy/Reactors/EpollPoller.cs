using Tessera.Linux;
using Tessera.Linux.Files;
using Tessera.Linux.Net;

namespace Tessera.Proxy.Reactors;

/// <summary>
/// <see cref="IPoller"/> over edge-triggered epoll(7). Each socket is registered once for both
/// directions; an operation is tried at once and waits for the next edge after EAGAIN. A short
/// read means that the socket is empty, so no second call is spent on finding that out.
/// </summary>
internal sealed class EpollPoller : IPoller
{
    private const uint AllEvents =
        Epoll.Readable | Epoll.Writable | Epoll.PeerClosed | Epoll.EdgeTriggered;

    private const uint ReadEvents =
        Epoll.Readable | Epoll.PeerClosed | Epoll.HangUp | Epoll.Error;

    private const uint WriteEvents = Epoll.Writable | Epoll.HangUp | Epoll.Error;

    private const int EventsPerWait = 512;

    /// <summary>Marks the eventfd among the registered descriptors.</summary>
    private const ulong WakeData = ulong.MaxValue;

    private readonly int _epoll;
    private readonly int _wake;
    private readonly BufferPool _buffers;
    private readonly EpollEvent[] _events = new EpollEvent[EventsPerWait];
    private IoHandle?[] _handles = new IoHandle?[1_024];
    private uint _generation;
    private int _eventCount;
    private int _eventIndex;

    public EpollPoller(BufferPool buffers)
    {
        _buffers = buffers;
        _epoll = Require(Epoll.Create(), "epoll_create1");
        _wake = Require(EventFd.Create(), "eventfd");
        Require(
            Epoll.Add(_epoll, _wake, Epoll.Readable | Epoll.EdgeTriggered, WakeData), "epoll_ctl");
    }

    public SyscallResult Add(IoHandle handle)
    {
        int descriptor = handle.Descriptor;
        if (descriptor >= _handles.Length)
        {
            Array.Resize(ref _handles, Math.Max(descriptor + 1, _handles.Length * 2));
        }

        handle.Generation = ++_generation;
        ulong data = ((ulong)handle.Generation << 32) | (uint)descriptor;
        SyscallResult result = Epoll.Add(_epoll, descriptor, AllEvents, data);
        if (result.IsSuccess)
        {
            _handles[descriptor] = handle;
        }

        return result;
    }

    public void Close(IoHandle handle)
    {
        int descriptor = handle.Descriptor;
        if (descriptor < 0)
        {
            return;
        }

        // Events of this socket that the last wait already took out find no handle, or one of
        // another generation when the number is in use again.
        handle.Descriptor = -1;
        _handles[descriptor] = null;
        SocketCalls.Close(descriptor);
    }

    public void Release(IoHandle handle)
    {
        Epoll.Remove(_epoll, handle.Descriptor);
        _handles[handle.Descriptor] = null;
        handle.Descriptor = -1;
    }

    public bool TryStart(IoOperation operation)
    {
        IoHandle handle = operation.Handle;
        bool isWrite = operation.Kind
            is IoKind.Send or IoKind.SendMore or IoKind.SendFile or IoKind.Connect;
        bool mayTry = isWrite
            ? handle.IsWritable
            : handle.IsReadable;
        return mayTry && Try(operation, out SyscallResult result) && Finish(operation, result);

        static bool Finish(IoOperation operation, SyscallResult result)
        {
            operation.CompleteAtOnce(result);
            return true;
        }
    }

    public void Abandon(IoOperation operation)
    {
        // Nothing to take back: readiness is remembered by the handle, not by the operation.
    }

    public void Wait(int timeoutMs)
    {
        SyscallResult result = Epoll.Wait(_epoll, _events, timeoutMs);
        _eventCount = Require(result, "epoll_wait");
        _eventIndex = 0;
    }

    public void Dispatch()
    {
        while (_eventIndex < _eventCount)
        {
            // Counted on first: after an exception the next call goes on behind the culprit.
            EpollEvent ready = _events[_eventIndex++];
            if (ready.Data == WakeData)
            {
                EventFd.Drain(_wake);
                continue;
            }

            IoHandle? handle = _handles[(int)(uint)ready.Data];
            if (handle is not null && handle.Generation == (uint)(ready.Data >> 32))
            {
                Dispatch(handle, ready.Events);
            }
        }
    }

    public void Wake() => EventFd.Signal(_wake);

    public void Dispose()
    {
        SocketCalls.Close(_wake);
        SocketCalls.Close(_epoll);
    }

    private static int Require(SyscallResult result, string call) =>
        result.IsSuccess
            ? result.IntValue
            : throw new InvalidOperationException($"{call}: {Errno.Describe(result.Errno)}");

    private void Dispatch(IoHandle handle, uint events)
    {
        Note(handle, events);
        if (handle.Read.IsPending && handle.IsReadable
            && Try(handle.Read, out SyscallResult received))
        {
            handle.Read.Complete(received);
        }

        if (handle.Write.IsPending && handle.IsWritable
            && Try(handle.Write, out SyscallResult sent))
        {
            handle.Write.Complete(sent);
        }

        if (handle.Watcher is not null)
        {
            handle.AlertWatcher();
        }
    }

    private static void Note(IoHandle handle, uint events)
    {
        if ((events & ReadEvents) != 0)
        {
            handle.IsReadable = true;
        }

        if ((events & WriteEvents) != 0)
        {
            handle.IsWritable = true;
        }

        if ((events & (Epoll.PeerClosed | Epoll.HangUp | Epoll.Error)) != 0)
        {
            handle.HasPeerClosed = true;
            handle.IsBroken |= (events & (Epoll.HangUp | Epoll.Error)) != 0;
        }
    }

    /// <summary>False when the operation has to wait for the next edge.</summary>
    private bool Try(IoOperation operation, out SyscallResult result)
    {
        switch (operation.Kind)
        {
            case IoKind.Receive:
                return TryReceive(operation.Handle, Destination(operation), out result);
            case IoKind.ReceiveRented:
                return TryReceiveRented(operation, out result);
            case IoKind.Send:
            case IoKind.SendMore:
                return TrySend(operation, out result);
            case IoKind.SendFile:
                return TrySendFile(operation, out result);
            case IoKind.Connect:
                return TryFinishConnect(operation.Handle, out result);
            case IoKind.Accept:
                return TryAccept(operation.Handle, out result);
            case IoKind.Readable:
                return TryPeek(operation.Handle, out result);
            default:
                throw new InvalidOperationException($"{operation.Kind} is not for a poller");
        }
    }

    private static Span<byte> Destination(IoOperation operation) =>
        operation.Buffer.AsSpan(operation.Offset, operation.Length);

    private static bool TryReceive(IoHandle handle, Span<byte> buffer, out SyscallResult result)
    {
        result = SocketCalls.Receive(handle.Descriptor, buffer);
        if (!result.IsSuccess)
        {
            handle.IsReadable = result.Errno != Errno.TryAgain;
            return handle.IsReadable;
        }

        // After the peer's end there is no further edge, so the socket stays readable.
        if (result.Value < buffer.Length && !handle.HasPeerClosed)
        {
            handle.IsReadable = false;
        }

        return true;
    }

    private bool TryReceiveRented(IoOperation operation, out SyscallResult result)
    {
        byte[] buffer = _buffers.Rent(operation.Offset + operation.Length);
        Span<byte> destination = buffer.AsSpan(operation.Offset, operation.Length);
        bool isDone = TryReceive(operation.Handle, destination, out result);
        if (isDone && result is { IsSuccess: true, Value: > 0 })
        {
            operation.Buffer = buffer;
        }
        else
        {
            _buffers.Return(buffer);
        }

        return isDone;
    }

    private static bool TrySend(IoOperation operation, out SyscallResult result)
    {
        IoHandle handle = operation.Handle;
        int start = operation.Offset + operation.Transferred;
        int left = operation.Length - operation.Transferred;
        Span<byte> bytes = operation.Buffer.AsSpan(start, left);
        result = operation.Kind == IoKind.Send
            ? SocketCalls.Send(handle.Descriptor, bytes)
            : SocketCalls.SendMore(handle.Descriptor, bytes);
        if (!result.IsSuccess)
        {
            handle.IsWritable = result.Errno != Errno.TryAgain;
            return handle.IsWritable;
        }

        operation.Transferred += result.IntValue;
        if (operation.Transferred < operation.Length)
        {
            // A full socket: its next edge comes when there is room. The deadline is for silence,
            // and this was progress.
            handle.IsWritable = false;
            operation.ExtendDeadline();
            return false;
        }

        result = SyscallResult.Success(operation.Length);
        return true;
    }

    /// <summary>
    /// A count that is short means a full socket or the end of the file: only the next call tells
    /// which, and only for a full socket there will be an edge.
    /// </summary>
    private static bool TrySendFile(IoOperation operation, out SyscallResult result)
    {
        IoHandle handle = operation.Handle;
        int before = operation.Transferred;
        while (operation.Transferred < operation.Length)
        {
            result = FileCalls.Send(
                handle.Descriptor,
                operation.File,
                operation.FileOffset + operation.Transferred,
                operation.Length - operation.Transferred);
            if (result.Errno == Errno.TryAgain)
            {
                handle.IsWritable = false;
                if (operation.Transferred > before)
                {
                    operation.ExtendDeadline();
                }

                return false;
            }

            if (!result.IsSuccess)
            {
                return true;
            }

            if (result.Value == 0)
            {
                break;
            }

            operation.Transferred += result.IntValue;
        }

        result = SyscallResult.Success(operation.Transferred);
        return true;
    }

    private static bool TryFinishConnect(IoHandle handle, out SyscallResult result)
    {
        int error = SocketCalls.TakeError(handle.Descriptor);
        result = error == 0 ? SyscallResult.Success(0) : SyscallResult.Failure(error);
        return true;
    }

    private static bool TryPeek(IoHandle handle, out SyscallResult result)
    {
        Span<byte> first = stackalloc byte[1];
        result = SocketCalls.Peek(handle.Descriptor, first);
        handle.IsReadable = result.Errno != Errno.TryAgain;
        return handle.IsReadable;
    }

    private static bool TryAccept(IoHandle handle, out SyscallResult result)
    {
        result = SocketCalls.Accept(handle.Descriptor, out handle.AcceptedPeer);
        handle.IsReadable = result.Errno != Errno.TryAgain;
        return handle.IsReadable;
    }
}
