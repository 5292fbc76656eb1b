using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd;

/// <summary>What the balancer does to requests and answers on their way.</summary>
public sealed class ForwardingTests(ForwardingTests.Served served)
    : IClassFixture<ForwardingTests.Served>
{
    [Fact]
    public async Task Clients_are_named_in_the_headers_that_nginx_users_set()
    {
        using RawHttp http = await RawHttp.ConnectAsync(served.Port);
        await http.SendAsync(
            "GET / HTTP/1.1\r\nHost: www.example.org\r\nX-Forwarded-For: 10.1.2.3\r\n"
            + "X-Real-IP: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n\r\n");

        HttpAnswer answer = await http.ReadAnswerAsync();

        answer.EchoedHeader("Host").ShouldBe("www.example.org");
        answer.EchoedHeader("X-Real-IP").ShouldBe("127.0.0.1");
        answer.EchoedHeader("X-Forwarded-For").ShouldBe("10.1.2.3, 127.0.0.1");
        answer.EchoedHeader("X-Forwarded-Proto").ShouldBe("http");
        answer.Text.Split("X-Real-IP", StringSplitOptions.None).Length.ShouldBe(2);
    }

    [Fact]
    public async Task Hop_by_hop_headers_stay_on_their_hop()
    {
        using RawHttp http = await RawHttp.ConnectAsync(served.Port);
        await http.SendAsync(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, X-Secret\r\nX-Secret: 1\r\n"
            + "Keep-Alive: timeout=5\r\nProxy-Connection: x\r\nTE: trailers\r\n"
            + "X-Kept: 2\r\n\r\n");

        HttpAnswer answer = await http.ReadAnswerAsync();

        answer.EchoedHeader("X-Kept").ShouldBe("2");
        answer.EchoedHeader("X-Secret").ShouldBeNull();
        answer.EchoedHeader("Keep-Alive").ShouldBeNull();
        answer.EchoedHeader("Proxy-Connection").ShouldBeNull();
    }

    [Fact]
    public async Task Http_1_0_clients_get_a_body_that_ends_with_the_connection_or_its_length()
    {
        using RawHttp http = await RawHttp.ConnectAsync(served.Port);
        await http.SendAsync("GET /old HTTP/1.0\r\n\r\n");

        string answer = await http.ReadAllAsync();

        answer.ShouldStartWith("HTTP/1.1 200");
        answer.ShouldContain("GET /old HTTP/1.1");
        answer.ShouldNotContain("chunked");
    }

    [Fact]
    public async Task Http_1_0_keep_alive_is_kept()
    {
        using RawHttp http = await RawHttp.ConnectAsync(served.Port);
        for (int i = 0; i < 3; i++)
        {
            await http.SendAsync("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
            HttpAnswer answer = await http.ReadAnswerAsync();
            answer.Status.ShouldBe(200);
            answer.Header("Connection")!.ShouldBe("keep-alive", StringCompareShould.IgnoreCase);
        }
    }

    [Fact]
    public async Task Connection_close_is_answered_and_done()
    {
        using RawHttp http = await RawHttp.ConnectAsync(served.Port);
        await http.SendAsync("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");

        string answer = await http.ReadAllAsync();

        answer.ShouldStartWith("HTTP/1.1 200");
        answer.ShouldContain("Connection: close", Case.Insensitive);
    }

    [Fact]
    public async Task Pipelined_requests_are_answered_in_order()
    {
        using RawHttp http = await RawHttp.ConnectAsync(served.Port);
        await http.SendAsync(string.Concat(Enumerable.Range(0, 50).Select(i => i % 5 == 4
            ? $"POST /{i} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
            : $"GET /{i} HTTP/1.1\r\nHost: a\r\n\r\n")));

        for (int i = 0; i < 50; i++)
        {
            HttpAnswer answer = await http.ReadAnswerAsync();
            answer.Text.ShouldContain($" /{i} HTTP/1.1");
            answer.Text.ShouldContain($"Body: {(i % 5 == 4 ? 5 : 0)}");
        }
    }

    [Fact]
    public async Task A_request_may_come_byte_by_byte()
    {
        using RawHttp http = await RawHttp.ConnectAsync(served.Port);
        const string request = "POST /slow HTTP/1.1\r\nHost: a\r\n"
            + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
        foreach (char c in request)
        {
            await http.SendAsync(c.ToString());
            await Task.Delay(1);
        }

        (await http.ReadAnswerAsync()).Text.ShouldContain("Body: 3");
    }

    [Fact]
    public async Task Head_and_bodiless_statuses_leave_the_connection_usable()
    {
        using RawHttp http = await RawHttp.ConnectAsync(served.Port);
        await http.SendAsync("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
        HttpAnswer head = await http.ReadAnswerAsync(isHead: true);
        head.Status.ShouldBe(200);
        int.Parse(head.Header("Content-Length")!).ShouldBeGreaterThan(0);

        foreach (int status in new[] { 204, 304, 404, 500 })
        {
            await http.SendAsync($"GET /status/{status} HTTP/1.1\r\nHost: a\r\n\r\n");
            (await http.ReadAnswerAsync()).Status.ShouldBe(status);
        }

        await http.SendAsync("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        (await http.ReadAnswerAsync()).Status.ShouldBe(200);
    }

    [Fact]
    public async Task Expect_100_continue_is_told_before_the_body_is_sent()
    {
        using RawHttp http = await RawHttp.ConnectAsync(served.Port);
        await http.SendAsync(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
        (await http.ReadHeadAsync()).ShouldStartWith("HTTP/1.1 100");
        await http.SendAsync("hello");

        (await http.ReadAnswerAsync()).Text.ShouldContain("Body: 5");
    }

    [Fact]
    public async Task A_client_that_half_closes_still_gets_its_answer()
    {
        using RawHttp http = await RawHttp.ConnectAsync(served.Port);
        await http.SendAsync("GET /half HTTP/1.1\r\nHost: a\r\n\r\n");
        http.Socket.Shutdown(System.Net.Sockets.SocketShutdown.Send);

        (await http.ReadAllAsync()).ShouldContain("GET /half HTTP/1.1");
    }

    [Fact]
    public async Task Every_request_is_in_the_access_log_with_its_upstream()
    {
        string path = $"/logged-{Guid.NewGuid():N}";
        (await RawHttp.GetAsync(served.Port, path + "?q=1")).Status.ShouldBe(200);
        string address = (await served.Project.PsAsync())[0].Address;
        address.ShouldNotBeEmpty();

        string line = await Eventually.GetAsync($"{path} is logged", () => Task.FromResult(
            served.Host.StateFiles()
                .Where(file => file.Contains("access", StringComparison.Ordinal))
                .SelectMany(file => ReadShared(Path.Combine(served.Host.Home, file)))
                .FirstOrDefault(line => line.Contains(path, StringComparison.Ordinal))));

        line.ShouldMatch(
            @"^127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "
            + $@"""GET {path}\?q=1 HTTP/1\.1"" 200 \d+ ""-"" ""-""");
        line.ShouldContain("127.0.0.1:");
    }

    private static string[] ReadShared(string path)
    {
        using var stream = new FileStream(
            path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd().Split('\n');
    }

    /// <summary>Two instances behind one port, for every test of the class.</summary>
    public sealed class Served : IAsyncLifetime
    {
        public TesseraHost Host { get; } = new();

        public int Port { get; } = FreePorts.Next();

        public ComposeProject Project { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            Project = Host.Project($$"""
                services:
                  web:
                    command: {{App.Http()}}
                    scale: 2
                    ports: ["{{Port}}:80"]
                """, "served");
            await Project.UpAsync();
        }

        public async ValueTask DisposeAsync()
        {
            await Project.DisposeAsync();
            await Host.DisposeAsync();
        }
    }
}
