using Tessera.Proxy.Reactors;

namespace Tessera.Proxy.Transports;

/// <summary>
/// A connection to an endpoint: in use by one request, or idle in its pool. Owned by one reactor.
/// </summary>
internal sealed class UpstreamConnection
{
    private readonly UpstreamPool _pool;
    private readonly Action _onIdleEnd;

    public UpstreamConnection(UpstreamPool pool, Transport transport)
    {
        _pool = pool;
        Transport = transport;
        _onIdleEnd = () => _pool.Evict(this);
    }

    public Transport Transport { get; }

    /// <summary>Neighbours among the idle connections of the pool.</summary>
    internal UpstreamConnection? Newer { get; set; }

    internal UpstreamConnection? Older { get; set; }

    /// <summary>
    /// Waits for whatever ends the idleness: the peer's close, bytes nobody asked for, or the
    /// time-out. False when it has ended already.
    /// </summary>
    internal bool TryWatchIdle(int timeoutMs)
    {
        IoOperation operation = Transport.WaitReadableAsync(timeoutMs);
        if (operation.IsCompleted)
        {
            return false;
        }

        operation.OnCompleted(_onIdleEnd);
        return true;
    }

    internal void UnwatchIdle() => Transport.Handle.Read.Withdraw();
}
