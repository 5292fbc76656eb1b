using Shouldly;
using Tessera.Proxy;
using Xunit;

namespace Tessera.Tests.Proxy.Forwarding;

public sealed class HoldTests
{
    [Fact]
    public async Task Holds_a_request_until_an_endpoint_is_ready()
    {
        using ScriptedServer server = ScriptedServer.Named("ready");
        await using ProxyFixture proxy = ProxyFixture.Start([]);
        Task<string>[] waiting = [.. Enumerable.Range(0, 20).Select(_ => proxy.GetAsync())];
        await Eventually.BecomesTrueAsync(() => proxy.Server.GetStatus()[0].Held == 20);
        proxy.SetEndpoints(ProxyFixture.Endpoint("a", server.Address, EndpointState.Out));
        waiting.ShouldAllBe(w => !w.IsCompleted);
        proxy.SetEndpoints(ProxyFixture.Endpoint("a", server.Address));
        (await Task.WhenAll(waiting)).ShouldAllBe(body => body == "ready");
        proxy.Server.GetStatus()[0].Held.ShouldBe(0);
    }

    [Fact]
    public async Task Refuses_more_than_the_queue_holds()
    {
        await using ProxyFixture proxy = ProxyFixture.Start(
            [], backend: b => b with { Limits = new BackendLimits { HoldQueueLength = 2 } });
        using ScriptedConnection first = await SendGetAsync(proxy);
        using ScriptedConnection second = await SendGetAsync(proxy);
        await Eventually.BecomesTrueAsync(() => proxy.Server.GetStatus()[0].Held == 2);
        using ScriptedConnection third = await SendGetAsync(proxy);
        string head = await third.ReadHeadAsync();
        head.ShouldStartWith("HTTP/1.1 503 Service Unavailable\r\n");
        head.ShouldContain("\r\nRetry-After: ");
    }

    [Fact]
    public async Task Gives_up_after_the_hold_time()
    {
        await using ProxyFixture proxy = ProxyFixture.Start(
            [], backend: b => b with { Limits = new BackendLimits { HoldTimeoutMs = 150 } });
        (await proxy.GetAsync()).ShouldStartWith("503 Service Unavailable");
        proxy.Server.GetStatus()[0].Held.ShouldBe(0);
    }

    [Fact]
    public async Task Does_not_hold_for_what_is_stopped()
    {
        await using ProxyFixture proxy = ProxyFixture.Start(
            [], backend: b => b with { UnavailableReason = "stopped by the user" });
        (await proxy.GetAsync()).ShouldBe("503 Service Unavailable\nstopped by the user\n");
    }

    [Fact]
    public async Task Lets_go_of_what_is_held_when_it_is_stopped()
    {
        await using ProxyFixture proxy = ProxyFixture.Start([]);
        Task<string> waiting = proxy.GetAsync();
        await Eventually.BecomesTrueAsync(() => proxy.Server.GetStatus()[0].Held == 1);
        proxy.Apply(proxy.Backend with { UnavailableReason = "stopped by the user" });
        (await waiting).ShouldContain("stopped by the user");
    }

    [Fact]
    public async Task Forgets_a_held_client_that_hangs_up()
    {
        await using ProxyFixture proxy = ProxyFixture.Start([]);
        ScriptedConnection client = await SendGetAsync(proxy);
        await Eventually.BecomesTrueAsync(() => proxy.Server.GetStatus()[0].Held == 1);
        client.Close();
        await Eventually.BecomesTrueAsync(() => proxy.Server.GetStatus()[0].Held == 0);
    }

    [Fact]
    public async Task Holds_a_request_that_every_managed_endpoint_refused_until_news_comes()
    {
        using ScriptedServer server = ScriptedServer.Named("next");
        await using ProxyFixture proxy = ProxyFixture.Start(
            [ScriptedServer.UnusedAddress()], backend: b => b with { IsManaged = true });
        Task<string> waiting = proxy.GetAsync();
        await Eventually.BecomesTrueAsync(() => proxy.Server.GetStatus()[0].Held == 1);
        proxy.SetEndpoints(ProxyFixture.Endpoint("b", server.Address));
        (await waiting).ShouldBe("next");
    }

    private static async Task<ScriptedConnection> SendGetAsync(ProxyFixture proxy)
    {
        ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        return client;
    }
}
