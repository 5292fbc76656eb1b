using Tessera.Linux;
using Tessera.Linux.Net;
using Tessera.Proxy.Listening;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Routing;

namespace Tessera.Proxy.Forwarding;

/// <summary>Connections that are, or may be, no HTTP.</summary>
internal sealed partial class ClientConnection
{
    /// <summary>
    /// A client that is silent so long may wait for the server's first word; first bytes that could
    /// still become a request line are waited for so long.
    /// </summary>
    private const int SilenceMs = 300;

    private bool IsPassedThrough =>
        Listener.Protocol == ListenerProtocol.Tcp
        || Listener.Learnt == LearntProtocol.ServerSpeaksFirst;

    private bool IsKnownHttp =>
        Listener.Protocol == ListenerProtocol.Http || Listener.Learnt == LearntProtocol.Http;

    private bool IsHttpFromFirstByte =>
        IsKnownHttp && !Listener.Routes.ExpectsProxyProtocol;

    /// <summary>
    /// True when the connection speaks HTTP, with what was received still unread. Otherwise it has
    /// been served as a tunnel, or has ended.
    /// </summary>
    private async ReactorTask<bool> DecideProtocolAsync()
    {
        // (0) A proxy before this one says first whose connection it is.
        if (Listener.Routes.ExpectsProxyProtocol && !await TakeProxyHeadAsync())
        {
            return false;
        }

        long deadlineMs = Reactor.NowMs + IdleTimeoutMs;
        while (!IsKnownHttp)
        {
            // (1) Nothing to find out.
            if (IsPassedThrough)
            {
                return await PassThroughAsync();
            }

            // (2) Wait for the client; not for long while there is something to find out.
            long leftMs = deadlineMs - Reactor.NowMs;
            _isIdle = _start == _end;
            bool isPatient = _isIdle && Listener.Learnt == LearntProtocol.ClientSpeaksFirst;
            SyscallResult received = await ReceiveFirstAsync(
                (int)Math.Clamp(leftMs, 1, isPatient ? int.MaxValue : SilenceMs));
            _isIdle = false;
            bool isOver = received.Errno != Errno.TimedOut || leftMs <= 0;

            // (3) Its bytes tell.
            if (received.IsSuccess && received.Value > 0)
            {
                SniffedProtocol sniffed = ProtocolSniffer.Sniff(Received);
                if (sniffed != SniffedProtocol.Unclear)
                {
                    return sniffed == SniffedProtocol.Http || await PassThroughAsync();
                }
            }

            // (4) Half a line and no more: no HTTP client does that.
            else if (_start < _end)
            {
                return await PassThroughAsync();
            }

            // (5) Nothing at all: it is gone, or the server is asked whether it speaks first.
            else if (isOver || (Listener.Learnt == LearntProtocol.Unknown && await ProbeAsync()))
            {
                return false;
            }
        }

        return true;
    }

    private async ReactorTask<SyscallResult> ReceiveFirstAsync(int timeoutMs)
    {
        if (_start == _end)
        {
            SyscallResult first = await Transport.ReceiveRentedAsync(
                BufferPool.SmallBytes, 0, timeoutMs);
            if (first.IsSuccess && first.Value > 0)
            {
                TakeReceived(first.IntValue);
            }

            return first;
        }

        MakeRoom();
        SyscallResult more = await Transport.ReceiveAsync(
            _buffer, _end, ReceiveEnd - _end, timeoutMs);
        _end += more.IsSuccess ? more.IntValue : 0;
        return more;
    }

    /// <summary>False, always: the connection has been served.</summary>
    private async ReactorTask<bool> PassThroughAsync()
    {
        if (Listener.Routes.FirstRoute is { Stream: { } rule } route)
        {
            return await ServeStreamAsync(route, rule);
        }

        if (Listener.Routes.First is { } backend)
        {
            Exchange exchange = BeginTunnel(backend);
            NoteTunnelEnd(await _shard.Forwarder.PassThroughAsync(exchange));
            EndExchange(exchange);
        }

        return false;
    }

    /// <summary>
    /// Opens one connection to the server to hear whether it speaks first, unless another client's
    /// is asking. True when it did: then the connection has been served.
    /// </summary>
    private async ReactorTask<bool> ProbeAsync()
    {
        if (Listener.Routes.First is not { } backend || !Listener.TryBeginProbe())
        {
            return false;
        }

        Exchange exchange = BeginTunnel(backend);
        bool speaksFirst;
        try
        {
            speaksFirst = await _shard.Forwarder.ProbeAsync(exchange);
        }
        finally
        {
            Listener.EndProbe();
        }

        if (speaksFirst)
        {
            NoteTunnelEnd(await _shard.Forwarder.PassThroughAsync(exchange));
        }

        EndExchange(exchange);
        return speaksFirst;
    }

    private Exchange BeginTunnel(Backend backend)
    {
        Exchange exchange = BeginExchange();
        exchange.Backend = backend;
        exchange.NeedsNewConnection = true;
        return exchange;
    }

    /// <summary>A tunnel that was cut, or never came about, ends with a reset.</summary>
    private void NoteTunnelEnd(ProxyError error)
    {
        _shard.Counters.CountTunnel();
        _closing = error.IsError ? Closing.Reset : Closing.Orderly;
    }
}
