using System.Net;
using System.Net.Sockets;
using Tessera.Linux;
using Tessera.Linux.Net;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Reactors;

namespace Tessera.Proxy.Listening;

/// <summary>
/// One reactor's socket for the datagrams that come to one address, and the sessions of those who
/// send them. The kernel leads one peer's datagrams to one of the sockets that share the address
/// (SO_REUSEPORT). Opened by any thread, then owned by its reactor.
/// </summary>
internal sealed class DatagramSocket
{
    /// <summary>The largest there are (RFC 768).</summary>
    public const int MaxBytes = 65_535;

    /// <summary>Datagrams in one turn of the reactor before others get theirs.</summary>
    private const int MaxBurst = 32;

    private readonly Shard _shard;
    private readonly Reactor _reactor;
    private readonly Listener _listener;
    private readonly IoHandle _handle;
    private readonly IoOperation _rest;
    private readonly Dictionary<DatagramPeer, DatagramSession> _sessions = [];
    private readonly TaskCompletionSource _closed =
        new(TaskCreationOptions.RunContinuationsAsynchronously);

    private bool _isStarted;
    private bool _isEnding;
    private bool _isClosing;

    private DatagramSocket(Shard shard, Listener listener, int descriptor)
    {
        _shard = shard;
        _reactor = shard.Reactor;
        _listener = listener;
        _handle = new IoHandle(_reactor, descriptor) { IsInbound = true, KeepsBoundaries = true };
        _rest = new IoOperation(_reactor, handle: null);
    }

    /// <summary>Completes when the socket is closed, and its address free.</summary>
    public Task Closed => _closed.Task;

    /// <summary>Asks whether anybody else has the address.</summary>
    public static SyscallResult Probe(IPEndPoint address)
    {
        SyscallResult result = TryBind(address, isShared: false, out int descriptor);
        if (result.IsSuccess)
        {
            SocketCalls.Close(descriptor);
        }

        return result;
    }

    public static SyscallResult TryOpen(Shard shard, Listener listener, out DatagramSocket socket)
    {
        SyscallResult result = TryBind(listener.Address, isShared: true, out int descriptor);
        socket = result.IsSuccess ? new DatagramSocket(shard, listener, descriptor) : null!;
        return result;
    }

    /// <summary>Closes a socket that was never started.</summary>
    public void Discard() => SocketCalls.Close(_handle.Descriptor);

    /// <summary>Any thread.</summary>
    public void Start() => _reactor.Post(Run);

    /// <summary>New sessions do not begin any more; those there are go on. Any thread.</summary>
    public void BeginClosing() => _reactor.Post(() => _isClosing = true);

    /// <summary>Ends the sessions, and gives the address up. Any thread.</summary>
    public void Retire() => _reactor.Post(End);

    /// <summary>To a session's client. What the kernel has no room for is lost.</summary>
    public SyscallResult Send(
        ReadOnlySpan<byte> datagram, in InternetAddress peer, in InternetAddress local) =>
        _handle.Descriptor < 0
            ? SyscallResult.Failure(Errno.Canceled)
            : DatagramCalls.Send(_handle.Descriptor, datagram, peer, local);

    /// <summary>What this peer sends next begins another session.</summary>
    public void Forget(in DatagramPeer peer, DatagramSession session)
    {
        if (_sessions.TryGetValue(peer, out DatagramSession? known) && known == session)
        {
            _sessions.Remove(peer);
        }
    }

