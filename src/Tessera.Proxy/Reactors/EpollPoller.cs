using Tessera.Linux;
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

    private const int EventsPerWait = 512;

    /// <summary>Marks the eventfd among the registered descriptors.</summary>
    private const ulong WakeData = ulong.MaxValue;

    private readonly int _epoll;
    private readonly int _wake;
    private readonly BufferPool _buffers;
    private readonly EpollEvent[] _events = new EpollEvent[EventsPerWait];
    private readonly NewWork _newWork = new();
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
        bool mayTry = ReadyIo.IsWrite(operation) ? handle.IsWritable : handle.IsReadable;
        return mayTry && ReadyIo.Try(operation, _buffers, out SyscallResult result)
            && Finish(operation, result);

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

    public bool HasWork => !_newWork.IsEmpty;

    public bool Wait(int timeoutMs)
    {
        SyscallResult result = Epoll.Wait(_epoll, _events, _newWork.IsEmpty ? timeoutMs : 0);
        _eventCount = Require(result, "epoll_wait");
        _eventIndex = 0;
        _newWork.BeginTurn();
        return _eventCount > 0 || !_newWork.IsEmpty;
    }

    public void Dispatch()
    {
        // (1) Work that is under way goes on. Counted on first: after an exception the next call
        // goes on behind the culprit.
        while (_eventIndex < _eventCount)
        {
            EpollEvent ready = _events[_eventIndex++];
            if (ready.Data == WakeData)
            {
                EventFd.Drain(_wake);
                continue;
            }

            IoHandle? handle = _handles[(int)(uint)ready.Data];
            if (handle is null || handle.Generation != (uint)(ready.Data >> 32))
            {
                continue;
            }

            ReadyIo.Note(handle, ready.Events);
            if (handle.BringsWork)
            {
                _newWork.Add(handle);
            }
            else
            {
                Dispatch(handle);
            }
        }

        // (2) Then a little of what is new.
        while (_newWork.TryTake(out IoHandle? handle))
        {
            Dispatch(handle);
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

    private void Dispatch(IoHandle handle)
    {
        if (handle.Sleeper is not null)
        {
            handle.WakeSleeper();
            return;
        }

        if (handle is { IsReadable: true, CurrentRead: { IsPending: true } read }
            && ReadyIo.Try(read, _buffers, out SyscallResult received))
        {
            read.Complete(received);
        }

        if (handle is { IsWritable: true, CurrentWrite: { IsPending: true } write }
            && ReadyIo.Try(write, _buffers, out SyscallResult sent))
        {
            write.Complete(sent);
        }

        if (handle.Watcher is not null)
        {
            handle.AlertWatcher();
        }
    }
}
