using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Shouldly;
using Tessera.Proxy;
using Tessera.Tests.Proxy.Flow;
using Tessera.Tests.Proxy.Forwarding;
using Xunit;

namespace Tessera.Tests.Proxy.Telemetry;

/// <summary>Whatever a limit does to a request is told of and counted.</summary>
public sealed class LimitLogTests
{
    private readonly ConcurrentQueue<string> _lines = [];

    [Fact]
    public async Task A_rate_that_refuses_is_told_with_client_route_request_and_zone()
    {
        using ScriptedServer server = ScriptedServer.Named("one");
        await using ProxyFixture proxy = Start(server, Rate(0.1, burst: 1));
        for (int i = 0; i < 3; i++)
        {
            await FlowFixture.StatusAsync(proxy);
        }

        string line = _lines.ShouldHaveSingleItem();
        line.ShouldMatch(
            "^\\[error\\] 429, too many requests \\(limit \"clients\"\\), "
            + "excess [12]\\.[0-9]{3}: ");
        line.ShouldContain($": client 127.0.0.1, listener {proxy.Address}, request \"GET /\", "
            + "host \"test\", route shop, backend web, upstream -, try 0");
        await CountsAsync(proxy, "rate_refused", 1);
    }

    [Fact]
    public async Task A_rate_that_delays_is_told_with_less_weight()
    {
        using ScriptedServer server = ScriptedServer.Named("one");
        await using ProxyFixture proxy = Start(
            server, Rate(10, burst: 5, burstWithoutDelay: 0), level: ErrorLevel.Warning);
        (await FlowFixture.StatusAsync(proxy)).ShouldBe(200);
        (await FlowFixture.StatusAsync(proxy)).ShouldBe(200);
        _lines.ShouldHaveSingleItem().ShouldMatch(
            "^\\[warn\\] delayed for [0-9]+ ms \\(limit \"clients\"\\), excess [01]\\.[0-9]{3}: ");
        await CountsAsync(proxy, "rate_delayed", 1);
    }

    [Theory]
    [InlineData(ErrorLevel.Warning, "warn")]
    [InlineData(ErrorLevel.Notice, "notice")]
    public async Task A_limit_says_how_much_its_lines_weigh(ErrorLevel level, string name)
    {
        using ScriptedServer server = ScriptedServer.Named("one");
        FlowConfig flow = Rate(0.1, burst: 0);
        flow = flow with { RateLimits = [flow.RateLimits[0] with { LogLevel = level }] };
        await using ProxyFixture proxy = Start(server, flow, level: ErrorLevel.Notice);
        await FlowFixture.StatusAsync(proxy);
        await FlowFixture.StatusAsync(proxy);
        _lines.ShouldHaveSingleItem().ShouldStartWith($"[{name}] 429, ");
    }

