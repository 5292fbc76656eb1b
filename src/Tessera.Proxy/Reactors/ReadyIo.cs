using Tessera.Linux;
using Tessera.Linux.Files;
using Tessera.Linux.Net;

namespace Tessera.Proxy.Reactors;

/// <summary>
/// Operations on sockets that are believed to be ready, each by its own system call; and what the
/// outcome says about the next one. A short read means that the socket is empty, so no second call
/// is spent on finding that out. For the reactor that owns the socket.
/// </summary>
internal static class ReadyIo
{
    private const uint ReadEvents =
        Epoll.Readable | Epoll.PeerClosed | Epoll.HangUp | Epoll.Error;

    private const uint WriteEvents = Epoll.Writable | Epoll.HangUp | Epoll.Error;

    /// <summary>The operation waits for room to write, not for something to read.</summary>
    public static bool IsWrite(IoOperation operation) =>
        operation.IsSend || operation.Kind == IoKind.Connect;

    /// <summary>Remembers what epoll(7) or io_uring(7) reported of a socket.</summary>
    public static void Note(IoHandle handle, uint events)
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
    /// <param name="buffers">Rented receives take theirs from here.</param>
    public static bool Try(
        IoOperation operation, BufferPool buffers, out SyscallResult result)
    {
        switch (operation.Kind)
        {
            case IoKind.Receive:
                return TryReceive(operation.Handle, Destination(operation), out result);
            case IoKind.ReceiveRented:
                return TryReceiveRented(operation, buffers, out result);
            case IoKind.Send:
            case IoKind.SendMore:
                return TrySend(operation, out result);
            case IoKind.SendFile:
                return TrySendFile(operation, out result);
            case IoKind.FillPipe:
                return TryFill(operation, out result);
            case IoKind.DrainPipe:
                return TryDrain(operation, out result);
            case IoKind.Connect:
                return TryFinishConnect(operation.Handle, out result);
            case IoKind.Accept:
                return TryAccept(operation, out result);
            case IoKind.Readable:
                return TryPeek(operation.Handle, out result);
            default:
                throw new InvalidOperationException($"{operation.Kind} is not for a poller");
        }
    }

    private static Span<byte> Destination(IoOperation operation) =>
        operation.Buffer.AsSpan(operation.Offset, operation.Length);

    /// <summary>
    /// What a receive says about the socket; false when it has to wait for the next edge.
    /// </summary>
    /// <param name="length">Asked for.</param>
    public static bool NoteReceived(IoHandle handle, int length, SyscallResult result)
    {
        if (!result.IsSuccess)
        {
            handle.IsReadable = result.Errno != Errno.TryAgain;
            return handle.IsReadable;
        }

        // After the peer's end there is no further edge, so the socket stays readable.
        if (result.Value < length && !handle.HasPeerClosed && !handle.KeepsBoundaries)
        {
            handle.IsReadable = false;
        }

        return true;
    }

    /// <summary>
    /// What a send says about the socket; false when it, or the rest of it, has to wait for the
    /// next edge. The result becomes that of the whole operation.
    /// </summary>
    public static bool NoteSent(IoOperation operation, ref SyscallResult result)
    {
        IoHandle handle = operation.Handle;
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

    private static bool TryReceive(IoHandle handle, Span<byte> buffer, out SyscallResult result)
    {
        result = SocketCalls.Receive(handle.Descriptor, buffer);
        return NoteReceived(handle, buffer.Length, result);
    }

    private static bool TryReceiveRented(
        IoOperation operation, BufferPool buffers, out SyscallResult result)
    {
        byte[] buffer = buffers.Rent(operation.Offset + operation.Length);
        Span<byte> destination = buffer.AsSpan(operation.Offset, operation.Length);
        bool isDone = TryReceive(operation.Handle, destination, out result);
        if (isDone && result is { IsSuccess: true, Value: > 0 })
        {
            operation.Buffer = buffer;
        }
        else
        {
            buffers.Return(buffer);
        }

        return isDone;
    }

    private static bool TrySend(IoOperation operation, out SyscallResult result)
    {
        int start = operation.Offset + operation.Transferred;
        int left = operation.Length - operation.Transferred;
        Span<byte> bytes = operation.Buffer.AsSpan(start, left);
        result = operation.Kind == IoKind.Send
            ? SocketCalls.Send(operation.Handle.Descriptor, bytes)
            : SocketCalls.SendMore(operation.Handle.Descriptor, bytes);
        return NoteSent(operation, ref result);
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
                NoteFull(operation, before);
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

    /// <summary>A short count says nothing: the pipe may have no slot left.</summary>
    private static bool TryFill(IoOperation operation, out SyscallResult result)
    {
        IoHandle handle = operation.Handle;
        result = operation.Pipe!.Fill(handle.Descriptor, operation.Length);
        handle.IsReadable = result.Errno != Errno.TryAgain;
        return handle.IsReadable;
    }

    /// <summary>Nor does it here: only EAGAIN says that there will be an edge.</summary>
    private static bool TryDrain(IoOperation operation, out SyscallResult result)
    {
        IoHandle handle = operation.Handle;
        int before = operation.Transferred;
        while (operation.Transferred < operation.Length)
        {
            result = operation.Pipe!.Drain(
                handle.Descriptor, operation.Length - operation.Transferred);
            if (result.Errno == Errno.TryAgain)
            {
                NoteFull(operation, before);
                return false;
            }

            if (!result.IsSuccess)
            {
                return true;
            }

            operation.Transferred += result.IntValue;
        }

        result = SyscallResult.Success(operation.Transferred);
        return true;
    }

    /// <summary>The deadline is for silence, and what was sent since was progress.</summary>
    private static void NoteFull(IoOperation operation, int before)
    {
        operation.Handle.IsWritable = false;
        if (operation.Transferred > before)
        {
            operation.ExtendDeadline();
        }
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

    private static bool TryAccept(IoOperation operation, out SyscallResult result)
    {
        IoHandle handle = operation.Handle;
        result = SocketCalls.Accept(handle.Descriptor, out operation.AcceptedPeer);
        handle.IsReadable = result.Errno != Errno.TryAgain;
        return handle.IsReadable;
    }
}
