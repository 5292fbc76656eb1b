using Tessera.Proxy.Reactors;

namespace Tessera.Proxy.Transports;

/// <summary>
/// A connection to an endpoint: in use by one request, or asleep in its pool until it is used again
/// or something ends it: the peer, bytes nobody asked for, the time-out. Owned by one reactor.
/// </summary>
internal sealed class UpstreamConnection : Sleeper
{
    private readonly UpstreamPool _pool;
    private readonly long _bornMs;
    private int _requests;

    /// <param name="nowMs">On the reactor's clock.</param>
    public UpstreamConnection(UpstreamPool pool, Transport transport, long nowMs)
    {
        _pool = pool;
        _bornMs = nowMs;
        Transport = transport;
    }

    public Transport Transport { get; }

    /// <summary>Neighbours among the idle connections of the pool.</summary>
    internal UpstreamConnection? Newer { get; set; }

    internal UpstreamConnection? Older { get; set; }

    /// <summary>
    /// A request has ended on it: false when it was the last that its pool allows.
    /// </summary>
    internal bool MayServeOn(long nowMs)
    {
        _requests++;
        return (_pool.MaxRequests == 0 || _requests < _pool.MaxRequests)
            && (_pool.MaxAgeMs == 0 || nowMs - _bornMs <= _pool.MaxAgeMs);
    }

    /// <summary>False when the idleness has ended already.</summary>
    internal bool TrySleep() =>
        !Transport.HasInput() && Transport.Handle.TrySleep(this, _pool.IdleTimeoutMs);

    /// <summary>It is in use again.</summary>
    internal void EndSleep()
    {
        Transport.Handle.EndSleep();
        TimerWheel.Disarm(this);
    }

    /// <summary>Nothing of it is left behind in its reactor.</summary>
    internal void Close(bool withReset = false)
    {
        Transport.Close(withReset);
        Transport.Handle.Reactor.Timers.Remove(this);
    }

    /// <summary>What io_uring tells of may be bytes that were received since.</summary>
    protected internal override void WakeUp()
    {
        if (!TrySleep())
        {
            _pool.Evict(this);
        }
    }

    protected internal override void Expire() => _pool.Evict(this);
}
