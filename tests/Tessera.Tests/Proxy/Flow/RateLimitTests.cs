using System.Diagnostics;
using Shouldly;
using Tessera.Proxy;
using Tessera.Tests.Proxy.Forwarding;
using Xunit;

namespace Tessera.Tests.Proxy.Flow;

public sealed class RateLimitTests
{
    [Fact]
    public async Task Refuses_what_is_beyond_the_burst_and_says_when_to_come_again()
    {
        using ScriptedServer server = ScriptedServer.Named("one");
        await using ProxyFixture proxy = Start(server, Limit(0.1, burst: 2));
        using ScriptedConnection client = await proxy.ConnectAsync();
        for (int i = 0; i < 3; i++)
        {
            (await AskAsync(client)).ShouldStartWith("HTTP/1.1 200 ");
        }

        string refused = await AskAsync(client);
        refused.ShouldStartWith("HTTP/1.1 429 Too Many Requests\r\n");
        refused.ShouldContain("\r\nRetry-After: 10\r\n");

        // The connection goes on, and the request reached nobody.
        (await AskAsync(client)).ShouldStartWith("HTTP/1.1 429 ");
        proxy.Status("web-1").Requests.ShouldBe(3);
    }

    [Fact]
    public async Task All_reactors_share_one_bucket()
    {
        using ScriptedServer server = ScriptedServer.Named("one");
        await using ProxyFixture proxy = Start(server, Limit(0.01, burst: 4));
        int[] statuses = await Task.WhenAll(
            Enumerable.Range(0, 24).Select(_ => FlowFixture.StatusAsync(proxy)));
        statuses.Count(s => s == 200).ShouldBe(5);
        statuses.Count(s => s == 429).ShouldBe(19);
    }

    [Fact]
    public async Task Requests_within_the_burst_wait_their_turn_without_an_endpoint()
    {
        using ScriptedServer server = ScriptedServer.Named("one");
        await using ProxyFixture proxy = Start(
            server, Limit(4, burst: 4) with { BurstWithoutDelay = 0 });
        var clock = Stopwatch.StartNew();
        Task<int>[] waiting =
            [.. Enumerable.Range(0, 5).Select(_ => FlowFixture.StatusAsync(proxy))];
        await Eventually.BecomesTrueAsync(() => proxy.Status("web-1").Requests >= 1);
        proxy.Status("web-1").InFlight.ShouldBeLessThan(2);
        (await Task.WhenAll(waiting)).ShouldAllBe(s => s == 200);
        clock.ElapsedMilliseconds.ShouldBeGreaterThan(950);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_client_that_leaves_while_it_waits_costs_nothing(bool withReset)
    {
        using ScriptedServer server = ScriptedServer.Named("one");
        await using ProxyFixture proxy = Start(
            server, Limit(0.01, burst: 9) with { BurstWithoutDelay = 0 });
        (await FlowFixture.StatusAsync(proxy)).ShouldBe(200);
        ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync(FlowFixture.Get);
        await Eventually.BecomesTrueAsync(() => proxy.Server.ConnectionCount == 1);
        await TurnAsync(proxy);
        await TurnAsync(proxy);
        if (withReset)
        {
            client.Reset();
        }
        else
        {
            client.Close();
        }

        await Eventually.BecomesTrueAsync(() => proxy.Server.ConnectionCount == 0);
        proxy.Status("web-1").Requests.ShouldBe(1);
    }

    [Fact]
    public async Task Buckets_live_on_from_one_configuration_to_the_next()
    {
        using ScriptedServer server = ScriptedServer.Named("one");
        await using ProxyFixture proxy = Start(server, Limit(0.01, burst: 0));
        (await FlowFixture.StatusAsync(proxy)).ShouldBe(200);
        for (int i = 0; i < 3; i++)
        {
            proxy.Apply(proxy.Backend with
            {
                Limits = new BackendLimits { ReadTimeoutMs = 10_000 + i },
            });
            GC.Collect();
            (await FlowFixture.StatusAsync(proxy)).ShouldBe(429);
        }
    }

    [Fact]
    public async Task The_strictest_of_several_decides_and_a_refusal_charges_none()
    {
        using ScriptedServer server = ScriptedServer.Named("one");
        await using ProxyFixture proxy = Start(
            server,
            Limit(0.01, burst: 2),
            Limit(0.01, burst: 0) with { Zone = "user", Key = "$arg_user", Status = 503 });
        (await AskUserAsync(proxy, "a")).ShouldBe(200);
        (await AskUserAsync(proxy, "a")).ShouldBe(503);
        (await AskUserAsync(proxy, "a")).ShouldBe(503);
        (await AskUserAsync(proxy, "b")).ShouldBe(200);
        (await AskUserAsync(proxy, "c")).ShouldBe(200);
        (await AskUserAsync(proxy, "d")).ShouldBe(429);
    }

    [Fact]
    public async Task A_request_without_a_key_is_not_limited_and_a_long_key_is()
    {
        using ScriptedServer server = ScriptedServer.Named("one");
        await using ProxyFixture proxy = Start(
            server, Limit(0.01, burst: 0) with { Key = "$arg_user" });
        (await FlowFixture.StatusAsync(proxy)).ShouldBe(200);
        (await FlowFixture.StatusAsync(proxy)).ShouldBe(200);
        (await AskUserAsync(proxy, new string('x', 2_000))).ShouldBe(200);
        (await AskUserAsync(proxy, new string('y', 2_000))).ShouldBe(429);
    }

    [Fact]
    public void A_configuration_that_cannot_be_is_told_of()
    {
        new FlowConfig { RateLimits = [Limit(5, 1)] }.FindFault().ShouldBeNull();
        Fault(Limit(0, 1)).ShouldContain("a rate is 0.001 to 1000000");
        Fault(Limit(double.NaN, 1)).ShouldContain("a rate is");
        Fault(Limit(1, 300_000)).ShouldContain("a burst is 0 to 268000, not 300000");
        Fault(Limit(1, 1) with { Status = 200 }).ShouldContain("a status is 400 to 599");
        Fault(Limit(1, 1) with { MaxKeys = 0 }).ShouldContain("keys are 1 to");
        Fault(Limit(1, 1) with { Key = "$nonsense" }).ShouldContain("$nonsense");

        static string Fault(RateLimitConfig limit) =>
            new FlowConfig { RateLimits = [limit] }.FindFault().ShouldNotBeNull();
    }

    /// <summary>After two, whatever had arrived before has been seen by its reactor.</summary>
    private static Task TurnAsync(ProxyFixture proxy) =>
        Task.WhenAll(proxy.Server.Reactors.Select(reactor =>
        {
            var done = new TaskCompletionSource(
                TaskCreationOptions.RunContinuationsAsynchronously);
            reactor.Post(done.SetResult);
            return done.Task;
        }));

    private static RateLimitConfig Limit(double rate, int burst) => new()
    {
        Zone = "clients",
        RequestsPerSecond = rate,
        Burst = burst,
        BurstWithoutDelay = int.MaxValue,
    };

    private static ProxyFixture Start(ScriptedServer server, params RateLimitConfig[] limits) =>
        FlowFixture.Start(server.Address, new FlowConfig { RateLimits = [.. limits] });

    private static Task<int> AskUserAsync(ProxyFixture proxy, string user) =>
        FlowFixture.StatusAsync(
            proxy,
            $"GET /?user={user} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");

    private static async Task<string> AskAsync(ScriptedConnection client)
    {
        await client.SendAsync("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        (string head, _) = await client.ReadResponseAsync();
        return head;
    }
}
