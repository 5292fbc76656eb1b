using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Tessera.Proxy;
using Tessera.Proxy.Http;
using Tessera.Proxy.Routing;
using Xunit;

namespace Tessera.Tests.Proxy.Routing;

public sealed class RouteTableTests
{
    [Theory]
    [InlineData("a.example", "/", "a")]
    [InlineData("A.EXAMPLE:8080", "/x", "a")]
    [InlineData("a.example.", "/x", "a")]
    [InlineData("a.example", "/api", "a-api")]
    [InlineData("a.example", "/api/v1", "a-api")]
    [InlineData("a.example", "/apiary", "a")]
    [InlineData("a.example", "/api/deep/er", "a-deep")]
    [InlineData("b.example", "/only/this", "b-only")]
    [InlineData("b.example", "/other", "any")]
    [InlineData("[::1]:80", "/", "six")]
    [InlineData("", "/", "any")]
    public void Finds_the_longest_prefix_of_the_host(string host, string path, string expected)
    {
        RouteTable table = Create(
            Below("a", "/", "a.example"),
            Below("a-api", "/api/", "a.example"),
            Below("a-deep", "/api/deep", "a.example"),
            Below("b-only", "/only", "b.example"),
            Below("six", "/", "[::1]"),
            Below("any", "/"));
        Find(table, host, path).ShouldBe(expected);
    }

    [Theory]
    [InlineData("www.example.com", "exact")]
    [InlineData("WWW.Example.Com", "exact")]
    [InlineData("a.example.com", "wild")]
    [InlineData("b.a.example.com", "deep")]
    [InlineData("c.b.a.example.com", "deep")]
    [InlineData("example.com", "any")]
    [InlineData("www.example.org", "tail")]
    [InlineData("www.example.co.uk", "long-tail")]
    [InlineData("www.example.com.evil", "tail")]
    [InlineData("badexample.com", "any")]
    public void Finds_the_most_specific_host(string host, string expected)
    {
        RouteTable table = Create(
            Below("any", "/"),
            Below("tail", "/", "www.example.*"),
            Below("long-tail", "/", "www.example.co.*"),
            Below("wild", "/", "*.example.com"),
            Below("deep", "/", "*.a.example.com"),
            Below("exact", "/", "www.example.com"));
        Find(table, host, "/").ShouldBe(expected);
    }

    [Theory]
    [InlineData("/", "exact")]
    [InlineData("/index", "all")]
    [InlineData("/documents/a", "documents")]
    [InlineData("/documents/1.jpg", "pictures")]
    [InlineData("/images/1.gif", "images")]
    [InlineData("/1.JPG", "pictures")]
    [InlineData("/docs", "raw")]
    public void Takes_paths_in_the_order_of_nginx(string path, string expected)
    {
        // The example of nginx's "location".
        RouteTable table = Create(
            Path("exact", PathMatchKind.Exact, "/"),
            Path("all", PathMatchKind.Prefix, "/"),
            Path("documents", PathMatchKind.Prefix, "/documents/"),
            Path("raw", PathMatchKind.Prefix, "/doc"),
            Path("images", PathMatchKind.PrefixBeforeRegex, "/images/"),
            Path("pictures", PathMatchKind.RegexIgnoreCase, @"\.(gif|jpg|jpeg)$"),
            Path("late", PathMatchKind.Regex, @"\.jpg$"));
        Find(table, "h", path).ShouldBe(expected);
    }

