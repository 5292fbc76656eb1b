using System.Globalization;
using System.Text.RegularExpressions;
using Shouldly;
using Tessera.Proxy;
using Xunit;

namespace Tessera.Tests.Proxy.Forwarding;

public sealed class HeaderTests
{
    /// <summary>A server's, which passes as it is.</summary>
    private const string Date = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";

    [Fact]
    public async Task Tells_the_server_about_the_client()
    {
        string seen = await SeenByServerAsync(
            "GET /a?b=c HTTP/1.1\r\nHost: www.example.org:8080\r\nAccept: */*\r\n"
            + "Connection: close\r\n\r\n");
        seen.ShouldBe(
            "GET /a?b=c HTTP/1.1\r\nHost: www.example.org:8080\r\nAccept: */*\r\n"
            + "X-Real-IP: 127.0.0.1\r\nX-Forwarded-For: 127.0.0.1\r\n"
            + "X-Forwarded-Proto: http\r\n\r\n");
    }

    [Fact]
    public async Task Does_not_let_the_client_vouch_for_itself()
    {
        string seen = await SeenByServerAsync(
            "GET / HTTP/1.1\r\nHost: test\r\nX-Real-IP: 10.0.0.1\r\nX-Forwarded-For: 10.0.0.2\r\n"
            + "X-Forwarded-For: 10.0.0.3\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n");
        seen.ShouldBe(
            "GET / HTTP/1.1\r\nHost: test\r\nX-Real-IP: 127.0.0.1\r\n"
            + "X-Forwarded-For: 10.0.0.2, 10.0.0.3, 127.0.0.1\r\nX-Forwarded-Proto: http\r\n\r\n");
    }

    [Fact]
    public async Task Drops_what_is_for_its_own_hop()
    {
        string seen = await SeenByServerAsync(
            "GET / HTTP/1.1\r\nHost: test\r\nKeep-Alive: 5\r\nA: 1\r\nTE: trailers\r\nX-Mine: 2\r\n"
            + "B: 3\r\nProxy-Connection: x\r\nConnection: close, X-Mine\r\nUpgrade: h3\r\n\r\n");
        seen.ShouldStartWith("GET / HTTP/1.1\r\nHost: test\r\nA: 1\r\nB: 3\r\nX-Real-IP");
    }

    [Fact]
    public async Task Sends_origin_form_for_an_absolute_target()
    {
        string seen = await SeenByServerAsync(
            "GET http://real.example?q=1 HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n");
        seen.ShouldStartWith("GET /?q=1 HTTP/1.1\r\nHost: real.example\r\n");
    }

    [Fact]
    public async Task Names_a_host_for_an_http_1_0_client_that_names_none()
    {
        string seen = await SeenByServerAsync("GET / HTTP/1.0\r\n\r\n");
        seen.ShouldMatch(@"^GET / HTTP/1.1\r\nHost: 127.0.0.1:\d+\r\nX-Real-IP");
    }

