using Tessera.Linux;
using Tessera.Linux.Files;
using Tessera.Linux.Net;
using Tessera.Proxy;
using Tessera.Proxy.Reactors;

namespace Tessera.Tests.Proxy.Reactor;

/// <summary>
/// A real poller with faults between it and its reactor, by a seed that a failure names. Owned by
/// its reactor, as the poller within.
/// </summary>
internal sealed class FaultyPoller : IPoller
{
    private const int MaxShortBytes = 50;

    private readonly IPoller _inner;
    private readonly Faults _faults;
    private readonly Random _random;
    private readonly List<Delayed> _delayed = [];
    private readonly List<IoHandle> _handles = [];
    private readonly Dictionary<(IoHandle Handle, bool IsSend), long> _origins = [];
    private int _step;

    public FaultyPoller(BufferPool buffers, Faults faults, PollerKind kind = PollerKind.Epoll)
    {
        _inner = new PollerChoice(new ProxyOptions { Poller = kind }).Create(buffers);
        _faults = faults;
        _random = new Random(faults.Seed);
    }

    public SyscallResult Add(IoHandle handle)
    {
        _handles.Add(handle);
        return _inner.Add(handle);
    }

    public void Close(IoHandle handle)
    {
        Forget(handle);
        _inner.Close(handle);
    }

    public void Release(IoHandle handle)
    {
        Forget(handle);
        _inner.Release(handle);
    }

    public bool TryStart(IoOperation operation)
    {
        _delayed.RemoveAll(d => d.Operation == operation);
        operation.Transfer = -1;
        if (operation.Kind == IoKind.Accept && Happens(_faults.TooManyFiles))
        {
            operation.CompleteAtOnce(SyscallResult.Failure(Errno.TooManyFiles));
            return true;
        }

        bool isReceive = operation.Kind is IoKind.Receive or IoKind.ReceiveRented;
        if ((isReceive || operation.IsSend) && IsReset())
        {
            // As after a real reset, nothing works on this socket any more.
            SocketCalls.ShutdownBoth(operation.Handle.Descriptor);
            operation.CompleteAtOnce(SyscallResult.Failure(Errno.ConnectionReset));
            return true;
        }

        if (isReceive)
        {
            operation.Length = ShortenReceive(operation);
        }
        else if (operation.IsSend && TrySendPart(operation))
        {
            _delayed.Add(new Delayed(operation, Turns: 1));
            return false;
        }

        if (Happens(_faults.Delays))
        {
            _delayed.Add(new Delayed(operation, _random.Next(6)));
            return false;
        }

        if (Happens(_faults.Storms))
        {
            _delayed.Add(new Delayed(operation, 20 + _random.Next(60)));
            return false;
        }

        return _inner.TryStart(operation);
    }

    public void Abandon(IoOperation operation)
    {
        _delayed.RemoveAll(d => d.Operation == operation);
        _inner.Abandon(operation);
    }

    public bool HasWork => _delayed.Count > 0 || _inner.HasWork;

    public bool Wait(int timeoutMs)
    {
        if (Happens(_faults.SpuriousWakes))
        {
            _inner.Wake();
        }

        return _inner.Wait(_delayed.Count > 0 ? 0 : timeoutMs) || _delayed.Count > 0;
    }

    public void Dispatch()
    {
        _inner.Dispatch();
        for (int i = _delayed.Count - 1; i >= 0; i--)
        {
            if (i >= _delayed.Count)
            {
                continue;
            }

            Delayed delayed = _delayed[i];
            if (delayed.Turns > 0)
            {
                _delayed[i] = delayed with { Turns = delayed.Turns - 1 };
                continue;
            }

            _delayed.RemoveAt(i);
            TryAgain(delayed.Operation);
        }

        if (_handles.Count > 0 && Happens(_faults.SpuriousEvents))
        {
            PretendReady(_handles[_random.Next(_handles.Count)]);
        }
    }

    public void Wake() => _inner.Wake();

    public void Dispose() => _inner.Dispose();

    /// <summary>
    /// What a poller does with an event, without there having been one. A connect is left alone:
    /// no kernel says of one under way that it can write.
    /// </summary>
    private void PretendReady(IoHandle handle)
    {
        handle.IsReadable = true;
        if (handle.Sleeper is not null)
        {
            handle.WakeSleeper();
            return;
        }

        if (handle.CurrentRead is { } read)
        {
            TryAgain(read);
        }

        if (handle is { Descriptor: >= 0, CurrentWrite: { Kind: not IoKind.Connect } write })
        {
            handle.IsWritable = true;
            TryAgain(write);
        }

        if (handle.Descriptor >= 0 && handle.Watcher is not null)
        {
            handle.AlertWatcher();
        }
    }

    /// <summary>
    /// Unless it is over meanwhile, waits on with a delay of its own, or is with the poller within
    /// already.
    /// </summary>
    private void TryAgain(IoOperation operation)
    {
        if (operation.IsPending && operation.Transfer < 0
            && !_delayed.Exists(d => d.Operation == operation)
            && _inner.TryStart(operation))
        {
            operation.Complete(operation.Result);
        }
    }

    private int ShortenReceive(IoOperation operation)
    {
        int length = operation.Length;
        if (LeftToCut(operation) is > 0 and int left && left < length)
        {
            return left;
        }

        return length > 1 && Happens(_faults.ShortReads)
            ? 1 + _random.Next(Math.Min(length, MaxShortBytes))
            : length;
    }

    /// <summary>
    /// Sends some of it past the poller within, which goes on with the rest. False when it was
    /// left alone.
    /// </summary>
    private bool TrySendPart(IoOperation operation)
    {
        int length = operation.Length;
        int part = LeftToCut(operation) is > 0 and int left && left < length ? left
            : length > 1 && Happens(_faults.ShortWrites)
                ? 1 + _random.Next(Math.Min(length - 1, MaxShortBytes))
                : 0;
        if (part == 0)
        {
            return false;
        }

        int descriptor = operation.Handle.Descriptor;
        SyscallResult sent = operation.Kind == IoKind.SendFile
            ? FileCalls.Send(descriptor, operation.File, operation.FileOffset, part)
            : SocketCalls.Send(descriptor, operation.Buffer.AsSpan(operation.Offset, part));
        operation.Transferred = Math.Max(0, sent.IntValue);
        return sent.IsSuccess;
    }

    /// <summary>Bytes of this stream before the point where it is cut.</summary>
    private int LeftToCut(IoOperation operation)
    {
        if (_faults.Point is not { CutAt: > 0 } point)
        {
            return 0;
        }

        if (_step != point.Step)
        {
            _step = point.Step;
            _origins.Clear();
        }

        (IoHandle, bool) stream = (operation.Handle, operation.IsSend);
        if (!_origins.TryGetValue(stream, out long origin))
        {
            origin = operation.TotalBytes;
            _origins.Add(stream, origin);
        }

        return (int)Math.Max(0, point.CutAt - (operation.TotalBytes - origin));
    }

    private bool IsReset() =>
        _faults.Point is { } point ? point.IsResetNext() : Happens(_faults.Resets);

    private void Forget(IoHandle handle)
    {
        _delayed.RemoveAll(d => d.Operation.Handle == handle);
        _handles.Remove(handle);
    }

    private bool Happens(int ofThousand) =>
        ofThousand > 0 && _random.Next(1_000) < ofThousand;

    /// <param name="Turns">Until it is tried again.</param>
    private readonly record struct Delayed(IoOperation Operation, int Turns);
}
