using System.Text;

namespace Tessera.Proxy.Routing;

/// <summary>
/// The routes of one host by path, in nginx's order: exact, then the longest prefix, unless an
/// expression matches. Where several routes fit as well, the one with more conditions is asked
/// first, then the one that was named first; one whose conditions do not hold is as if it were not
/// there. Immutable.
/// </summary>
internal sealed class PathTable
{
    private readonly Node[] _nodes;
    private readonly Route[] _patterns;

    /// <summary>To each pattern the routes of the same text, more conditions first.</summary>
    private readonly Route[][] _alike;

    public PathTable(IEnumerable<Route> routes)
    {
        Route[] all = [.. routes];
        Route[] patterns = [.. all.Where(route => route.PathPattern is not null)];
        _patterns = patterns;
        _alike = Array.ConvertAll(
            patterns, one => Sorted(patterns.Where(r => r.Config.Path == one.Config.Path)));
        _nodes =
        [
            .. all.Where(route => route.PathPattern is null)
                .GroupBy(TextOf)
                .Select(group => new Node(group.Key, group))
                .OrderBy(node => node, Comparer<Node>.Create(
                    (a, b) => a.Text.AsSpan().SequenceCompareTo(b.Text))),
        ];
        var above = new Stack<Node>();
        foreach (Node node in _nodes)
        {
            while (above.TryPeek(out Node? last) && !node.Text.AsSpan().StartsWith(last.Text))
            {
                above.Pop();
            }

            node.Parent = above.TryPeek(out Node? parent) ? parent : null;
            above.Push(node);
        }
    }

    /// <summary>Null when no route fits.</summary>
    public Route? Find(in RouteRequest request)
    {
        ReadOnlySpan<byte> path = request.Path;
        Node? longest = FindLongest(path);

        // (1) The whole path.
        if (longest is { Exact.Length: > 0 } && longest.Text.Length == path.Length
            && First(longest.Exact, request) is { } exact)
        {
            return exact;
        }

        // (2) The longest prefix, or the next shorter one.
        Route? prefix = null;
        for (Node? node = longest; node is not null && prefix is null; node = node.Parent)
        {
            prefix = First(node.PrefixesOf(path), request);
        }

        // (3) An expression wins over it, unless it says that none may.
        if (_patterns.Length == 0
            || prefix is { Config.Path.Kind: PathMatchKind.PrefixBeforeRegex })
        {
            return prefix;
        }

        for (int i = 0; i < _patterns.Length; i++)
        {
            if (Holds(_patterns[i], request) && _patterns[i].PathPattern!.IsMatch(path))
            {
                return First(_alike[i], request);
            }
        }

        return prefix;
    }

    /// <summary>Adds the methods of routes that fit in everything else.</summary>
    public void CollectMethods(in RouteRequest request, ISet<string> methods)
    {
        for (Node? node = FindLongest(request.Path); node is not null; node = node.Parent)
        {
            if (node.Text.Length == request.Path.Length)
            {
                Collect(node.Exact, request, methods);
            }

            Collect(node.PrefixesOf(request.Path), request, methods);
        }

        foreach (Route route in _patterns)
        {
            if (route.PathPattern!.IsMatch(request.Path))
            {
                Collect([route], request, methods);
            }
        }
    }

    private static void Collect(
        ReadOnlySpan<Route> routes, in RouteRequest request, ISet<string> methods)
    {
        foreach (Route route in routes)
        {
            if (route.Conditions is { } conditions && conditions.HoldBesidesMethod(request))
            {
                methods.UnionWith(conditions.Methods);
            }
        }
    }

    private static bool Holds(Route route, in RouteRequest request) =>
        route.Conditions is null || route.Conditions.Hold(request);

    private static Route? First(ReadOnlySpan<Route> routes, in RouteRequest request)
    {
        foreach (Route route in routes)
        {
            if (Holds(route, request))
            {
                return route;
            }
        }

        return null;
    }

    /// <summary>
    /// The greatest text that is not behind the path has every text between as its prefix, so the
    /// longest one that the path begins with is it or one of those above it.
    /// </summary>
    private Node? FindLongest(ReadOnlySpan<byte> path)
    {
        int low = 0;
        int high = _nodes.Length;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (_nodes[middle].Text.AsSpan().SequenceCompareTo(path) <= 0)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        Node? node = low > 0 ? _nodes[low - 1] : null;
        while (node is not null && !path.StartsWith(node.Text))
        {
            node = node.Parent;
        }

        return node;
    }

    /// <summary>
    /// "/api/" and "/api" mean the same segments; "/" is the empty prefix, which also takes "*".
    /// </summary>
    private static string TextOf(Route route)
    {
        PathMatch path = route.Config.Path;
        bool isAll = path.Text == "/" && path.Kind != PathMatchKind.Exact;
        return isAll ? ""
            : path.Kind == PathMatchKind.SegmentPrefix ? path.Text.TrimEnd('/')
            : path.Text;
    }

    /// <summary>More conditions first; among equals those named first.</summary>
    private static Route[] Sorted(IEnumerable<Route> routes) =>
        [.. routes.OrderByDescending(route => route.Conditions?.Count ?? 0)];

    /// <summary>All routes of one text. Immutable once the table is made.</summary>
    private sealed class Node
    {
        private readonly Route[] _segments;
        private readonly Route[] _all;

        public Node(string text, IEnumerable<Route> routes)
        {
            Text = Encoding.UTF8.GetBytes(text);
            Exact = Sorted(routes.Where(r => r.Config.Path.Kind == PathMatchKind.Exact));
            _all = Sorted(routes.Where(r => r.Config.Path.Kind != PathMatchKind.Exact));
            _segments = _all;
            if (text.Length > 0)
            {
                _all = [.. _all.Where(r => r.Config.Path.Kind != PathMatchKind.SegmentPrefix)];
            }
        }

        public byte[] Text { get; }

        public Route[] Exact { get; }

        /// <summary>The longest text that this one begins with.</summary>
        public Node? Parent { get; set; }

        /// <param name="path">Begins with <see cref="Text"/>.</param>
        public ReadOnlySpan<Route> PrefixesOf(ReadOnlySpan<byte> path) =>
            path.Length == Text.Length || path[Text.Length] == '/' ? _segments : _all;
    }
}
