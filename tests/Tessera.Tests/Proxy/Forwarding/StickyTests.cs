using System.Net.Sockets;
using System.Text;
using Shouldly;
using Tessera.Proxy;
using Xunit;

namespace Tessera.Tests.Proxy.Forwarding;

/// <summary>Clients that a cookie binds to their endpoint.</summary>
public sealed class StickyTests
{
    private static readonly StickyConfig Sticky = new()
    {
        Key = [.. Enumerable.Range(0, 32).Select(i => (byte)i)],
    };

    [Fact]
    public async Task Keeps_a_client_on_the_endpoint_of_its_first_answer()
    {
        using ScriptedServer a = ScriptedServer.Named("a");
        using ScriptedServer b = ScriptedServer.Named("b");
        using ScriptedServer c = ScriptedServer.Named("c");
        await using ProxyFixture proxy = Start(Sticky, a, b, c);
        foreach (string expected in new[] { "a", "b", "c" })
        {
            (string body, string? cookie) = await AskAsync(proxy);
            body.ShouldBe(expected);
            cookie.ShouldNotBeNull();
            for (int i = 0; i < 4; i++)
            {
                (await AskAsync(proxy, cookie)).ShouldBe((expected, null));
                (await AskAsync(proxy, $"x=1; {cookie}; y=2")).ShouldBe((expected, null));
            }
        }
    }

    [Fact]
    public async Task Says_how_long_and_where_the_cookie_holds_and_nothing_of_the_endpoint()
    {
        using ScriptedServer a = ScriptedServer.Named("a");
        await using ProxyFixture proxy = Start(
            Sticky with
            {
                Name = "route", Path = "/app", LifetimeSeconds = 3_600, IsSecure = true,
            },
            a);
        string head = await HeadAsync(proxy, null);
        string field = head.Split("\r\n").Single(
            l => l.StartsWith("Set-Cookie: ", StringComparison.Ordinal));
        field.ShouldMatch(
            "^Set-Cookie: route=[A-Za-z0-9_-]{22}; Path=/app; Max-Age=3600; HttpOnly; Secure$");
        field.ShouldNotContain("web-1");
    }

    [Fact]
    public async Task Ignores_cookies_that_nobody_signed()
    {
        using ScriptedServer a = ScriptedServer.Named("a");
        using ScriptedServer b = ScriptedServer.Named("b");
        await using ProxyFixture proxy = Start(Sticky, a, b);
        string cookie = (await AskAsync(proxy)).Cookie!;
        char last = cookie[^2] == 'A' ? 'B' : 'A';
        string[] forged =
        [
            cookie[..^2] + last + cookie[^1], cookie + "A", cookie[..^1], "tessera=",
            "tessera=web-1", "other" + cookie, "tessera=" + new string('x', 5_000),
        ];
        foreach (string attempt in forged)
        {
            (_, string? fresh) = await AskAsync(proxy, attempt);
            fresh.ShouldNotBeNull(attempt);
        }

        Should.Throw<ArgumentOutOfRangeException>(
            () => proxy.Apply(proxy.Backend with { Sticky = Sticky with { Key = [1, 2, 3] } }));

        // A cookie of other times: signed with a key that is no longer ours.
        proxy.Apply(proxy.Backend with { Sticky = Sticky with { Key = [.. new byte[16]] } });
        (await AskAsync(proxy, cookie)).Cookie.ShouldNotBeNull();
    }

