using System.Net;
using System.Text;
using Tessera.Proxy.Access;
using Tessera.Proxy.Forwarding;

namespace Tessera.Proxy.Routing;

/// <summary>nginx's realip module, made ready once. Immutable.</summary>
internal sealed class RealIpRule(RealIpConfig config)
{
    private readonly AddressRules _trusted = new(config.Trusted);
    private readonly byte[] _field = Encoding.ASCII.GetBytes(config.Field);

    /// <summary>Takes the word of a trusted proxy, once for each request.</summary>
    public void Apply(Exchange exchange)
    {
        if (config.IsFromProxyProtocol)
        {
            if (exchange.Client.ProxyHead?.Source is { } source
                && _trusted.Find(exchange.Client.Peer) == true)
            {
                exchange.NotePeer(source);
            }

            return;
        }

        if (!exchange.HasNamedPeer && ForwardedChain.TryFind(
            exchange, _field, _trusted, config.IsRecursive, out IPAddress? address, out int port))
        {
            exchange.NotePeer(new IPEndPoint(address!, port));
        }
    }
}