    [Theory]
    [InlineData("GET / HTTP/1.1", "", "any")]
    [InlineData("POST / HTTP/1.1", "", "post")]
    [InlineData("POST / HTTP/1.1", "X-Beta: 1\r\n", "post-beta")]
    [InlineData("GET / HTTP/1.1", "x-beta: 1\r\n", "any")]
    [InlineData("GET /?debug HTTP/1.1", "", "debug")]
    [InlineData("GET /?a=1&debug=yes HTTP/1.1", "", "debug")]
    [InlineData("GET /?user=an%6Ea HTTP/1.1", "", "user")]
    [InlineData("GET /?user=bob HTTP/1.1", "", "any")]
    [InlineData("GET / HTTP/1.1", "Accept: text/html\r\nAccept: image/webp\r\n", "webp")]
    [InlineData("GET / HTTP/1.1", "X_Under: 1\r\n", "any")]
    public void More_conditions_win(string line, string fields, string expected)
    {
        RouteTable table = Create(
            Below("any", "/"),
            Below("post", "/") with { Methods = ["POST"] },
            Below("post-beta", "/") with
            {
                Methods = ["POST"],
                Headers = [new ValueMatch("X-Beta", "1")],
            },
            Below("debug", "/") with { Query = [new ValueMatch("debug")] },
            Below("user", "/") with { Query = [new ValueMatch("user", "anna")] },
            Below("webp", "/") with { Headers = [new ValueMatch("accept", Pattern: "^image/")] },
            Below("under", "/") with { Headers = [new ValueMatch("X_Under", "1")] });
        Ask(table, $"{line}\r\nHost: h\r\n{fields}\r\n").Name.ShouldBe(expected);
    }

    [Fact]
    public void Falls_to_the_next_best_route_and_names_methods_when_there_is_none()
    {
        RouteTable table = Create(
            Below("deep", "/api/users") with { Methods = ["GET", "PUT"] },
            Below("api", "/api") with { Methods = ["DELETE"] });
        Ask(table, "HEAD /api/users/1 HTTP/1.1\r\nHost: h\r\n\r\n").Name.ShouldBe("deep");
        Ask(table, "DELETE /api/users HTTP/1.1\r\nHost: h\r\n\r\n").Name.ShouldBe("api");
        Ask(table, "POST /api/users HTTP/1.1\r\nHost: h\r\n\r\n")
            .ShouldBe((null, "DELETE, GET, PUT"));
        Ask(table, "POST /other HTTP/1.1\r\nHost: h\r\n\r\n").ShouldBe((null, null));
    }

    [Fact]
    public void Finds_nothing_where_nothing_is_served()
    {
        RouteTable table = Create(Below("a", "/api", "a.example"));
        Find(table, "a.example", "/").ShouldBeNull();
        Find(table, "b.example", "/api").ShouldBeNull();
        Find(table, new string('h', 5_000), "/api").ShouldBeNull();
    }

    [Fact]
    public void Gives_a_tunnel_the_first_route()
    {
        var first = new Backend(
            "first", new BackendSet(new BackendConfig { Name = "first" }, []), 1);
        new RouteTable([new Route(Below("x", "/x", "a"), first)]).First.ShouldBe(first);
        Create().First.ShouldBeNull();
    }

    [Fact]
    public void A_hostile_path_costs_an_expression_no_more_than_its_length()
    {
        RouteTable table = Create(Path("slow", PathMatchKind.Regex, "^/(a+)+$"));
        long start = TimeProvider.System.GetTimestamp();
        Find(table, "h", "/" + new string('a', 20_000) + "!").ShouldBeNull();
        TimeProvider.System.GetElapsedTime(start).ShouldBeLessThan(TimeSpan.FromSeconds(2));
    }

    [Fact]
    public void Finding_allocates_nothing()
    {
        RouteTable table = Create(
            Below("any", "/", "*.example.com"),
            Path("one", PathMatchKind.Regex, @"^/\d+/x$"),
            Below("two", "/a/b") with { Query = [new ValueMatch("q", "1")] });
        using var request = new ParsedText(
            "GET /12/x?q=1 HTTP/1.1\r\nHost: a.b.example.org\r\n\r\n");
        for (int i = 0; i < 100; i++)
        {
            table.Find(request.Request);
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1_000; i++)
        {
            table.Find(request.Request);
        }

        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBe(0);
    }

