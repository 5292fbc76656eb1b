using System.Text;

namespace Tessera.Proxy.Routing;

/// <summary>
/// Where the requests of one listener go: first by host, then by the longest path prefix, in whole
/// segments. Immutable: one read of it serves one request.
/// </summary>
internal sealed class RouteTable
{
    private readonly Dictionary<string, PathRoute[]> _hosts;
    private readonly Dictionary<string, PathRoute[]>.AlternateLookup<ReadOnlySpan<char>> _lookup;
    private readonly PathRoute[] _anyHost;

    public RouteTable(IEnumerable<RouteConfig> routes, Func<string, Backend?> findBackend)
    {
        PathRoute[] all =
        [
            .. from route in routes
               let backend = findBackend(route.Backend)
               where backend is not null
               select new PathRoute(route.Host, PrefixOf(route.PathPrefix), backend),
        ];
        First = all.Length > 0 ? all[0].Backend : null;
        _anyHost = LongestFirst(all.Where(r => r.Host is null));
        _hosts = all.Where(r => r.Host is not null)
            .GroupBy(r => r.Host!, StringComparer.OrdinalIgnoreCase)
            .ToDictionary(g => g.Key, LongestFirst, StringComparer.OrdinalIgnoreCase);
        _lookup = _hosts.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    /// <summary>The backend of the first route: all that a TCP listener looks at.</summary>
    public Backend? First { get; }

    /// <summary>Null when no route matches.</summary>
    /// <param name="host">As the client sent it, with or without port.</param>
    /// <param name="path">Without query; empty for "*".</param>
    public Backend? Find(ReadOnlySpan<byte> host, ReadOnlySpan<byte> path)
    {
        Backend? backend = null;
        if (_hosts.Count > 0)
        {
            backend = FindHost(host, path);
        }

        return backend ?? Find(_anyHost, path);
    }

    private static PathRoute[] LongestFirst(IEnumerable<PathRoute> routes) =>
        [.. routes.OrderByDescending(r => r.Prefix.Length)];

    /// <summary>"/api/" and "/api" mean the same segments; "/" is the empty prefix.</summary>
    private static byte[] PrefixOf(string path) => Encoding.UTF8.GetBytes(path.TrimEnd('/'));

    private static Backend? Find(PathRoute[] routes, ReadOnlySpan<byte> path)
    {
        foreach (PathRoute route in routes)
        {
            if (route.Matches(path))
            {
                return route.Backend;
            }
        }

        return null;
    }

    private Backend? FindHost(ReadOnlySpan<byte> host, ReadOnlySpan<byte> path)
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

    private sealed record PathRoute(string? Host, byte[] Prefix, Backend Backend)
    {
        public bool Matches(ReadOnlySpan<byte> path) =>
            path.StartsWith(Prefix)
            && (path.Length == Prefix.Length || Prefix.Length == 0 || path[Prefix.Length] == '/');
    }
}
