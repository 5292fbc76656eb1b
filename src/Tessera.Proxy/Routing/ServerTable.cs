using System.Text;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Routing;

/// <summary>
/// The servers of a listener by the request's host, in nginx's order: the exact name, the longest
/// wildcard in front, the longest one behind, the first expression, the default. Immutable.
/// </summary>
internal sealed class ServerTable
{
    /// <summary>Of a host's name (RFC 1035 section 2.3.4).</summary>
    private const int MaxNameLength = 255;

    private readonly Dictionary<string, VirtualServer> _exact =
        new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<string, VirtualServer> _leading =
        new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<string, VirtualServer> _trailing =
        new(StringComparer.OrdinalIgnoreCase);
    private readonly List<(Expression Expression, VirtualServer Server)> _expressions = [];
    private readonly Dictionary<string, VirtualServer>.AlternateLookup<ReadOnlySpan<char>>
        _exactLookup;
    private readonly Dictionary<string, VirtualServer>.AlternateLookup<ReadOnlySpan<char>>
        _leadingLookup;
    private readonly Dictionary<string, VirtualServer>.AlternateLookup<ReadOnlySpan<char>>
        _trailingLookup;
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
        _exactLookup = _exact.GetAlternateLookup<ReadOnlySpan<char>>();
        _leadingLookup = _leading.GetAlternateLookup<ReadOnlySpan<char>>();
        _trailingLookup = _trailing.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    /// <summary>Serves hosts that no name fits.</summary>
    public VirtualServer Default => _default;

    public VirtualServer Find(Exchange exchange)
    {
        if (_isAlone)
        {
            return _default;
        }

        ReadOnlySpan<byte> host = WithoutPort(exchange.Host);
        if (host.Length > MaxNameLength)
        {
            return _default;
        }

        Span<char> buffer = stackalloc char[MaxNameLength];
        ReadOnlySpan<char> name = buffer[..Encoding.Latin1.GetChars(host, buffer)];
        return FindByName(name) ?? FindByExpression(host, exchange) ?? _default;
    }

    /// <summary>Without the root's dot too; an IPv6 literal keeps its brackets.</summary>
    internal static ReadOnlySpan<byte> WithoutPort(ReadOnlySpan<byte> host)
    {
        int colon = host.LastIndexOf((byte)':');
        if (colon >= 0 && !host[colon..].Contains((byte)']'))
        {
            host = host[..colon];
        }

        return host.EndsWith("."u8) ? host[..^1] : host;
    }

    private void Add(string name, VirtualServer server)
    {
        if (name.StartsWith('~'))
        {
            _expressions.Add((
                new Expression(name[1..], ignoresCase: true, VariableScope.Current), server));
        }
        else if (name.StartsWith('.'))
        {
            _exact.TryAdd(name[1..], server);
            _leading.TryAdd(name, server);
        }
        else if (name.StartsWith("*.", StringComparison.Ordinal))
        {
            _leading.TryAdd(name[1..], server);
        }
        else if (name.EndsWith(".*", StringComparison.Ordinal))
        {
            _trailing.TryAdd(name[..^1], server);
        }
        else
        {
            _exact.TryAdd(name, server);
        }
    }

    private VirtualServer? FindByName(ReadOnlySpan<char> name)
    {
        if (_exactLookup.TryGetValue(name, out VirtualServer? server))
        {
            return server;
        }

        if (_leading.Count > 0)
        {
            int dot = name.Length > 1 ? name[1..].IndexOf('.') + 1 : 0;
            while (dot > 0)
            {
                if (_leadingLookup.TryGetValue(name[dot..], out server))
                {
                    return server;
                }

                int next = name[(dot + 1)..].IndexOf('.');
                dot = next < 0 ? 0 : dot + 1 + next;
            }
        }

        for (int dot = _trailing.Count > 0 ? name.LastIndexOf('.') : 0; dot > 0;
            dot = name[..dot].LastIndexOf('.'))
        {
            if (_trailingLookup.TryGetValue(name[..(dot + 1)], out server))
            {
                return server;
            }
        }

        return null;
    }

    private VirtualServer? FindByExpression(ReadOnlySpan<byte> host, Exchange exchange)
    {
        if (_expressions.Count == 0)
        {
            return null;
        }

        Span<byte> lower = stackalloc byte[MaxNameLength];
        Ascii.ToLower(host, lower, out int length);
        foreach ((Expression expression, VirtualServer server) in _expressions)
        {
            if (expression.IsMatch(lower[..length], exchange))
            {
                return server;
            }
        }

        return null;
    }
}