    [Fact]
    public async Task Drops_the_servers_own_hop_from_the_response()
    {
        using ScriptedServer server = ScriptedServer.Reply(_ =>
            $"HTTP/1.1 200 Fine\r\nConnection: keep-alive, X-Hop\r\n{Date}Server: s\r\n"
            + "Keep-Alive: 5\r\n"
            + "Content-Length: 2\r\nX-Hop: 1\r\nSet-Cookie: a=b\r\n\r\nok");
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        using ScriptedConnection client = await proxy.ConnectAsync();
        for (int i = 0; i < 2; i++)
        {
            await client.SendAsync("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
            (string head, string body) = await client.ReadResponseAsync();
            head.ShouldBe(
                $"HTTP/1.1 200 Fine\r\n{Date}Server: s\r\nContent-Length: 2\r\n"
                + "Set-Cookie: a=b\r\n\r\n");
            body.ShouldBe("ok");
        }

        server.ConnectionCount.ShouldBe(1);
    }

    [Fact]
    public async Task Says_close_when_the_client_asked_for_it()
    {
        using ScriptedServer server = ScriptedServer.Reply(
            _ => $"HTTP/1.1 200 OK\r\n{Date}Content-Length: 3\r\n\r\none");
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        string answer = await proxy.ExchangeAsync(
            "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        answer.ShouldBe(
            $"HTTP/1.1 200 OK\r\nConnection: close\r\n{Date}Content-Length: 3\r\n\r\none");
    }

    [Theory]
    [InlineData("", "Connection: close")]
    [InlineData("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nConnection: date\r\n", "Connection: close")]
    [InlineData("", "Connection: keep-alive")]
    public async Task Dates_a_response_that_comes_without_a_date(string fields, string option)
    {
        using ScriptedServer server = ScriptedServer.Reply(
            _ => $"HTTP/1.1 200 OK\r\n{fields}Content-Length: 3\r\n\r\none");
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        using ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync($"GET / HTTP/1.0\r\nHost: test\r\n{option}\r\n\r\n");
        (string head, string body) = await client.ReadResponseAsync();
        Match match = Regex.Match(
            head,
            $"^HTTP/1.1 200 OK\r\nDate: (.{{29}})\r\n{option}\r\nContent-Length: 3\r\n\r\n$");
        match.Success.ShouldBeTrue(head);
        DateTimeOffset.ParseExact(match.Groups[1].Value, "r", CultureInfo.InvariantCulture)
            .ShouldBe(DateTimeOffset.UtcNow, TimeSpan.FromMinutes(1));
        body.ShouldBe("one");
    }

    [Theory]
    [InlineData("Transfer-Encoding: chunked\r\n")]
    [InlineData("Content-Length: 0\r\n")]
    public async Task Takes_the_framing_of_a_body_from_204(string framing)
    {
        using ScriptedServer server = ScriptedServer.Reply(
            _ => $"HTTP/1.1 204 No Content\r\nA: 1\r\n{framing}{Date}\r\n");
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        using ScriptedConnection client = await proxy.ConnectAsync();
        for (int i = 0; i < 2; i++)
        {
            await client.SendAsync("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
            (await client.ReadHeadAsync()).ShouldBe(
                $"HTTP/1.1 204 No Content\r\nA: 1\r\n{Date}\r\n");
        }
    }

    [Fact]
    public async Task Leaves_the_date_to_a_route_that_writes_one()
    {
        using ScriptedServer server = ScriptedServer.Named("one");
        await using ProxyFixture proxy = ProxyFixture.Start(
            [server.Address],
            listener: l => l with
            {
                Routes =
                [
                    new RouteConfig
                    {
                        Backend = "web",
                        ResponseHeaders = [new FieldConfig("A", "1"), new FieldConfig("date", "x")],
                    },
                ],
            });
        using ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        (await client.ReadHeadAsync()).ShouldBe(
            "HTTP/1.1 200 OK\r\nA: 1\r\ndate: x\r\nContent-Length: 3\r\n\r\n");
    }

    [Fact]
    public async Task Takes_a_head_in_single_bytes()
    {
        using ScriptedServer server = ScriptedServer.Named("one");
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        using ScriptedConnection client = await proxy.ConnectAsync();
        foreach (char c in "GET /slow HTTP/1.1\r\nHost: test\r\n\r\n")
        {
            await client.SendAsync(c.ToString());
        }

        (await client.ReadResponseAsync()).Body.ShouldBe("one");
    }

    [Fact]
    public async Task Takes_heads_of_the_permitted_size_on_both_sides()
    {
        string cookie = new('c', 31_000);
        using ScriptedServer server = ScriptedServer.Reply(_ =>
            $"HTTP/1.1 200 OK\r\nSet-Cookie: {cookie}\r\nContent-Length: 0\r\n\r\n");
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        using ScriptedConnection client = await proxy.ConnectAsync();
        for (int i = 0; i < 3; i++)
        {
            await client.SendAsync($"GET / HTTP/1.1\r\nHost: test\r\nCookie: {cookie}\r\n\r\n");
            (await client.ReadHeadAsync()).ShouldContain(cookie);
        }
    }

    /// <summary>A limited rate takes the smaller buffer, as many responses at once do.</summary>
    [Fact]
    public async Task Takes_a_response_head_of_the_permitted_size_in_the_smaller_buffer()
    {
        string cookie = new('c', 32_000);
        using ScriptedServer server = ScriptedServer.Reply(_ =>
            $"HTTP/1.1 200 OK\r\nSet-Cookie: {cookie}\r\nContent-Length: 0\r\n\r\n");
        await using ProxyFixture proxy = ProxyFixture.Start(
            [server.Address],
            listener: l => l with
            {
                Routes =
                [
                    new RouteConfig
                    {
                        Backend = "web",
                        ResponseHeaders = [new FieldConfig("X-Added", "1")],
                        Flow = new FlowConfig { BytesPerSecond = 10_000_000 },
                    },
                ],
            });
        string answer = await proxy.ExchangeAsync(
            "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        answer.ShouldStartWith("HTTP/1.1 200 OK\r\n");
        answer.ShouldContain("X-Added: 1\r\n");
        answer.ShouldContain(cookie);
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\n\r\n", 400)]
    [InlineData(
        "GET / HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n"
        + "Transfer-Encoding: chunked\r\n\r\n",
        400)]
    [InlineData("GET / HTTP/1.1\r\nHost : test\r\n\r\n", 400)]
    [InlineData("GET / HTTP/2.0\r\nHost: test\r\n\r\n", 505)]
    [InlineData("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 501)]
    public async Task Refuses_what_is_malformed_and_closes(string request, int status)
    {
        using ScriptedServer server = ScriptedServer.Named("one");
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        string answer = await proxy.ExchangeAsync(request + new string('x', 100_000));
        answer.ShouldStartWith($"HTTP/1.1 {status} ");
        answer.ShouldContain("\r\nConnection: close\r\n");
        server.ConnectionCount.ShouldBe(0);
    }

    [Fact]
    public async Task Refuses_a_head_beyond_the_limit()
    {
        await using ProxyFixture proxy = ProxyFixture.Start([]);
        string answer = await proxy.ExchangeAsync(
            $"GET / HTTP/1.1\r\nHost: test\r\nA: {new string('a', 40_000)}\r\n\r\n");
        answer.ShouldStartWith("HTTP/1.1 431 ");
    }

    private static async Task<string> SeenByServerAsync(string request)
    {
        var seen = new TaskCompletionSource<string>();
        using ScriptedServer server = ScriptedServer.Reply(head =>
        {
            seen.TrySetResult(head);
            return "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        });
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        await proxy.ExchangeAsync(request);
        return await seen.Task;
    }
}
