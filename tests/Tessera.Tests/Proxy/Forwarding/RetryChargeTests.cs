using Shouldly;
using Tessera.Proxy;
using Xunit;

namespace Tessera.Tests.Proxy.Forwarding;

/// <summary>What is counted for the budget of retries, and what is not.</summary>
public sealed class RetryChargeTests
{
    private const string Get = "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";

    /// <summary>Of a budget of 0 %: the tries of one second that are free, and some.</summary>
    private const int Failures = 40;

    [Fact]
    public async Task A_retry_for_which_there_is_no_room_costs_nothing()
    {
        var end = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using ScriptedServer bad = Bad();
        using ScriptedServer good = ScriptedServer.Start(async connection =>
        {
            bool isSlow = (await connection.ReadHeadAsync()).Contains(
                "/slow", StringComparison.Ordinal);
            await (isSlow ? end.Task : Task.CompletedTask);
            await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood");
        });
        await using ProxyFixture proxy = Start(
            [bad, good], e => e with { MaxConnections = e.Id == "web-2" ? 1 : 0 });
        proxy.SetEndpoints(proxy.Backend.Endpoints[1]);
        Task<string> slow = proxy.GetAsync("/slow");
        await Eventually.BecomesTrueAsync(() => proxy.Status("web-2").InFlight == 1);
        proxy.SetEndpoints(
            ProxyFixture.Endpoint("web-1", bad.Address) with { MaxFails = 0 },
            proxy.Backend.Endpoints[0] with { IsBackup = true });
        for (int i = 0; i < Failures; i++)
        {
            (await proxy.ExchangeAsync(Get)).ShouldStartWith("HTTP/1.1 503 ");
        }

        end.SetResult();
        await slow;
        await Eventually.BecomesTrueAsync(() => proxy.Status("web-2").InFlight == 0);
        (await proxy.ExchangeAsync(Get)).ShouldEndWith("good");
    }

    [Fact]
    public async Task A_failure_costs_nothing_where_nobody_else_is_left()
    {
        using ScriptedServer closing = ScriptedServer.Start(c => c.ReadHeadAsync());
        using ScriptedServer good = ScriptedServer.Named("good");
        await using ProxyFixture proxy = Start([closing], e => e);
        for (int i = 0; i < Failures; i++)
        {
            (await proxy.ExchangeAsync(Get)).ShouldStartWith("HTTP/1.1 502 ");
        }

        proxy.SetEndpoints(
            proxy.Backend.Endpoints[0],
            ProxyFixture.Endpoint("web-2", good.Address) with { IsBackup = true });
        (await proxy.ExchangeAsync(Get)).ShouldEndWith("good");
    }

    [Fact]
    public async Task A_reserve_that_the_budget_refuses_is_given_back()
    {
        int asked = 0;
        using ScriptedServer bad = Bad();
        using ScriptedServer other = ScriptedServer.Reply(_ =>
        {
            Interlocked.Increment(ref asked);
            return "HTTP/1.1 503 X\r\nContent-Length: 3\r\n\r\nbad";
        });
        await using ProxyFixture proxy = Start(
            [bad, other],
            e => e.Id == "web-2" ? e with { IsBackup = true, MaxConnections = 1 } : e);
        for (int i = 0; i < Failures; i++)
        {
            (await proxy.ExchangeAsync(Get)).ShouldStartWith("HTTP/1.1 503 ");
        }

        await Eventually.BecomesTrueAsync(() => proxy.Status("web-2").InFlight == 0);
        asked.ShouldBeLessThan(Failures);
        proxy.Status("web-2").Requests.ShouldBe(asked);
    }

    [Fact]
    public async Task Tunnels_count_as_requests()
    {
        const int Tunnels = 60;
        const int Requests = 40;
        using ScriptedServer bad = Bad();
        using ScriptedServer good = ScriptedServer.Named("good");
        await using ProxyServer server = ProxyFixture.NewServer(new ProxyOptions { Reactors = 1 });
        ListenerConfig http = new()
        {
            Address = ScriptedServer.UnusedAddress(),
            Protocol = ListenerProtocol.Http,
            Routes = [new RouteConfig { Backend = "web" }],
        };
        ListenerConfig tcp = http with
        {
            Address = ScriptedServer.UnusedAddress(),
            Protocol = ListenerProtocol.Tcp,
        };
        server.Apply(new ProxyConfig
        {
            Listeners = [http, tcp],
            Backends =
            [
                new BackendConfig
                {
                    Name = "web",
                    Retry = new RetryConfig { On = RetryConditions.Http503, BudgetPercent = 50 },
                    Endpoints =
                    [
                        ProxyFixture.Endpoint("bad", bad.Address) with { MaxFails = 0 },
                        ProxyFixture.Endpoint("good", good.Address) with { IsBackup = true },
                    ],
                },
            ],
        }).ShouldBeEmpty();
        for (int i = 0; i < Tunnels; i++)
        {
            await AskAsync(tcp, "503");
        }

        for (int i = 0; i < Requests; i++)
        {
            await AskAsync(http, "200");
        }

        static async Task AskAsync(ListenerConfig listener, string status)
        {
            using ScriptedConnection client =
                await ScriptedConnection.ConnectAsync(listener.Address);
            await client.SendAsync(Get);
            (await client.ReadHeadAsync()).ShouldStartWith($"HTTP/1.1 {status} ");
        }
    }

    private static ScriptedServer Bad() =>
        ScriptedServer.Reply(_ => "HTTP/1.1 503 X\r\nContent-Length: 3\r\n\r\nbad");

    private static ProxyFixture Start(
        ScriptedServer[] servers, Func<EndpointConfig, EndpointConfig> endpoint) =>
        ProxyFixture.Start(
            servers.Select(s => s.Address),
            new ProxyOptions { Reactors = 1 },
            b => b with
            {
                Retry = new RetryConfig
                {
                    On = RetryConditions.Error | RetryConditions.Http503,
                    BudgetPercent = 0,
                },
                Endpoints = [.. b.Endpoints.Select(e => endpoint(e with { MaxFails = 0 }))],
            });
}