    [Fact]
    public async Task Requests_at_once_that_are_too_many_are_told()
    {
        var release = new SemaphoreSlim(0);
        using ScriptedServer server = ScriptedServer.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            await release.WaitAsync();
            await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        });
        await using ProxyFixture proxy = Start(server, new FlowConfig
        {
            ConnectionLimits = [new ConnectionLimitConfig { Zone = "clients", Max = 1 }],
        });
        Task<int> first = FlowFixture.StatusAsync(proxy);
        await Eventually.BecomesTrueAsync(() => proxy.Status("web-1").InFlight == 1);
        (await FlowFixture.StatusAsync(proxy)).ShouldBe(503);
        release.Release();
        (await first).ShouldBe(200);
        _lines.ShouldHaveSingleItem().ShouldStartWith(
            "[error] 503, too many requests at once (limit \"clients\"): client 127.0.0.1, ");
        await CountsAsync(proxy, "connections_refused", 1);
    }

    [Theory]
    [InlineData("Content-Length: 20000\r\n\r\n", "20000 bytes")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\nfffff\r\nab", "1048575 bytes")]
    public async Task A_body_that_is_too_large_is_told_with_its_size(string rest, string size)
    {
        using ScriptedServer server = ScriptedServer.Named("one");
        await using ProxyFixture proxy = Start(server, new FlowConfig { MaxBodyBytes = 1_000 });
        using ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync($"POST /up HTTP/1.1\r\nHost: test\r\n{rest}");
        (await client.ReadHeadAsync()).ShouldStartWith("HTTP/1.1 413 ");
        _lines.ShouldHaveSingleItem().ShouldMatch(
            $"^\\[error\\] .*the request's body is too large, {size}.*request \"POST /up\"");
        await CountsAsync(proxy, "body_too_large", 1);
    }

    [Fact]
    public async Task A_body_that_turns_out_to_be_too_large_is_told_once()
    {
        using ScriptedServer server = ScriptedServer.Start(c => c.ReadToEndAsync());
        await using ProxyFixture proxy = Start(server, new FlowConfig { MaxBodyBytes = 1_000 });
        using ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync(
            "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
        await Eventually.BecomesTrueAsync(() => proxy.Status("web-1").InFlight == 1);
        await client.SendAsync("fffff\r\nab");
        (await client.ReadHeadAsync()).ShouldStartWith("HTTP/1.1 413 ");
        _lines.ShouldHaveSingleItem().ShouldMatch(
            "^\\[error\\] the request's body is too large, 1048576 bytes or more: ");
        await CountsAsync(proxy, "body_too_large", 1);
    }

    [Fact]
    public async Task An_address_that_may_not_is_told()
    {
        using ScriptedServer server = ScriptedServer.Named("one");
        await using ProxyFixture proxy = Start(server, access: new AccessConfig
        {
            Addresses = [new AddressRule(false, IPNetwork.Parse("127.0.0.0/8"))],
        });
        (await FlowFixture.StatusAsync(proxy)).ShouldBe(403);
        _lines.ShouldHaveSingleItem().ShouldStartWith(
            "[error] 403, access is not allowed: client 127.0.0.1, ");
        await CountsAsync(proxy, "address_denied", 1);
    }

    [Theory]
    [InlineData("ann:wrong", "[error] 401, the password of user \"ann\" is wrong: ")]
    [InlineData("bob:right", "[error] 401, there is no user \"bob\": ")]
    [InlineData("x\"\n[error] y:z", "[error] 401, there is no user \"x\\x22\\x0A[error] y\": ")]
    [InlineData(null, "[notice] 401, no name and password came along: ")]
    public async Task A_password_that_is_not_right_is_told_with_its_user(
        string? credentials, string expected)
    {
        using ScriptedServer server = ScriptedServer.Named("one");
        await using ProxyFixture proxy = Start(
            server,
            access: new AccessConfig
            {
                BasicAuth = new BasicAuthConfig { Users = ["ann:{PLAIN}right"] },
            },
            level: ErrorLevel.Notice);
        string field = credentials is null ? ""
            : $"Authorization: Basic {Convert.ToBase64String(Encoding.ASCII.GetBytes(credentials))}"
                + "\r\n";
        (await FlowFixture.StatusAsync(
            proxy, $"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{field}\r\n"))
            .ShouldBe(401);
        _lines.ShouldHaveSingleItem().ShouldStartWith(expected);
        await CountsAsync(
            proxy, credentials is null ? "password_missing" : "password_wrong", 1);
    }

    [Fact]
    public async Task A_head_that_does_not_come_in_time_is_told()
    {
        using ScriptedServer server = ScriptedServer.Named("one");
        await using ProxyFixture proxy = Start(
            server, options: new ProxyOptions { HeadTimeoutMs = 100 });
        using ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync("GET /slow HTTP/1.1\r\nHost: te");
        (await client.ReadHeadAsync()).ShouldStartWith("HTTP/1.1 408 ");
        _lines.ShouldHaveSingleItem().ShouldMatch(
            "^\\[warn\\] 408, the request did not arrive in time: client 127\\.0\\.0\\.1, ");
        await CountsAsync(proxy, "head_timeout", 1, route: "");
    }

    [Fact]
    public async Task A_head_that_is_too_large_is_counted()
    {
        using ScriptedServer server = ScriptedServer.Named("one");
        await using ProxyFixture proxy = Start(server);
        string answer = await proxy.ExchangeAsync(
            $"GET / HTTP/1.1\r\nHost: test\r\nX-A: {new string('x', 40_000)}");
        answer.ShouldStartWith("HTTP/1.1 431 ");
        await CountsAsync(proxy, "head_too_large", 1, route: "");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(10_000)]
    public async Task A_body_that_does_not_come_in_time_is_told(int bufferBytes)
    {
        using ScriptedServer server = ScriptedServer.Start(c => c.ReadToEndAsync());
        await using ProxyFixture proxy = Start(
            server,
            options: new ProxyOptions { BodyTimeoutMs = 100 },
            backend: b => b with { Retry = new RetryConfig { BufferBytes = bufferBytes } });
        using ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync("POST /slow HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\nx");
        (await client.ReadHeadAsync()).ShouldStartWith("HTTP/1.1 408 ");
        string line = _lines.ShouldHaveSingleItem();
        line.ShouldStartWith("[warn] the client did not send its request in time: client ");
        line.ShouldContain("request \"POST /slow\", host \"test\", route shop, backend web");
        await CountsAsync(proxy, "body_timeout", 1);
    }

    [Fact]
    public async Task A_client_that_does_not_take_its_answer_is_told()
    {
        string body = new('x', 8_000_000);
        using ScriptedServer server = ScriptedServer.Reply(
            _ => $"HTTP/1.1 200 OK\r\nContent-Length: {body.Length}\r\n\r\n{body}");
        await using ProxyFixture proxy = Start(
            server, options: new ProxyOptions { SendTimeoutMs = 100 });
        using var client = new Socket(
            AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp)
        {
            ReceiveBufferSize = 4_096,
        };
        await client.ConnectAsync(proxy.Address, TestContext.Current.CancellationToken);
        await client.SendAsync(
            Encoding.ASCII.GetBytes(FlowFixture.Get), TestContext.Current.CancellationToken);
        await Eventually.BecomesTrueAsync(() => !_lines.IsEmpty);
        string line = _lines.ShouldHaveSingleItem();
        line.ShouldStartWith("[warn] the client did not take its answer in time: client ");
        line.ShouldContain("route shop, backend web");
        await CountsAsync(proxy, "send_timeout", 1);
    }

    [Fact]
    public async Task A_response_that_is_paced_is_counted_once_and_not_told()
    {
        string body = new('x', 4_000);
        using ScriptedServer server = ScriptedServer.Reply(
            _ => $"HTTP/1.1 200 OK\r\nContent-Length: {body.Length}\r\n\r\n{body}");
        await using ProxyFixture proxy = Start(
            server, new FlowConfig { BytesPerSecond = 10_000 }, level: ErrorLevel.Notice);
        (await proxy.GetAsync()).ShouldBe(body);
        _lines.ShouldBeEmpty();
        await CountsAsync(proxy, "bandwidth_paced", 1);
    }

    [Fact]
    public async Task A_client_that_is_turned_away_is_told_by_its_address()
    {
        using ScriptedServer server = ScriptedServer.Named("one");
        await using ProxyFixture proxy = Start(
            server, options: new ProxyOptions { MaxConnections = 1 });
        using ScriptedConnection first = await proxy.ConnectAsync();
        await Eventually.BecomesTrueAsync(() => proxy.Server.ConnectionCount == 1);
        (await FlowFixture.StatusAsync(proxy)).ShouldBe(503);
        _lines.ShouldHaveSingleItem().ShouldBe("[error] there are too many connections, one is "
            + $"turned away: client 127.0.0.1, listener {proxy.Address}");
    }

    [Fact]
    public async Task A_flood_fills_no_log_hides_no_endpoint_and_is_counted_whole()
    {
        using ScriptedServer dying = ScriptedServer.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            connection.Reset();
        });
        await using ProxyFixture proxy = Start(dying, Rate(0.001, burst: 1));
        await FlowFixture.StatusAsync(proxy);
        var clock = Stopwatch.StartNew();
        using ScriptedConnection client = await proxy.ConnectAsync();
        for (int i = 0; i < 301; i++)
        {
            await client.SendAsync("GET /flood HTTP/1.1\r\nHost: test\r\n\r\n");
            (string head, _) = await client.ReadResponseAsync();
            head.ShouldStartWith($"HTTP/1.1 {(i == 0 ? 502 : 429)} ");
        }

        // Ten a second, and one about those that were left out.
        _lines.Count(l => l.Contains(" 429, ")).ShouldBeInRange(
            10, 10 * ((int)clock.Elapsed.TotalSeconds + 2));
        _lines.Count(l => l.Contains("upstream 127.0.0.1")).ShouldBe(2);
        await CountsAsync(proxy, "rate_refused", 300);
        proxy.Server.GetMetrics().SuppressedErrors.ShouldBeGreaterThan(100);
    }

    private static FlowConfig Rate(
        double rate, int burst, int burstWithoutDelay = int.MaxValue) => new()
    {
        RateLimits =
        [
            new RateLimitConfig
            {
                Zone = "clients",
                RequestsPerSecond = rate,
                Burst = burst,
                BurstWithoutDelay = burstWithoutDelay,
            },
        ],
    };

    /// <summary>The request that is counted may still be ending when its answer is read.</summary>
    private static Task CountsAsync(
        ProxyFixture proxy, string kind, long count, string route = "shop") =>
        Eventually.BecomesTrueAsync(() => proxy.Server.GetMetrics().Routes
            .Single(r => r.Route == route).Requests.Limited
            .SequenceEqual([new KindTotal(kind, count)]));

    private ProxyFixture Start(
        ScriptedServer server,
        FlowConfig? flow = null,
        AccessConfig? access = null,
        ProxyOptions? options = null,
        Func<BackendConfig, BackendConfig>? backend = null,
        ErrorLevel level = ErrorLevel.Warning) =>
        ProxyFixture.Start(
            [server.Address],
            (options ?? new ProxyOptions()) with
            {
                Reactors = 1,
                ErrorLog = _lines.Enqueue,
                ErrorLevel = level,
            },
            backend,
            l => l with
            {
                Routes =
                [
                    new RouteConfig
                    {
                        Name = "shop",
                        Backend = "web",
                        Flow = flow,
                        Access = access,
                    },
                ],
            });
}
