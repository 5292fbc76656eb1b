using System.Collections.Concurrent;
using Shouldly;
using Tessera.Proxy;
using Tessera.Tests.Proxy.Forwarding;
using Xunit;

namespace Tessera.Tests.Proxy.Telemetry;

public sealed class ErrorLogTests
{
    private readonly ConcurrentQueue<string> _lines = [];

    [Fact]
    public async Task Says_which_client_route_and_upstream_and_why()
    {
        var refusing = ScriptedServer.UnusedAddress();
        await using ProxyFixture proxy = ProxyFixture.Start(
            [refusing],
            Options(ErrorLevel.Warning),
            listener: l => l with
            {
                Routes = [new RouteConfig { Name = "shop", Backend = "web" }],
            });
        await proxy.GetAsync("/buy?x=1");
        string line = _lines.First(
            l => l.Contains("could not be reached", StringComparison.Ordinal));
        line.ShouldMatch(@"^\[(warn|error)\] the server could not be reached \(.*refused.*\)");
        line.ShouldContain($"client 127.0.0.1, listener {proxy.Address}, "
            + "request \"GET /buy?x=1\", host \"test\", route shop, backend web, "
            + $"upstream {refusing} (web-1), try 1");
    }

    [Fact]
    public async Task Tells_what_is_tried_again_from_what_failed()
    {
        using ScriptedServer alive = ScriptedServer.Named("x");
        await using ProxyFixture proxy = ProxyFixture.Start(
            [ScriptedServer.UnusedAddress(), alive.Address], Options(ErrorLevel.Warning));
        (await proxy.GetAsync()).ShouldBe("x");
        string line = _lines.Single(
            l => l.Contains("; trying another: ", StringComparison.Ordinal));
        line.ShouldStartWith("[warn] ");
    }

    [Theory]
    [InlineData(ErrorLevel.Notice, 1)]
    [InlineData(ErrorLevel.Warning, 0)]
    public async Task What_clients_do_is_told_only_on_request(ErrorLevel level, int lines)
    {
        await using ProxyFixture proxy = ProxyFixture.Start([], Options(level));
        await proxy.ExchangeAsync("GET /\u0001 HTTP/1.1\r\nHost: t\r\n\r\n");
        _lines.Count.ShouldBe(lines);
        _lines.ShouldAllBe(l => l.StartsWith("[notice] 400, ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_client_cannot_forge_a_line()
    {
        await using ProxyFixture proxy = ProxyFixture.Start(
            [ScriptedServer.UnusedAddress()], Options(ErrorLevel.Warning));
        await proxy.ExchangeAsync(
            "GET /\"\u00e9 HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
        _lines.ShouldAllBe(l => l.All(c => c >= ' ' && c < 0x7F));
    }

    private ProxyOptions Options(ErrorLevel level) =>
        new() { Reactors = 1, ErrorLog = _lines.Enqueue, ErrorLevel = level };
}
