using Tessera.Linux.Net;

namespace Tessera.Proxy.Reactors;

/// <summary>
/// A socket as its poller sees it: the descriptor, what is known of its readiness, and one
/// operation for each direction, or whoever sleeps until something arrives. Owned by one reactor
/// for its whole life.
/// </summary>
internal sealed class IoHandle
{
    private IoOperation? _read;
    private IoOperation? _write;

    public IoHandle(Reactor reactor, int descriptor)
    {
        Reactor = reactor;
        Descriptor = descriptor;
    }

    public Reactor Reactor { get; }

    /// <summary>-1 once closed: the number may already be another connection's.</summary>
    public int Descriptor { get; set; }

    /// <summary>Tells this user of the descriptor's number from earlier and later ones.</summary>
    public uint Generation { get; set; }

    /// <summary>A connection that was accepted, or a socket that accepts them.</summary>
    public bool IsInbound { get; init; }

    /// <summary>
    /// Datagrams: a receive that was short says nothing about what else there is.
    /// </summary>
    public bool KeepsBoundaries { get; init; }

    /// <summary>
    /// What arrives here now begins something, and waits until what is under way has gone on.
    /// </summary>
    public bool BringsWork =>
        IsInbound && (Sleeper is not null || _read is { Kind: IoKind.Accept });

    /// <summary>It waits in <see cref="NewWork"/>.</summary>
    public bool IsQueued { get; set; }

    public IoOperation Read => _read ??= Reactor.RentOperation(this);

    public IoOperation Write => _write ??= Reactor.RentOperation(this);

    /// <summary>Null when it has none now.</summary>
    public IoOperation? CurrentRead => _read;

    public IoOperation? CurrentWrite => _write;

    /// <summary>Who waits without an operation; null while somebody is awake.</summary>
    public Sleeper? Sleeper { get; private set; }

    /// <summary>
    /// Trying to receive may succeed: no EAGAIN or short read since the last event.
    /// </summary>
    public bool IsReadable { get; set; }

    public bool IsWritable { get; set; }

    /// <summary>
    /// The peer ended its stream (FIN); everything before it may still be unread.
    /// </summary>
    public bool HasPeerClosed { get; set; }

    /// <summary>
    /// The connection is gone in both directions: reset, or both sides have ended.
    /// </summary>
    public bool IsBroken { get; set; }

    /// <summary>
    /// An operation, of this socket or another, that is cancelled when what
    /// <see cref="WatchedFor"/> says happens to this socket.
    /// </summary>
    public IoOperation? Watcher { get; private set; }

    public IoWatch WatchedFor { get; private set; }

    /// <summary>
    /// How slowly the peer may take what is sent; null leaves it to the time-out.
    /// </summary>
    public SendFloor? SendFloor { get; set; }

    /// <summary>Null until a send was slow.</summary>
    public SendProgress? SendProgress { get; set; }

    /// <summary>Replaces the watch there was. What has happened before does not count.</summary>
    public void Watch(IoWatch condition, IoOperation watcher)
    {
        WatchedFor = condition;
        Watcher = watcher;
    }

    public void Unwatch() => Watcher = null;

    /// <summary>
    /// Until something arrives, or until the time is over; 0 is no limit. False when something may
    /// have arrived already.
    /// </summary>
    public bool TrySleep(Sleeper sleeper, int timeoutMs)
    {
        if (IsReadable)
        {
            return false;
        }

        if (timeoutMs > 0)
        {
            Reactor.Timers.Arm(sleeper, Reactor.NowMs + timeoutMs);
        }

        Sleeper = sleeper;
        Reactor.Return(ref _read);
        Reactor.Return(ref _write);
        return true;
    }

    /// <summary>Wakes whoever sleeps here, once something has arrived. For pollers.</summary>
    public void WakeSleeper()
    {
        if (IsReadable && Sleeper is { } sleeper)
        {
            Sleeper = null;
            TimerWheel.Disarm(sleeper);
            sleeper.WakeUp();
        }
    }

    /// <summary>Nobody sleeps here any more, and nobody is woken.</summary>
    public void EndSleep() => Sleeper = null;

    /// <summary>Called by the poller when something happened to the socket.</summary>
    internal void AlertWatcher()
    {
        bool isConcerned = WatchedFor switch
        {
            IoWatch.Readable => IsReadable,
            IoWatch.PeerClosed => HasPeerClosed,
            _ => IsBroken,
        };
        if (isConcerned)
        {
            Watcher?.Cancel();
        }
    }
}

/// <summary>What may happen to a socket while nothing is received from it.</summary>
internal enum IoWatch : byte
{
    /// <summary>Something arrived, be it the end.</summary>
    Readable,

    /// <summary>The peer ended its stream, or the connection was reset.</summary>
    PeerClosed,

    /// <summary>The connection was reset.</summary>
    Broken,
}
