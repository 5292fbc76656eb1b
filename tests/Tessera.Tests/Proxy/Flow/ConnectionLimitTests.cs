using Shouldly;
using Tessera.Proxy;
using Tessera.Tests.Proxy.Forwarding;
using Xunit;

namespace Tessera.Tests.Proxy.Flow;

public sealed class ConnectionLimitTests
{
    [Fact]
    public async Task One_request_too_many_is_refused_until_another_ends()
    {
        var release = new SemaphoreSlim(0);
        using ScriptedServer server = SlowServer(release);
        await using ProxyFixture proxy = Start(server, max: 2);
        Task<int> first = FlowFixture.StatusAsync(proxy);
        Task<int> second = FlowFixture.StatusAsync(proxy);
        await Eventually.BecomesTrueAsync(() => proxy.Status("web-1").InFlight == 2);
        (await FlowFixture.StatusAsync(proxy)).ShouldBe(503);
        release.Release(2);
        (await first).ShouldBe(200);
        (await second).ShouldBe(200);
        Task<int> third = FlowFixture.StatusAsync(proxy);
        release.Release();
        (await third).ShouldBe(200);
    }

    [Fact]
    public async Task A_place_is_free_again_however_the_exchange_ends()
    {
        var release = new SemaphoreSlim(0);
        using ScriptedServer server = SlowServer(release);
        await using ProxyFixture proxy = Start(server, max: 1);

        // The client goes away.
        ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync(FlowFixture.Get);
        await Eventually.BecomesTrueAsync(() => proxy.Status("web-1").InFlight == 1);
        (await FlowFixture.StatusAsync(proxy)).ShouldBe(503);
        client.Reset();
        await Eventually.BecomesTrueAsync(() => proxy.Server.ConnectionCount == 0);

        // The endpoint goes away.
        Task<int> cut = FlowFixture.StatusAsync(proxy);
        await Eventually.BecomesTrueAsync(() => proxy.Status("web-1").InFlight == 1);
        (await FlowFixture.StatusAsync(proxy)).ShouldBe(503);
        server.Dispose();
        (await cut).ShouldBe(502);
        (await FlowFixture.StatusAsync(proxy)).ShouldBe(502);
    }

    [Fact]
    public async Task A_configuration_in_between_forgets_nobody()
    {
        var release = new SemaphoreSlim(0);
        using ScriptedServer server = SlowServer(release);
        await using ProxyFixture proxy = Start(server, max: 1);
        Task<int> first = FlowFixture.StatusAsync(proxy);
        await Eventually.BecomesTrueAsync(() => proxy.Status("web-1").InFlight == 1);
        proxy.Apply(proxy.Backend with { Limits = new BackendLimits { ReadTimeoutMs = 9_999 } });
        (await FlowFixture.StatusAsync(proxy)).ShouldBe(503);
        release.Release(2);
        (await first).ShouldBe(200);
        (await FlowFixture.StatusAsync(proxy)).ShouldBe(200);
    }

    [Fact]
    public async Task One_connection_too_many_in_all_is_told_so()
    {
        using ScriptedServer server = ScriptedServer.Named("one");
        await using ProxyFixture proxy = ProxyFixture.Start(
            [server.Address], new ProxyOptions { Reactors = 2, MaxConnections = 2 });
        using ScriptedConnection first = await proxy.ConnectAsync();
        using ScriptedConnection second = await proxy.ConnectAsync();
        await Eventually.BecomesTrueAsync(() => proxy.Server.ConnectionCount == 2);
        string[] refused = await Task.WhenAll(
            Enumerable.Range(0, 5).Select(_ => proxy.ExchangeAsync(FlowFixture.Get)));
        foreach (string answer in refused)
        {
            answer.ShouldStartWith("HTTP/1.1 503 Service Unavailable\r\n");
            answer.ShouldContain("\r\nConnection: close\r\n");
            answer.ShouldContain("\r\nRetry-After: 1\r\n");
        }

        // Those that have a place keep it, and one that is given up can be taken.
        await second.SendAsync("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        (await second.ReadResponseAsync()).Body.ShouldBe("one");
        first.Close();
        await Eventually.BecomesTrueAsync(() => proxy.Server.ConnectionCount == 1);
        (await proxy.GetAsync()).ShouldBe("one");
    }

    [Fact]
    public async Task One_tcp_connection_too_many_is_closed()
    {
        using ScriptedServer server = ScriptedServer.Start(c => c.ReadToEndAsync());
        await using ProxyFixture proxy = ProxyFixture.Start(
            [server.Address],
            new ProxyOptions { Reactors = 1, MaxConnections = 1 },
            listener: l => l with { Protocol = ListenerProtocol.Tcp });
        using ScriptedConnection first = await proxy.ConnectAsync();
        await Eventually.BecomesTrueAsync(() => proxy.Server.ConnectionCount == 1);
        using ScriptedConnection second = await proxy.ConnectAsync();
        (await second.ReadToEndAsync()).ShouldBeEmpty();
    }

    private static ScriptedServer SlowServer(SemaphoreSlim release) => ScriptedServer.Start(
        async connection =>
        {
            while (await connection.ReadHeadAsync() is { Length: > 0 })
            {
                await release.WaitAsync();
                await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            }
        });

    private static ProxyFixture Start(ScriptedServer server, int max) => FlowFixture.Start(
        server.Address,
        new FlowConfig
        {
            ConnectionLimits = [new ConnectionLimitConfig { Zone = "clients", Max = max }],
        });
}
