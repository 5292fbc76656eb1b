using System.Net;
using System.Text;
using Tessera.Proxy.Transports;

namespace Tessera.Proxy.Routing;

/// <summary>
/// Backends of one address, for addresses that only a connection's own values tell: made when first
/// asked for and kept for the next that asks. Owned by one reactor.
/// </summary>
internal sealed class LiteralBackends
{
    /// <summary>With one more all are forgotten: whoever is in use lives on.</summary>
    private const int MaxBackends = 1_024;

    private const int MaxTextLength = 128;
    private const int MaxIdleTimeoutMs = 1_000;

    private readonly int _reactors;
    private readonly Dictionary<string, Backend> _backends = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Backend>.AlternateLookup<ReadOnlySpan<char>> _lookup;

    /// <param name="reactors">How many there are; this is one of them.</param>
    public LiteralBackends(int reactors)
    {
        _reactors = Math.Max(reactors, 1);
        _lookup = _backends.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    /// <summary>Null when the text is no address with a port.</summary>
    public Backend? Find(ReadOnlySpan<byte> text)
    {
        if (text.Length > MaxTextLength)
        {
            return null;
        }

        Span<char> chars = stackalloc char[MaxTextLength];
        chars = chars[..Encoding.Latin1.GetChars(text, chars)];
        if (_lookup.TryGetValue(chars, out Backend? known))
        {
            return known;
        }

        if (!IPEndPoint.TryParse(chars, out IPEndPoint? address) || address.Port == 0)
        {
            return null;
        }

        if (_backends.Count >= MaxBackends)
        {
            _backends.Clear();
        }

        Backend backend = Create(address, chars.ToString());
        _lookup[chars] = backend;
        return backend;
    }

    private Backend Create(IPEndPoint address, string text)
    {
        // An endpoint that is alone is never avoided.
        var endpoint = new EndpointConfig { Id = text, Address = address, MaxFails = 0 };
        var config = new BackendConfig { Name = text, Endpoints = [endpoint] };
        var pools = new UpstreamPool[_reactors];
        for (int i = 0; i < pools.Length; i++)
        {
            pools[i] = new UpstreamPool(0, MaxIdleTimeoutMs);
        }

        return new Backend(
            text, new BackendSet(config, [new Endpoint(endpoint, pools)]), _reactors);
    }
}
