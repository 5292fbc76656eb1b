using System.Text;

namespace Tessera.Proxy.Routing;

/// <summary>
/// Where the requests of one listener go: first by host, then by path, the longest match first.
/// Immutable: one read of it serves one request.
/// </summary>
internal sealed class RouteTable
{
    private readonly Dictionary<string, PathRoute[]> _hosts;
    private readonly Dictionary<string, PathRoute[]>.AlternateLookup<ReadOnlySpan<char>> _lookup;
    private readonly PathRoute[] _anyHost;

    public RouteTable(IEnumerable<Route> routes)
    {
        PathRoute[] all = [.. routes.Select(r => new PathRoute(r))];
        First = all.Length > 0 ? all[0].Route.Backend : null;
        _anyHost = LongestFirst(all.Where(r => r.Route.Config.Host is null));
        _hosts = all.Where(r => r.Route.Config.Host is not null)
            .GroupBy(r => r.Route.Config.Host!, StringComparer.OrdinalIgnoreCase)
            .ToDictionary(g => g.Key, LongestFirst, StringComparer.OrdinalIgnoreCase);
        _lookup = _hosts.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    /// <summary>The backend of the first route: all that a TCP listener looks at.</summary>
    public Backend? First { get; }

    /// <summary>Null when no route matches.</summary>
    /// <param name="host">As the client sent it, with or without port.</param>
    /// <param name="path">Decoded and normal, without query; empty for "*".</param>
    public Route? Find(ReadOnlySpan<byte> host, ReadOnlySpan<byte> path)
    {
        Route? route = null;
        if (_hosts.Count > 0)
        {
            route = FindHost(host, path);
        }

        return route ?? Find(_anyHost, path);
    }

    private static PathRoute[] LongestFirst(IEnumerable<PathRoute> routes) =>
        [.. routes.OrderByDescending(r => r.Text.Length)];

    private static Route? Find(PathRoute[] routes, ReadOnlySpan<byte> path)
    {
        foreach (PathRoute route in routes)
        {
            if (route.Matches(path))
            {
                return route.Route;
            }
        }

        return null;
    }

    private Route? FindHost(ReadOnlySpan<byte> host, ReadOnlySpan<byte> path)
    {
        ReadOnlySpan<byte> name = NameOf(host);
        if (name.Length > 255)
        {
            return null;
        }

        Span<char> text = stackalloc char[name.Length];
        int length = Encoding.Latin1.GetChars(name, text);
        return _lookup.TryGetValue(text[..length], out PathRoute[]? routes)
            ? Find(routes, path)
            : null;
    }

    /// <summary>
    /// The host without port and without the root's dot; an IPv6 literal keeps its brackets.
    /// </summary>
    private static ReadOnlySpan<byte> NameOf(ReadOnlySpan<byte> host)
    {
        int colon = host.LastIndexOf((byte)':');
        if (colon >= 0 && !host[colon..].Contains((byte)']'))
        {
            host = host[..colon];
        }

        return host.EndsWith("."u8) ? host[..^1] : host;
    }

    private sealed class PathRoute
    {
        private readonly PathMatchKind _kind;

        public PathRoute(Route route)
        {
            // "/api/" and "/api" mean the same segments; "/" is the empty prefix.
            PathMatch path = route.Config.Path;
            Route = route;
            _kind = path.Kind;
            Text = Encoding.UTF8.GetBytes(
                _kind == PathMatchKind.SegmentPrefix ? path.Text.TrimEnd('/') : path.Text);
        }

        public Route Route { get; }

        public byte[] Text { get; }

        public bool Matches(ReadOnlySpan<byte> path) => _kind switch
        {
            PathMatchKind.Exact => path.SequenceEqual(Text),
            PathMatchKind.SegmentPrefix => path.StartsWith(Text)
                && (path.Length == Text.Length || Text.Length == 0 || path[Text.Length] == '/'),
            _ => path.StartsWith(Text),
        };
    }
}
