using System.Text;

namespace Tessera.Proxy.Routing;

/// <summary>
/// Where the requests of one listener go: by the most specific host that has a route for them
/// (exact, longest leading wildcard, longest trailing wildcard, none), there by path and conditions
/// (<see cref="PathTable"/>). Immutable: one read of it serves one request.
/// </summary>
internal sealed class RouteTable
{
    /// <summary>Of a host's name (RFC 1035 section 2.3.4).</summary>
    private const int MaxNameLength = 255;

    private readonly HostSet _exact;
    private readonly HostSet _leading;
    private readonly HostSet _trailing;
    private readonly PathTable _anyHost;
    private readonly Route? _only;
    private readonly bool _hasMethods;

    /// <summary>A table of servers, which have the routes.</summary>
    public RouteTable(ServerTable servers)
        : this([]) => Servers = servers;

    public RouteTable(IEnumerable<Route> routes)
    {
        Route[] all = [.. routes];
        First = all.Length > 0 ? all[0].Backend : null;
        FirstRoute = all.Length > 0 ? all[0] : null;
        _anyHost = new PathTable(all.Where(route => route.Config.Host is null));
        _leading = new HostSet(all, host => host.StartsWith("*.", StringComparison.Ordinal)
            ? host[1..]
            : null);
        _trailing = new HostSet(all, host => host.EndsWith(".*", StringComparison.Ordinal)
            ? host[..^1]
            : null);
        _exact = new HostSet(all, host => host.Contains('*', StringComparison.Ordinal)
            ? null
            : host);
        _only = all is [{ Conditions: null, PathPattern: null } one] && one.Config.Host is null
            && one.Config.Path is { Kind: not PathMatchKind.Exact, Text: "/" }
            ? one
            : null;
        _hasMethods = all.Any(route => route.Conditions is { Methods.IsEmpty: false });
    }

    /// <summary>The backend of the first route: all that a TCP listener looks at.</summary>
    public Backend? First { get; }

    /// <summary>Null when there is none.</summary>
    public Route? FirstRoute { get; }

    /// <summary>
    /// Where requests belong that are refused before any route is looked for; null without servers.
    /// </summary>
    public Route? Default => Servers?.Default.Fallback;

    /// <summary>Connections begin with the head of a proxy before this one.</summary>
    public bool ExpectsProxyProtocol { get; init; }

    /// <summary>
    /// Null when routes are looked for by host and path at once, which is what
    /// <see cref="Find"/> does.
    /// </summary>
    public ServerTable? Servers { get; }

    /// <summary>Null when no route fits.</summary>
    public Route? Find(in RouteRequest request)
    {
        // A service without routes of its own, which is what most listeners have.
        if (_only is not null)
        {
            return _only;
        }

        return (HasHosts ? FindByHost(request) : null) ?? _anyHost.Find(request);
    }

    /// <summary>
    /// For a request that no route fits: the methods with which one would (RFC 9110 section
    /// 15.5.6). Null when it is not its method that is wrong.
    /// </summary>
    public string? FindMethods(in RouteRequest request)
    {
        if (!_hasMethods)
        {
            return null;
        }

        var methods = new SortedSet<string>(StringComparer.Ordinal);
        Span<char> buffer = stackalloc char[MaxNameLength];
        if (TryName(request.Host, buffer, out ReadOnlySpan<char> name))
        {
            _exact.Find(name)?.CollectMethods(request, methods);
            for (int dot = NextDot(name, 0); dot >= 0; dot = NextDot(name, dot + 1))
            {
                _leading.Find(name[dot..])?.CollectMethods(request, methods);
                _trailing.Find(name[..(dot + 1)])?.CollectMethods(request, methods);
            }
        }

        _anyHost.CollectMethods(request, methods);
        return methods.Count > 0 ? string.Join(", ", methods) : null;
    }

    private bool HasHosts => !_exact.IsEmpty || !_leading.IsEmpty || !_trailing.IsEmpty;

    private Route? FindByHost(in RouteRequest request)
    {
        Span<char> buffer = stackalloc char[MaxNameLength];
        if (!TryName(request.Host, buffer, out ReadOnlySpan<char> name))
        {
            return null;
        }

        Route? route = _exact.Find(name)?.Find(request);
        if (!_leading.IsEmpty)
        {
            for (int dot = NextDot(name, 0); dot >= 0 && route is null;
                dot = NextDot(name, dot + 1))
            {
                route = _leading.Find(name[dot..])?.Find(request);
            }
        }

        if (!_trailing.IsEmpty)
        {
            for (int dot = name.LastIndexOf('.'); dot > 0 && route is null;
                dot = name[..dot].LastIndexOf('.'))
            {
                route = _trailing.Find(name[..(dot + 1)])?.Find(request);
            }
        }

        return route;
    }

    private static int NextDot(ReadOnlySpan<char> name, int start)
    {
        int dot = name[start..].IndexOf('.');
        return dot < 0 ? -1 : start + dot;
    }

    /// <summary>
    /// The host without port and without the root's dot; an IPv6 literal keeps its brackets. False
    /// for one that is longer than any name.
    /// </summary>
    private static bool TryName(
        ReadOnlySpan<byte> host, Span<char> buffer, out ReadOnlySpan<char> name)
    {
        int colon = host.LastIndexOf((byte)':');
        if (colon >= 0 && !host[colon..].Contains((byte)']'))
        {
            host = host[..colon];
        }

        host = host.EndsWith("."u8) ? host[..^1] : host;
        bool fits = host.Length <= buffer.Length;
        name = fits ? buffer[..Encoding.Latin1.GetChars(host, buffer)] : default;
        return fits;
    }

    /// <summary>Hosts of one kind, without regard to letter case. Immutable.</summary>
    private sealed class HostSet
    {
        private readonly Dictionary<string, PathTable> _tables;
        private readonly Dictionary<string, PathTable>.AlternateLookup<ReadOnlySpan<char>> _lookup;

        /// <param name="keyOf">Null for a host of another kind.</param>
        public HostSet(IEnumerable<Route> routes, Func<string, string?> keyOf)
        {
            _tables = routes.Where(route => route.Config.Host is not null)
                .Select(route => (Key: keyOf(route.Config.Host!), Route: route))
                .Where(pair => pair.Key is not null)
                .GroupBy(pair => pair.Key!, pair => pair.Route, StringComparer.OrdinalIgnoreCase)
                .ToDictionary(
                    group => group.Key, group => new PathTable(group),
                    StringComparer.OrdinalIgnoreCase);
            _lookup = _tables.GetAlternateLookup<ReadOnlySpan<char>>();
        }

        public bool IsEmpty => _tables.Count == 0;

        public PathTable? Find(ReadOnlySpan<char> key) =>
            _lookup.TryGetValue(key, out PathTable? table) ? table : null;
    }
}
