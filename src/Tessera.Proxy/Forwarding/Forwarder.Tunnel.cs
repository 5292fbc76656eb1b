using Tessera.Linux;
using Tessera.Linux.Net;
using Tessera.Proxy.Listening;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Transports;

namespace Tessera.Proxy.Forwarding;

/// <summary>
/// Connections whose bytes are passed through: after 101, and those that are no HTTP.
/// </summary>
internal sealed partial class Forwarder
{
    /// <summary>A server that speaks first does so within this time.</summary>
    private const int FirstWordMs = 1_000;

    /// <summary>
    /// The whole flow of a connection that is no HTTP: as a request's, with a tunnel in place of
    /// request and response. An exchange that is connected already goes on from there.
    /// </summary>
    public async ReactorTask<ProxyError> PassThroughAsync(Exchange exchange)
    {
        exchange.Backend.RetryBudget.CountRequest(_shard.Number, _reactor.NowMs);
        while (true)
        {
            ProxyError error = ProxyError.None;
            if (exchange.Upstream is null)
            {
                error = exchange.TryPick(_reactor.NowMs);
                if (error.IsError)
                {
                    error = await HoldAsync(exchange, error);
                    if (error.IsError)
                    {
                        _shard.ErrorLog.Write(exchange, error);
                        return error;
                    }

                    continue;
                }

                error = await ConnectAsync(exchange);
            }

            if (!error.IsError)
            {
                NoteWell(exchange);
                error = await TunnelAsync(exchange);
            }

            if (EndTry(exchange, ref error))
            {
                return error;
            }
        }
    }

    /// <summary>
    /// Connects and listens. True when the server spoke: then the exchange stays connected, for
    /// <see cref="PassThroughAsync"/>. Otherwise it is as if nothing had happened.
    /// </summary>
    public async ReactorTask<bool> ProbeAsync(Exchange exchange)
    {
        if (exchange.TryPick(_reactor.NowMs).IsError)
        {
            return false;
        }

        ProxyError error = await ConnectAsync(exchange);
        if (!error.IsError)
        {
            Transport upstream = exchange.Upstream!.Transport;
            IoHandle client = exchange.Client.Transport.Handle;
            client.Watch(IoWatch.Readable, upstream.Handle.Read);
            SyscallResult heard = await upstream.WaitReadableAsync(FirstWordMs);
            client.Unwatch();
            if (heard is { IsSuccess: true, Value: > 0 })
            {
                exchange.Client.Listener.Learn(LearntProtocol.ServerSpeaksFirst);
                return true;
            }

            // A client that spoke meanwhile leaves the question open.
            if (heard.Errno != Errno.Canceled)
            {
                exchange.Client.Listener.Learn(LearntProtocol.ClientSpeaksFirst);
            }
        }

        EndTry(exchange, ref error);
        return false;
    }

    private async ReactorTask<ProxyError> TunnelAsync(Exchange exchange)
    {
        ReturnReply(exchange);
        Transport upstream = exchange.Upstream!.Transport;

        // What the client has sent already is the tunnel's first bytes.
        byte[] early = exchange.Client.TakeBehind(exchange, out int length);
        if (length > 0)
        {
            SyscallResult sent = await upstream.SendAsync(
                early, 0, length, exchange.Limits.SendTimeoutMs);
            _reactor.Buffers.Return(early);
            if (!sent.IsSuccess)
            {
                return ProxyError.Of(ProxyErrorKind.SendFailed, ProxyErrorSource.Upstream);
            }
        }

        var tunnel = new Tunnel(
            _reactor,
            exchange.Client.Transport,
            upstream,
            exchange.Limits.TunnelIdleTimeoutMs);
        bool isWhole = await tunnel.RunAsync();
        exchange.BodyBytesSent += tunnel.BytesDown;
        return isWhole
            ? ProxyError.None
            : ProxyError.Of(ProxyErrorKind.ClientGone, ProxyErrorSource.Client);
    }
}
