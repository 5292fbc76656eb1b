using Shouldly;
using Tessera.Proxy;
using Tessera.Tests.Proxy.Forwarding;
using Xunit;

namespace Tessera.Tests.Proxy.Telemetry;

public sealed class MetricsTests
{
    [Fact]
    public async Task Counts_requests_by_route_and_status_class()
    {
        using ScriptedServer server = ScriptedServer.Reply(head =>
            head.StartsWith("GET /bad", StringComparison.Ordinal)
                ? "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"
                : "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        await using ProxyFixture proxy = ProxyFixture.Start(
            [server.Address],
            listener: l => l with
            {
                Routes =
                [
                    new RouteConfig { Name = "api", Backend = "web", Path = PathMatch.Below("/a") },
                    new RouteConfig { Backend = "web", Path = PathMatch.Below("/bad") },
                ],
            });
        for (int i = 0; i < 3; i++)
        {
            await proxy.GetAsync("/a");
        }

        await proxy.GetAsync("/bad");
        await proxy.GetAsync("/nowhere");
        ProxyMetrics metrics = await WhenCountedAsync(proxy, requests: 5);

        RequestTotals api = Of(metrics, "api");
        api.ByStatusClass.ShouldBe([0, 0, 3, 0, 0, 0]);
        api.Duration.Counts.Sum().ShouldBe(3);
        api.UpstreamDuration.Counts.Sum().ShouldBe(3);
        api.BytesReceived.ShouldBe(3 * "GET /a HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
            .Length);
        api.BytesSent.ShouldBeGreaterThan(3 * 40);
        Of(metrics, "/bad").ByStatusClass[5].ShouldBe(1);
        Of(metrics, "").ByStatusClass[4].ShouldBe(1);
        metrics.Reactors.Sum(r => r.Accepted).ShouldBe(5);
        metrics.Reactors.ShouldAllBe(r => r.Turns > 0 && r.BusySeconds > 0);
        metrics.Backends.Single().Endpoints.Single().Requests.ShouldBe(4);
    }

    [Fact]
    public async Task Counts_retries_and_the_errors_that_nobody_made_good()
    {
        using ScriptedServer dying = ScriptedServer.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            connection.Reset();
        });
        await using ProxyFixture proxy = ProxyFixture.Start([dying.Address, dying.Address]);
        await proxy.GetAsync();
        ProxyMetrics metrics = await WhenCountedAsync(proxy, requests: 1);
        RequestTotals requests = Of(metrics, "/");
        requests.ByStatusClass[5].ShouldBe(1);
        requests.Retries.ShouldBe(1);
        requests.Errors.ShouldHaveSingleItem().Count.ShouldBe(1);
    }

    [Fact]
    public async Task Counts_those_that_waited()
    {
        await using ProxyFixture proxy = ProxyFixture.Start(
            [],
            backend: b => b with { Limits = new BackendLimits { HoldTimeoutMs = 50 } });
        await proxy.GetAsync();
        RequestTotals requests = Of(await WhenCountedAsync(proxy, requests: 1), "/");
        requests.Held.ShouldBe(1);
        requests.HeldMs.ShouldBeInRange(50, 5_000);
        requests.Errors.ShouldBe([new KindTotal("hold_timeout", 1)]);
    }

    [Fact]
    public async Task A_route_counts_on_when_the_configuration_changes_and_ends_with_it()
    {
        using ScriptedServer server = ScriptedServer.Named("x");
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        await proxy.GetAsync();
        await WhenCountedAsync(proxy, requests: 1);
        proxy.Apply(proxy.Backend with { HashKey = "$uri" });
        await proxy.GetAsync();
        Of(await WhenCountedAsync(proxy, requests: 2), "/").ByStatusClass[2].ShouldBe(2);
        proxy.Server.Apply(ProxyConfig.Empty);
        proxy.Server.GetMetrics().Routes.ShouldNotContain(r => r.Route == "/");
    }

    [Fact]
    public async Task Shows_the_connections_of_this_moment()
    {
        var asked = new TaskCompletionSource();
        var answer = new TaskCompletionSource();
        using ScriptedServer server = ScriptedServer.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            asked.SetResult();
            await answer.Task;
            await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        });
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        using ScriptedConnection idle = await proxy.ConnectAsync();
        using ScriptedConnection busy = await proxy.ConnectAsync();
        await busy.SendAsync("GET / HTTP/1.1\r\nHost: t\r\n\r\n");
        await asked.Task;
        await Eventually.BecomesTrueAsync(
            () => proxy.Server.GetMetrics().Reactors.Sum(r => r.Connections) == 2);
        proxy.Server.GetMetrics().Reactors.Sum(r => r.Active).ShouldBe(1);
        answer.SetResult();
        await busy.ReadResponseAsync();
        await Eventually.BecomesTrueAsync(
            () => proxy.Server.GetMetrics().Reactors.Sum(r => r.Active) == 0);
    }

    private static RequestTotals Of(ProxyMetrics metrics, string route) =>
        metrics.Routes.Single(r => r.Route == route).Requests;

    /// <summary>A request is counted just after its last byte was sent.</summary>
    private static async Task<ProxyMetrics> WhenCountedAsync(ProxyFixture proxy, int requests)
    {
        await Eventually.BecomesTrueAsync(() => proxy.Server.GetMetrics().Routes
            .Sum(r => r.Requests.ByStatusClass.Sum()) >= requests);
        return proxy.Server.GetMetrics();
    }
}
