using Shouldly;
using Tessera.Proxy;
using Xunit;

namespace Tessera.Tests.Proxy.Forwarding;

/// <summary>Limits, keys and times of real requests.</summary>
public sealed class BalanceTests
{
    [Fact]
    public async Task Never_sends_an_endpoint_more_than_it_may_have_and_serves_all_in_the_end()
    {
        var crowd = new Crowd();
        using ScriptedServer a = crowd.Server(delayMs: 2);
        using ScriptedServer b = crowd.Server(delayMs: 2);
        await using ProxyFixture proxy = StartLimited(2, a, b);
        Task<string>[] answers =
            [.. Enumerable.Range(0, 200).Select(_ => proxy.GetAsync())];
        (await Task.WhenAll(answers)).ShouldAllBe(body => body == "ok");
        crowd.Most.ShouldBe(4);
        proxy.Server.GetStatus()[0].Held.ShouldBe(0);
        await Eventually.BecomesTrueAsync(
            () => proxy.Server.GetStatus()[0].Endpoints.All(e => e.InFlight == 0));
    }

    [Fact]
    public async Task Wakes_who_waits_for_room_on_whichever_reactor()
    {
        using ScriptedServer server = new Crowd().Server(delayMs: 0);
        await using ProxyFixture proxy = StartLimited(1, server);

        // Each wait that nobody ends would take the hold time of half a minute.
        for (int round = 0; round < 30; round++)
        {
            Task<string>[] answers =
                [.. Enumerable.Range(0, 12).Select(_ => proxy.GetAsync())];
            (await Task.WhenAll(answers).WaitAsync(
                TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken))
                .ShouldAllBe(body => body == "ok");
        }
    }