    [Fact]
    public async Task Keeps_bound_clients_while_their_endpoint_drains_and_then_binds_them_anew()
    {
        using ScriptedServer a = ScriptedServer.Named("a");
        using ScriptedServer b = ScriptedServer.Named("b");
        await using ProxyFixture proxy = Start(Sticky, a, b);
        (_, string? cookie) = await AskAsync(proxy);
        proxy.SetEndpoints(
            ProxyFixture.Endpoint("web-1", a.Address, EndpointState.Draining),
            ProxyFixture.Endpoint("web-2", b.Address));
        for (int i = 0; i < 4; i++)
        {
            (await AskAsync(proxy)).Body.ShouldBe("b");
            (await AskAsync(proxy, cookie)).ShouldBe(("a", null));
        }

        (await proxy.Server.DrainAsync(
            "web", "web-1", TimeSpan.FromSeconds(5), TestContext.Current.CancellationToken))
            .ShouldBe(0);
        (string body, string? fresh) = await AskAsync(proxy, cookie);
        body.ShouldBe("b");
        (await AskAsync(proxy, fresh)).ShouldBe(("b", null));
    }

    [Fact]
    public async Task Serves_bound_clients_where_everything_drains()
    {
        using ScriptedServer a = ScriptedServer.Named("a");
        await using ProxyFixture proxy = Start(Sticky, a);
        (_, string? cookie) = await AskAsync(proxy);
        proxy.SetEndpoints(ProxyFixture.Endpoint("web-1", a.Address, EndpointState.Draining));
        (await AskAsync(proxy, cookie)).ShouldBe(("a", null));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Gives_the_clients_of_a_dead_endpoint_a_new_one(bool isInConfiguration)
    {
        ScriptedServer a = ScriptedServer.Named("a");
        using ScriptedServer b = ScriptedServer.Named("b");
        await using ProxyFixture proxy = Start(Sticky, a, b);
        (_, string? cookie) = await AskAsync(proxy);
        a.Dispose();
        if (!isInConfiguration)
        {
            proxy.SetEndpoints(ProxyFixture.Endpoint("web-2", b.Address));
        }

        string head = await HeadAsync(proxy, cookie);
        head.ShouldStartWith("HTTP/1.1 200 OK\r\n");
        head.Split("Set-Cookie: ").Length.ShouldBe(2);
        string fresh = CookieOf(head)!;
        fresh.ShouldNotBe(cookie);
        (await AskAsync(proxy, fresh)).ShouldBe(("b", null));
    }

    [Fact]
    public async Task Sends_clients_elsewhere_for_once_while_their_endpoint_is_full()
    {
        var release = new TaskCompletionSource();
        using ScriptedServer a = ScriptedServer.Start(async connection =>
        {
            string head = await connection.ReadHeadAsync();
            if (head.Contains("/slow", StringComparison.Ordinal))
            {
                await release.Task;
            }

            await connection.SendAsync(
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\na");
        });
        using ScriptedServer b = ScriptedServer.Named("b");
        await using ProxyFixture proxy = Start(Sticky, a, b);
        proxy.SetEndpoints(
            ProxyFixture.Endpoint("web-1", a.Address) with { MaxConnections = 1 },
            ProxyFixture.Endpoint("web-2", b.Address));
        (string body, string? cookie) = await AskAsync(proxy);
        body.ShouldBe("a");
        await Eventually.BecomesTrueAsync(() => proxy.Status("web-1").InFlight == 0);
        Task<(string Body, string? Cookie)> slow = AskAsync(proxy, cookie, "/slow");
        await Eventually.BecomesTrueAsync(() => proxy.Status("web-1").InFlight == 1);
        (await AskAsync(proxy, cookie)).ShouldBe(("b", null));
        release.SetResult();
        (await slow).ShouldBe(("a", null));
        await Eventually.BecomesTrueAsync(() => proxy.Status("web-1").InFlight == 0);
        (await AskAsync(proxy, cookie)).ShouldBe(("a", null));
    }

    [Fact]
    public async Task Adds_its_field_to_answers_of_any_shape()
    {
        string padding = new('p', 3_000);
        using ScriptedServer a = ScriptedServer.Reply(
            _ => $"HTTP/1.1 404 Nope\r\nX-Padding: {padding}\r\nSet-Cookie: own=1\r\n"
                + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
        await using ProxyFixture proxy = Start(Sticky, a);
        using ScriptedConnection client = await proxy.ConnectAsync();
        for (int i = 0; i < 3; i++)
        {
            await client.SendAsync("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
            (string head, string body) = await client.ReadResponseAsync();
            head.ShouldStartWith("HTTP/1.1 404 Nope\r\n");
            head.ShouldContain("\r\nSet-Cookie: tessera=");
            head.ShouldContain("\r\nSet-Cookie: own=1\r\n");
            head.ShouldContain(padding);
            body.ShouldContain("abc");
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Costs_no_allocation(bool hasCookie)
    {
        using ScriptedServer server = ScriptedServer.Named("one");
        await using ProxyFixture proxy = ProxyFixture.Start(
            [server.Address],
            new ProxyOptions { Reactors = 1 },
            backend: b => b with
            {
                Sticky = Sticky,
                Algorithm = BalanceAlgorithm.ConsistentHash,
                HashKey = "$http_user_agent $uri",
            });
        string? cookie = hasCookie ? (await AskAsync(proxy)).Cookie : null;
        string request = $"GET / HTTP/1.1\r\nHost: test\r\nUser-Agent: {new string('u', 500)}\r\n"
            + (hasCookie ? $"Cookie: {cookie}\r\n\r\n" : "\r\n");
        using var client = new TcpClient { NoDelay = true };
        await client.ConnectAsync(proxy.Address, TestContext.Current.CancellationToken);
        await RepeatAsync(client.Client, request, 1_000);
        long before = await AllocatedAsync(proxy);
        await RepeatAsync(client.Client, request, 400);
        (await AllocatedAsync(proxy) - before).ShouldBeLessThan(4_096);
    }

    private static ProxyFixture Start(StickyConfig sticky, params ScriptedServer[] servers) =>
        ProxyFixture.Start(
            servers.Select(s => s.Address), backend: b => b with { Sticky = sticky });

    private static async Task<(string Body, string? Cookie)> AskAsync(
        ProxyFixture proxy, string? cookie = null, string path = "/")
    {
        string answer = await proxy.ExchangeAsync(
            $"GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n"
            + (cookie is null ? "\r\n" : $"Cookie: {cookie}\r\n\r\n"));
        int end = answer.IndexOf("\r\n\r\n", StringComparison.Ordinal);
        return (answer[(end + 4)..], CookieOf(answer));
    }

    private static async Task<string> HeadAsync(ProxyFixture proxy, string? cookie)
    {
        using ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync("GET / HTTP/1.1\r\nHost: test\r\n"
            + (cookie is null ? "\r\n" : $"Cookie: {cookie}\r\n\r\n"));
        return (await client.ReadResponseAsync()).Head;
    }

    /// <summary>What a browser would send back.</summary>
    private static string? CookieOf(string answer)
    {
        string? field = answer.Split("\r\n").FirstOrDefault(
            l => l.StartsWith("Set-Cookie: ", StringComparison.Ordinal));
        return field?["Set-Cookie: ".Length..].Split(';')[0];
    }

    private static async Task RepeatAsync(Socket client, string request, int times)
    {
        byte[] bytes = Encoding.ASCII.GetBytes(request);
        byte[] buffer = new byte[1_024];
        for (int i = 0; i < times; i++)
        {
            await client.SendAsync(bytes, TestContext.Current.CancellationToken);
            int received = await client.ReceiveAsync(buffer, TestContext.Current.CancellationToken);
            Encoding.ASCII.GetString(buffer, 0, received).ShouldEndWith("\r\n\r\none");
        }
    }

    private static Task<long> AllocatedAsync(ProxyFixture proxy)
    {
        var done = new TaskCompletionSource<long>(
            TaskCreationOptions.RunContinuationsAsynchronously);
        proxy.Server.Reactors[0].Post(
            () => done.SetResult(GC.GetAllocatedBytesForCurrentThread()));
        return done.Task;
    }
}
