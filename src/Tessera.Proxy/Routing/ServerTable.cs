using System.Text;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Http;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Routing;

/// <summary>
/// The servers of a listener by the request's host, in nginx's order: the exact name, the longest
/// mask in front, the longest one behind, the first expression, the default. Immutable.
/// </summary>
internal sealed class ServerTable
{
    /// <summary>Of a host's name (RFC 1035 section 2.3.4).</summary>
    private const int MaxNameLength = 255;

    private readonly Dictionary<string, VirtualServer> _exact = new(StringComparer.Ordinal);
    private readonly HostMasks<VirtualServer> _masks = new();
    private readonly List<(Expression Expression, VirtualServer Server)> _expressions = [];
    private readonly VirtualServer _default;
    private readonly bool _isAlone;

    /// <param name="servers">One or more; of a name that comes twice the first counts.</param>
    public ServerTable(IReadOnlyList<(ServerConfig Config, VirtualServer Server)> servers)
    {
        _default = servers.FirstOrDefault(pair => pair.Config.IsDefault).Server
            ?? servers[0].Server;
        foreach ((ServerConfig config, VirtualServer server) in servers)
        {
            foreach (string name in config.Names)
            {
                Add(name, server);
            }
        }

        // Groups of an expression are variables, so it is asked even where it decides nothing.
        _isAlone = servers.Count == 1 && _expressions.Count == 0;
    }

    /// <summary>Serves hosts that no name fits.</summary>
    public VirtualServer Default => _default;

    /// <param name="exchange">
    /// Is told of a match that failed (<see cref="Exchange.HasFailedMatch"/>): the default serves.
    /// </param>
    public VirtualServer Find(Exchange exchange)
    {
        if (_isAlone)
        {
            return _default;
        }

        ReadOnlySpan<byte> host = HostSyntax.NameOf(exchange.Host);
        if (host.Length > MaxNameLength)
        {
            return _default;
        }

        Span<byte> bytes = stackalloc byte[MaxNameLength];
        Span<char> chars = stackalloc char[MaxNameLength];
        int length = host.Length;
        for (int i = 0; i < length; i++)
        {
            bytes[i] = char.IsAsciiLetterUpper((char)host[i]) ? (byte)(host[i] | 0x20) : host[i];
            chars[i] = (char)bytes[i];
        }

        ReadOnlySpan<char> name = chars[..length];
        return _exact.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(
                name, out VirtualServer? server)
            || _masks.TryFind(name, out server)
                ? server
                : FindByExpression(bytes[..length], exchange) ?? _default;
    }

    private void Add(string name, VirtualServer server)
    {
        if (name.StartsWith('~'))
        {
            _expressions.Add((
                new Expression(name[1..], ignoresCase: true, VariableScope.Current), server));
            return;
        }

        string lower = Encoding.Latin1.GetString(
            Encoding.UTF8.GetBytes(name.ToLowerInvariant()));
        if (!_masks.TryAdd(lower, server))
        {
            _exact.TryAdd(lower, server);
        }
    }

    private VirtualServer? FindByExpression(ReadOnlySpan<byte> name, Exchange exchange)
    {
        foreach ((Expression expression, VirtualServer server) in _expressions)
        {
            switch (expression.Match(name, exchange))
            {
                case MatchOutcome.Match:
                    return server;
                case MatchOutcome.Failed:
                    exchange.HasFailedMatch = true;
                    return null;
            }
        }

        return null;
    }
}
