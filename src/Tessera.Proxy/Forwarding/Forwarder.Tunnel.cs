using Tessera.Linux;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Transports;

namespace Tessera.Proxy.Forwarding;

/// <summary>What happens after 101: the connection belongs to another protocol.</summary>
internal sealed partial class Forwarder
{
    private async ReactorTask<ProxyError> TunnelAsync(Exchange exchange)
    {
        ReturnReply(exchange);
        Transport upstream = exchange.Upstream!.Transport;

        // What the client sent behind its request is the tunnel's first bytes.
        byte[] early = exchange.Client.TakeBehind(exchange, out int length);
        if (length > 0)
        {
            SyscallResult sent = await upstream.SendAsync(
                early, 0, length, exchange.Limits.SendTimeoutMs);
            if (!sent.IsSuccess)
            {
                _reactor.Buffers.Return(early);
                return ProxyError.Of(ProxyErrorKind.SendFailed, ProxyErrorSource.Upstream);
            }
        }

        _reactor.Buffers.Return(early);
        var tunnel = new Tunnel(
            _reactor,
            exchange.Client.Transport,
            upstream,
            exchange.Limits.TunnelIdleTimeoutMs,
            _options.SendTimeoutMs);
        bool isWhole = await tunnel.RunAsync();
        exchange.BodyBytesSent += tunnel.BytesDown;
        return isWhole
            ? ProxyError.None
            : ProxyError.Of(ProxyErrorKind.ClientGone, ProxyErrorSource.Client);
    }
}