    private static SyscallResult TryBind(IPEndPoint address, bool isShared, out int descriptor)
    {
        var native = new InternetAddress(address);
        SyscallResult opened = DatagramCalls.Open(native);
        descriptor = opened.IntValue;
        if (!opened.IsSuccess)
        {
            return opened;
        }

        bool isIPv4 = address.AddressFamily == AddressFamily.InterNetwork;
        if (!isIPv4)
        {
            SocketCalls.SetIPv6Only(descriptor);
        }

        if (address.Address.Equals(IPAddress.Any) || address.Address.Equals(IPAddress.IPv6Any))
        {
            DatagramCalls.TellLocalAddress(descriptor, isIPv4);
        }

        SyscallResult result = isShared
            ? SocketCalls.SetReusePort(descriptor)
            : SyscallResult.Success(0);
        result = result.IsSuccess ? SocketCalls.Bind(descriptor, native) : result;
        if (!result.IsSuccess)
        {
            SocketCalls.Close(descriptor);
        }

        return result;
    }

    private void Run()
    {
        SyscallResult added = _isEnding
            ? SyscallResult.Failure(Errno.Canceled)
            : _reactor.Poller.Add(_handle);
        if (added.IsSuccess)
        {
            _isStarted = true;
            RunAsync().Detach(_reactor);
            return;
        }

        SocketCalls.Close(_handle.Descriptor);
        _handle.Descriptor = -1;
        _closed.TrySetResult();
    }

    private void End()
    {
        _isEnding = true;
        foreach (DatagramSession session in _sessions.Values.ToArray())
        {
            session.Abort();
        }

        if (_isStarted)
        {
            _handle.Read.Cancel();
        }
    }

    private async ReactorTask<bool> RunAsync()
    {
        byte[] buffer = _reactor.Buffers.Rent(MaxBytes);
        while (!_isEnding)
        {
            await _reactor.Start(_handle.Read, IoKind.Readable, [], 0, 0, timeoutMs: 0);
            for (int burst = 0; burst < MaxBurst && !_isEnding && TryTake(buffer); burst++)
            {
            }

            await _reactor.Yield(_rest);
        }

        _reactor.Buffers.Return(buffer);
        _reactor.Timers.Remove(_handle.Read);
        _reactor.Timers.Remove(_rest);
        _reactor.Poller.Close(_handle);
        _closed.TrySetResult();
        return true;
    }

    /// <summary>False when there is no datagram.</summary>
    private bool TryTake(byte[] buffer)
    {
        SyscallResult received = DatagramCalls.Receive(
            _handle.Descriptor,
            buffer.AsSpan(0, MaxBytes),
            out InternetAddress peer,
            out InternetAddress local);
        if (!received.IsSuccess)
        {
            _handle.IsReadable = received.Errno != Errno.TryAgain;
            return false;
        }

        try
        {
            Deliver(buffer.AsSpan(0, received.IntValue), new DatagramPeer(peer, local));
        }
        catch (Exception exception)
        {
            // One session's bug must not end the listener.
            _reactor.ReportFault(exception);
        }

        return true;
    }

    private void Deliver(ReadOnlySpan<byte> datagram, in DatagramPeer peer)
    {
        if (_sessions.TryGetValue(peer, out DatagramSession? session))
        {
            session.Take(datagram);
            return;
        }

        if (!_isClosing && _listener.Routes.FirstRoute is { Stream: { } rule } route)
        {
            session = new DatagramSession(_reactor, this, peer, rule);
            _sessions.Add(peer, session);
            session.Take(datagram);
            _shard.AdmitSession(session, _listener, route);
        }
    }
}

/// <summary>Who sends datagrams, and to which address of this machine.</summary>
/// <param name="Local">Without port; not set where the listener has but one address.</param>
internal readonly record struct DatagramPeer(InternetAddress Peer, InternetAddress Local)
{
    /// <inheritdoc/>
    public bool Equals(DatagramPeer other) =>
        Peer.Port == other.Peer.Port
        && Peer.Host.SequenceEqual(other.Peer.Host)
        && Local.Family == other.Local.Family
        && Local.Host.SequenceEqual(other.Local.Host);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = default(HashCode);
        hash.AddBytes(Peer.Host);
        hash.Add(Peer.Port);
        hash.AddBytes(Local.Host);
        return hash.ToHashCode();
    }
}