    [Fact]
    public async Task Refuses_who_waits_for_room_too_long_or_with_too_many_others()
    {
        var release = new TaskCompletionSource();
        using ScriptedServer server = ScriptedServer.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            await release.Task;
            await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        });
        await using ProxyFixture proxy = StartLimited(1, server);
        proxy.Apply(proxy.Backend with
        {
            Limits = new BackendLimits { HoldTimeoutMs = 300, HoldQueueLength = 1 },
        });
        Task<string> first = proxy.GetAsync();
        await Eventually.BecomesTrueAsync(() => proxy.Status("web-1").InFlight == 1);
        Task<string> held = proxy.GetAsync();
        await Eventually.BecomesTrueAsync(() => proxy.Server.GetStatus()[0].Held == 1);
        (await proxy.GetAsync()).ShouldStartWith("503 Service Unavailable");
        (await held).ShouldStartWith("503 Service Unavailable");
        release.SetResult();
        (await first).ShouldBe("ok");
    }

    [Fact]
    public async Task Goes_to_a_backup_rather_than_wait()
    {
        var release = new TaskCompletionSource();
        using ScriptedServer main = ScriptedServer.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            await release.Task;
            await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        });
        using ScriptedServer backup = ScriptedServer.Named("backup");
        await using ProxyFixture proxy = ProxyFixture.Start([]);
        proxy.SetEndpoints(
            ProxyFixture.Endpoint("main", main.Address) with { MaxConnections = 1 },
            ProxyFixture.Endpoint("backup", backup.Address) with { IsBackup = true });
        Task<string> first = proxy.GetAsync();
        await Eventually.BecomesTrueAsync(() => proxy.Status("main").InFlight == 1);
        (await proxy.GetAsync()).ShouldBe("backup");
        release.SetResult();
        (await first).ShouldBe("ok");
    }

    [Theory]
    [InlineData(BalanceAlgorithm.Hash)]
    [InlineData(BalanceAlgorithm.ConsistentHash)]
    public async Task Hashes_what_the_request_says(BalanceAlgorithm algorithm)
    {
        ScriptedServer[] servers =
            [.. Enumerable.Range(0, 4).Select(i => ScriptedServer.Named($"{i}"))];
        await using ProxyFixture proxy = ProxyFixture.Start(
            servers.Select(s => s.Address),
            backend: b => b with { Algorithm = algorithm, HashKey = "u-$arg_user" });
        var seen = new HashSet<string>();
        for (int user = 0; user < 30; user++)
        {
            string first = await proxy.GetAsync($"/a?user={user}");
            (await proxy.GetAsync($"/b?x=1&user={user}")).ShouldBe(first);
            seen.Add(first);
        }

        seen.Count.ShouldBe(4);

        // Longer than fits on the stack, and yet told apart.
        string padding = new('x', 5_000);
        string[] far = await Task.WhenAll(Enumerable.Range(0, 30).Select(
            i => proxy.GetAsync($"/?user={padding}{i}")));
        far.Distinct().Count().ShouldBeGreaterThan(1);
        Array.ForEach(servers, s => s.Dispose());
    }

    [Fact]
    public async Task Refuses_a_key_of_unknown_variables_and_changes_nothing()
    {
        using ScriptedServer server = ScriptedServer.Named("ok");
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        Should.Throw<FormatException>(() => proxy.Server.Apply(new ProxyConfig
        {
            Backends = [proxy.Backend with { HashKey = "$no_such_thing" }],
        }));
        (await proxy.GetAsync()).ShouldBe("ok");
    }

    [Theory]
    [InlineData(BalanceAlgorithm.LeastTimeFirstByte, 40, 0)]
    [InlineData(BalanceAlgorithm.LeastTimeLastByte, 0, 40)]
    public async Task Prefers_who_answers_fast(
        BalanceAlgorithm algorithm, int headDelayMs, int bodyDelayMs)
    {
        using ScriptedServer fast = Delayed("fast", 0, 0);
        using ScriptedServer slow = Delayed("slow", headDelayMs, bodyDelayMs);
        await using ProxyFixture proxy = ProxyFixture.Start(
            [fast.Address, slow.Address], backend: b => b with { Algorithm = algorithm });
        int slowAnswers = 0;
        for (int i = 0; i < 40; i++)
        {
            slowAnswers += await proxy.GetAsync() == "slow" ? 1 : 0;
        }

        slowAnswers.ShouldBeInRange(1, 6);
    }

    [Fact]
    public async Task Looks_at_the_first_byte_alone_when_told_so()
    {
        using ScriptedServer late = Delayed("late", 15, 0);
        using ScriptedServer lengthy = Delayed("lengthy", 0, 40);
        await using ProxyFixture proxy = ProxyFixture.Start(
            [late.Address, lengthy.Address],
            backend: b => b with { Algorithm = BalanceAlgorithm.LeastTimeFirstByte });
        int lengthyAnswers = 0;
        for (int i = 0; i < 20; i++)
        {
            lengthyAnswers += await proxy.GetAsync() == "lengthy" ? 1 : 0;
        }

        lengthyAnswers.ShouldBeGreaterThan(10);
    }

    private static ProxyFixture StartLimited(int limit, params ScriptedServer[] servers)
    {
        ProxyFixture proxy = ProxyFixture.Start([]);
        proxy.SetEndpoints([.. servers.Select((s, i) =>
            ProxyFixture.Endpoint($"web-{i + 1}", s.Address) with { MaxConnections = limit })]);
        return proxy;
    }

    private static ScriptedServer Delayed(string name, int headDelayMs, int bodyDelayMs) =>
        ScriptedServer.Start(async connection =>
        {
            while (await connection.ReadHeadAsync() is { Length: > 0 })
            {
                await Task.Delay(headDelayMs);
                await connection.SendAsync(
                    $"HTTP/1.1 200 OK\r\nContent-Length: {name.Length}\r\n\r\n{name[0]}");
                await Task.Delay(bodyDelayMs);
                await connection.SendAsync(name[1..]);
            }
        });

    /// <summary>Servers that count how many requests they have at once, together.</summary>
    private sealed class Crowd
    {
        private int _now;
        private int _most;

        public int Most => Volatile.Read(ref _most);

        public ScriptedServer Server(int delayMs) => ScriptedServer.Start(async connection =>
        {
            while (await connection.ReadHeadAsync() is { Length: > 0 })
            {
                int now = Interlocked.Increment(ref _now);
                int most = Most;
                while (now > most
                    && Interlocked.CompareExchange(ref _most, now, most) is var seen
                    && seen != most)
                {
                    most = seen;
                }

                await Task.Delay(delayMs);
                Interlocked.Decrement(ref _now);
                await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            }
        });
    }
}
