using Tessera.Linux;
using Tessera.Linux.Net;
using Tessera.Proxy.Reactors;

namespace Tessera.Tests.Proxy.Reactor;

/// <summary>How often things go wrong, of a thousand operations each.</summary>
internal sealed record Faults(int Seed)
{
    /// <summary>A receive gets fewer bytes than there are.</summary>
    public int ShortReads { get; init; }

    /// <summary>
    /// An operation that could finish at once has to wait, and for some turns more.
    /// </summary>
    public int Delays { get; init; }

    /// <summary>An operation fails as if the peer had reset the connection.</summary>
    public int Resets { get; init; }

    /// <summary>An accept fails because no descriptor is left.</summary>
    public int TooManyFiles { get; init; }
}

/// <summary>
/// The real poller with faults between it and its reactor, by a seed that a failure names.
/// </summary>
internal sealed class FaultyPoller : IPoller
{
    private readonly EpollPoller _inner;
    private readonly Faults _faults;
    private readonly Random _random;
    private readonly List<IoOperation> _delayed = [];

    public FaultyPoller(BufferPool buffers, Faults faults)
    {
        _inner = new EpollPoller(buffers);
        _faults = faults;
        _random = new Random(faults.Seed);
    }

    public SyscallResult Add(IoHandle handle) => _inner.Add(handle);

    public void Close(IoHandle handle)
    {
        _delayed.RemoveAll(o => o.Handle == handle);
        _inner.Close(handle);
    }

    public void Release(IoHandle handle)
    {
        _delayed.RemoveAll(o => o.Handle == handle);
        _inner.Release(handle);
    }

    public bool TryStart(IoOperation operation)
    {
        bool isReceive = operation.Kind is IoKind.Receive or IoKind.ReceiveRented;
        bool isTransfer = isReceive
            || operation.Kind is IoKind.Send or IoKind.SendMore or IoKind.SendFile;
        if (operation.Kind == IoKind.Accept && Happens(_faults.TooManyFiles))
        {
            operation.CompleteAtOnce(SyscallResult.Failure(Errno.TooManyFiles));
            return true;
        }

        if (isTransfer && Happens(_faults.Resets))
        {
            // As after a real reset, nothing works on this socket any more.
            SocketCalls.ShutdownBoth(operation.Handle.Descriptor);
            operation.CompleteAtOnce(SyscallResult.Failure(Errno.ConnectionReset));
            return true;
        }

        if (isReceive && operation.Length > 1 && Happens(_faults.ShortReads))
        {
            operation.Length = 1 + _random.Next(Math.Min(operation.Length, 50));
        }

        if (Happens(_faults.Delays))
        {
            _delayed.Add(operation);
            return false;
        }

        return _inner.TryStart(operation);
    }

    public void Abandon(IoOperation operation)
    {
        _delayed.Remove(operation);
        _inner.Abandon(operation);
    }

    public void Wait(int timeoutMs) => _inner.Wait(_delayed.Count > 0 ? 0 : timeoutMs);

    public void Dispatch()
    {
        _inner.Dispatch();
        for (int i = _delayed.Count - 1; i >= 0; i--)
        {
            if (i >= _delayed.Count || _random.Next(3) > 0)
            {
                continue;
            }

            IoOperation operation = _delayed[i];
            _delayed.RemoveAt(i);
            if (operation.IsPending && _inner.TryStart(operation))
            {
                operation.Complete(operation.Result);
            }
        }
    }

    public void Wake() => _inner.Wake();

    public void Dispose() => _inner.Dispose();

    private bool Happens(int ofThousand) => _random.Next(1_000) < ofThousand;
}
