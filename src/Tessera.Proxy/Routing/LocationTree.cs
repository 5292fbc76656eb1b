using System.Text;
using Tessera.Proxy.Forwarding;

namespace Tessera.Proxy.Routing;

/// <summary>What looking for a location has come to.</summary>
internal enum LocationOutcome : byte
{
    /// <summary>There is none: what surrounds the locations holds.</summary>
    None,
    Found,

    /// <summary>The path lacks the slash that the location ends with.</summary>
    LacksSlash,

    /// <summary>An expression failed: which location it is cannot be told.</summary>
    Failed,
}

/// <summary>
/// The locations of a server, or within a location, in nginx's order
/// (ngx_http_core_find_location): the exact one, then the longest prefix and those within it, then
/// expressions, of the innermost level first. Immutable.
/// </summary>
internal sealed class LocationTree
{
    private readonly Node[] _nodes;
    private readonly (Expression Expression, Route Route)[] _expressions;

    private enum SearchEnd : byte
    {
        Nothing,

        /// <summary>A prefix, over which an expression wins.</summary>
        Prefix,

        /// <summary>Nothing else is looked at.</summary>
        Settled,
        LacksSlash,
        Failed,
    }

    /// <param name="routes">Without named ones, which no path leads to.</param>
    public LocationTree(IReadOnlyList<Route> routes)
    {
        _expressions =
        [
            .. from route in routes
               where route.PathExpression is not null
               select (route.PathExpression, route),
        ];
        _nodes =
        [
            .. routes.Where(route => route.PathExpression is null)
                .GroupBy(route => route.Config.Path.Text)
                .Select(group => new Node(group.Key, [.. group]))
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

            node.Above = above.TryPeek(out Node? found) ? found : null;
            above.Push(node);
        }
    }

    /// <param name="exchange">Gets the groups of the expression that matches.</param>
    /// <param name="route">Null when there is none.</param>
    public LocationOutcome Find(Exchange exchange, out Route? route)
    {
        route = null;
        return Search(exchange, ref route) switch
        {
            SearchEnd.Nothing => LocationOutcome.None,
            SearchEnd.LacksSlash => LocationOutcome.LacksSlash,
            SearchEnd.Failed => LocationOutcome.Failed,
            _ => LocationOutcome.Found,
        };
    }

    /// <param name="route">The one around, and what is found within it.</param>
    private SearchEnd Search(Exchange exchange, ref Route? route)
    {
        // (1) By the text of the path; within the longest prefix there may be more.
        SearchEnd end = FindText(exchange.Path, ref route);
        bool skipsExpressions = false;
        if (end == SearchEnd.Prefix)
        {
            skipsExpressions = route!.Config.Path.Kind == PathMatchKind.PrefixBeforeRegex;
            SearchEnd within = route.Nested?.Search(exchange, ref route) ?? SearchEnd.Nothing;
            end = within >= SearchEnd.Settled ? within : end;
        }

        if (end >= SearchEnd.Settled || skipsExpressions)
        {
            return end;
        }

        // (2) The first expression, and what is within it.
        foreach ((Expression expression, Route candidate) in _expressions)
        {
            switch (expression.Match(exchange.Path, exchange))
            {
                case MatchOutcome.None:
                    continue;
                case MatchOutcome.Failed:
                    return SearchEnd.Failed;
            }

            route = candidate;
            SearchEnd within =
                candidate.Nested?.Search(exchange, ref route) ?? SearchEnd.Nothing;
            return within > SearchEnd.Settled ? within : SearchEnd.Settled;
        }

        return end;
    }

    private SearchEnd FindText(ReadOnlySpan<byte> path, ref Route? route)
    {
        Node? longest = FindLongest(path);
        bool isWhole = longest?.Text.Length == path.Length;
        if (isWhole && longest!.Exact is { } exact)
        {
            route = exact;
            return SearchEnd.Settled;
        }

        if (!(isWhole && longest!.Prefix is not null) && FindWithSlash(path) is { } slashed)
        {
            route = slashed;
            return SearchEnd.LacksSlash;
        }

        for (Node? node = longest; node is not null; node = node.Above)
        {
            if (node.Prefix is not null)
            {
                route = node.Prefix;
                return SearchEnd.Prefix;
            }
        }

        return SearchEnd.Nothing;
    }

    /// <summary>The location that is the path and a slash, if it sends clients there.</summary>
    private Route? FindWithSlash(ReadOnlySpan<byte> path)
    {
        foreach (Node node in _nodes.AsSpan(FirstBehind(path)))
        {
            if (!node.Text.AsSpan().StartsWith(path))
            {
                return null;
            }

            if (node.Text.Length == path.Length + 1 && node.Text[^1] == '/')
            {
                return node.AppendsSlash ? node.Exact ?? node.Prefix : null;
            }

            if (node.Text[path.Length] > '/')
            {
                return null;
            }
        }

        return null;
    }

    private Node? FindLongest(ReadOnlySpan<byte> path)
    {
        int index = FirstBehind(path);
        Node? node = index > 0 ? _nodes[index - 1] : null;
        while (node is not null && !path.StartsWith(node.Text))
        {
            node = node.Above;
        }

        return node;
    }

    private int FirstBehind(ReadOnlySpan<byte> path)
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

        return low;
    }

    /// <summary>The locations of one text. Immutable once the tree is made.</summary>
    private sealed class Node(string text, Route[] routes)
    {
        public byte[] Text { get; } = Encoding.UTF8.GetBytes(text);

        public Route? Exact { get; } =
            Array.Find(routes, r => r.Config.Path.Kind == PathMatchKind.Exact);

        public Route? Prefix { get; } =
            Array.Find(routes, r => r.Config.Path.Kind != PathMatchKind.Exact);

        public bool AppendsSlash { get; } =
            Array.Exists(routes, r => r.Config.Location is { AppendsSlash: true });

        /// <summary>The longest text that this one begins with.</summary>
        public Node? Above { get; set; }
    }
}
