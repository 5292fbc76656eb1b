using System.Text;
using Shouldly;
using Tessera.Proxy;
using Tessera.Proxy.Routing;
using Xunit;

namespace Tessera.Tests.Proxy.Routing;

public sealed class RouteTableTests
{
    private readonly Dictionary<string, Backend> _backends = [];

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
    [InlineData("c.example", "", "any")]
    public void Finds_the_longest_prefix_of_the_host(string host, string path, string expected)
    {
        RouteTable table = Create(
            ("a.example", "/", "a"),
            ("a.example", "/api/", "a-api"),
            ("a.example", "/api/deep", "a-deep"),
            ("b.example", "/only", "b-only"),
            ("[::1]", "/", "six"),
            (null, "/", "any"));
        Find(table, host, path).ShouldBe(expected);
    }

    [Fact]
    public void Finds_nothing_where_nothing_is_served()
    {
        RouteTable table = Create(("a.example", "/api", "a"));
        Find(table, "a.example", "/").ShouldBeNull();
        Find(table, "b.example", "/api").ShouldBeNull();
        Find(table, new string('h', 5_000), "/api").ShouldBeNull();
    }

    [Fact]
    public void Gives_a_tunnel_the_first_route()
    {
        Create(("a", "/x", "first"), (null, "/", "second")).First!.Name.ShouldBe("first");
        Create().First.ShouldBeNull();
    }

    private static string? Find(RouteTable table, string host, string path) =>
        table.Find(Encoding.ASCII.GetBytes(host), Encoding.ASCII.GetBytes(path))?.Backend!.Name;

    private RouteTable Create(params (string? Host, string Path, string Backend)[] routes) =>
        new(routes.Select(r => new Route(
            new RouteConfig { Host = r.Host, Path = PathMatch.Below(r.Path), Backend = r.Backend },
            FindBackend(r.Backend))));

    private Backend FindBackend(string name)
    {
        _backends.TryAdd(
            name, new Backend(name, new BackendSet(new BackendConfig { Name = name }, []), 1));
        return _backends[name];
    }
}