    /// <summary>Against the definition, read off naively.</summary>
    [Fact]
    public void Agrees_with_a_naive_reading()
    {
        Gen<string> path = Gen.Elements("a", "b", "ab").ListOf()
            .Select(parts => "/" + string.Join('/', parts.Take(3)));
        Gen<RouteConfig> route =
            from kind in Gen.Elements(
                PathMatchKind.SegmentPrefix, PathMatchKind.Prefix,
                PathMatchKind.PrefixBeforeRegex, PathMatchKind.Exact, PathMatchKind.Regex)
            from text in path
            from method in Gen.Elements("", "", "POST")
            select Path("", kind, text) with
            {
                Methods = method.Length == 0 ? [] : [method],
            };
        Prop.ForAll(
            route.ListOf().ToArbitrary(), path.ToArbitrary(), (routes, asked) =>
            {
                RouteConfig[] named =
                    [.. routes.Take(12).Select((r, i) => r with { Name = $"{i}" })];
                Find(Create(named), "h", asked).ShouldBe(
                    NaiveFind(named, asked),
                    asked + " among " + string.Join(
                        ", ", named.Select(r => $"{r.Name} {r.Path} {r.Methods.Length}")));
            }).QuickCheckThrowOnFailure();
    }

    private static string? NaiveFind(RouteConfig[] routes, string path)
    {
        // Those for POST never hold here, so that only paths and order decide.
        RouteConfig[] open = [.. routes.Where(r => r.Methods.IsEmpty)];
        RouteConfig? exact = open.FirstOrDefault(
            r => r.Path.Kind == PathMatchKind.Exact && r.Path.Text == path);
        RouteConfig? prefix = open.Where(r => r.Path.Kind switch
        {
            PathMatchKind.SegmentPrefix =>
                (path + "/").StartsWith(r.Path.Text.TrimEnd('/') + "/", StringComparison.Ordinal),
            PathMatchKind.Prefix or PathMatchKind.PrefixBeforeRegex =>
                path.StartsWith(r.Path.Text, StringComparison.Ordinal),
            _ => false,
        }).OrderByDescending(r => r.Path.Text == "/" ? 0 : r.Path.Text.Length).FirstOrDefault();
        RouteConfig? expression = open.FirstOrDefault(r => r.Path.Kind == PathMatchKind.Regex
            && path.Contains(r.Path.Text, StringComparison.Ordinal));
        return (exact
            ?? (prefix is { Path.Kind: PathMatchKind.PrefixBeforeRegex } ? prefix : null)
            ?? expression ?? prefix)?.Name;
    }

    private static RouteConfig Below(string name, string path, string? host = null) =>
        new() { Name = name, Host = host, Path = PathMatch.Below(path) };

    private static RouteConfig Path(string name, PathMatchKind kind, string text) =>
        new() { Name = name, Path = new PathMatch(kind, text) };

    private static RouteTable Create(params RouteConfig[] routes) =>
        new(routes.Select(config => new Route(config, backend: null)));

    private static string? Find(RouteTable table, string host, string path)
    {
        using var text = new ParsedText("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        RouteRequest request = text.Request;
        return table.Find(new RouteRequest
        {
            Host = Encoding.ASCII.GetBytes(host),
            Path = Encoding.ASCII.GetBytes(path),
            Head = request.Head,
            Received = request.Received,
        })?.Config.Name;
    }

    private static (string? Name, string? Methods) Ask(RouteTable table, string head)
    {
        using var text = new ParsedText(head);
        return (table.Find(text.Request)?.Config.Name, table.FindMethods(text.Request));
    }

    /// <summary>A request as the parser leaves it.</summary>
    private sealed class ParsedText : IDisposable
    {
        private readonly byte[] _bytes;
        private readonly RequestHead _head = new(16);

        public ParsedText(string text)
        {
            _bytes = Encoding.ASCII.GetBytes(text);
            _head.Parse(_bytes, 65_536).ShouldBe(ParseStatus.Complete);
        }

        public RouteRequest Request
        {
            get
            {
                ReadOnlySpan<byte> target =
                    _bytes.AsSpan(_head.OriginFormStart, _head.OriginFormLength);
                return new RouteRequest
                {
                    Host = _bytes.AsSpan(_head.HostStart, _head.HostLength),
                    Path = target[.._head.PathLength],
                    Query = target[Math.Min(_head.PathLength + 1, target.Length)..],
                    Head = _head,
                    Received = _bytes,
                };
            }
        }

        public void Dispose() => _head.Reset();
    }
}
