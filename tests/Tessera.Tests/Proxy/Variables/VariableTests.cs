using Shouldly;
using Tessera.Proxy.Variables;
using Tessera.Tests.Proxy.Forwarding;
using Tessera.Tests.Proxy.Telemetry;
using Xunit;

namespace Tessera.Tests.Proxy.Variables;

/// <summary>What each variable says, read from the log of a real request.</summary>
public sealed class VariableTests : IDisposable
{
    private const string Post =
        "POST /a%20b/../c?x=1&y=2 HTTP/1.1\r\nHost: Shop.Example:81\r\nX-One: 1\r\n"
        + "Cookie: a=b; sid=42\r\nContent-Type: text/x\r\nContent-Length: 2\r\n"
        + "Authorization: Basic YW5uYTpzZWNyZXQ=\r\nX-Forwarded-For: 10.0.0.1\r\n"
        + "Connection: close\r\n\r\nhi";

    private readonly LogFile _log = new();

    public void Dispose() => _log.Dispose();

    [Theory]
    [InlineData("$remote_addr", @"127\.0\.0\.1")]
    [InlineData("$remote_port", @"\d{4,5}")]
    [InlineData("$binary_remote_addr", @"\\x7F\\x00\\x00\\x01")]
    [InlineData("$server_addr", @"127\.0\.0\.1")]
    [InlineData("$server_port", @"\d{4,5}")]
    [InlineData("$server_protocol", @"HTTP/1\.1")]
    [InlineData("$connection", "[1-9]\\d*")]
    [InlineData("$connection_requests", "1")]
    [InlineData("$connection_time", @"\d\.\d{3}")]
    [InlineData("$pipe", @"\.")]
    [InlineData("$tcpinfo_rtt", @"\d+")]
    [InlineData("$tcpinfo_snd_cwnd", @"[1-9]\d*")]
    [InlineData("$request", @"POST /a%20b/\.\./c\?x=1&y=2 HTTP/1\.1")]
    [InlineData("$request_method", "POST")]
    [InlineData("$request_uri", @"/a%20b/\.\./c\?x=1&y=2")]
    [InlineData("$uri|$document_uri", @"/c\|/c")]
    [InlineData("$args|$query_string|$is_args", @"x=1&y=2\|x=1&y=2\|\?")]
    [InlineData("$arg_y|$arg_none", @"2\|-")]
    [InlineData("$host|$http_host", @"shop\.example\|Shop\.Example:81")]
    [InlineData("$http_x_one", "1")]
    [InlineData("$cookie_sid|$cookie_none", @"42\|-")]
    [InlineData("$content_type|$content_length", @"text/x\|2")]
    [InlineData("$request_body", "hi")]
    [InlineData("$remote_user", "anna")]
    [InlineData("$proxy_add_x_forwarded_for", @"10\.0\.0\.1, 127\.0\.0\.1")]
    [InlineData("$request_time", @"\d\.\d{3}")]
    [InlineData("$request_completion", "OK")]
    [InlineData("$request_id", "[0-9a-f]{32}")]
    [InlineData("$scheme|$https", @"http\|-")]
    [InlineData("$status|$body_bytes_sent", @"201\|5")]
    [InlineData("$upstream_addr", @"127\.0\.0\.1:\d+")]
    [InlineData("$upstream_status", "201")]
    [InlineData("$upstream_connect_time $upstream_header_time", @"\d\.\d{3} \d\.\d{3}")]
    [InlineData("$upstream_response_time", @"\d\.\d{3}")]
    [InlineData("$upstream_response_length", "5")]
    [InlineData("$upstream_queue_time|$upstream_cache_status", @"-\|-")]
    [InlineData(
        "$upstream_http_x_app|$upstream_http_set_cookie", @"shop\|a=1; Path=/, b=2; Secure")]
    [InlineData("$upstream_cookie_b", "2")]
    [InlineData("$sent_http_x_app|$sent_http_content_length", @"shop\|5")]
    [InlineData("$sent_http_connection", "close")]
    [InlineData("$hostname", ".+")]
    [InlineData("$pid", @"\d+")]
    [InlineData("$msec", @"\d{10}\.\d{3}")]
    [InlineData("$time_local", @"\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}")]
    [InlineData("$time_iso8601", @"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d")]
    [InlineData("$date_gmt", @"\w+, \d\d-\w{3}-\d{4} \d\d:\d\d:\d\d GMT")]
    [InlineData("$date_local", @"\w+, \d\d-\w{3}-\d{4} \d\d:\d\d:\d\d \S+")]
    [InlineData("$arg_|$http_|$cookie_|$ssl_protocol", @"-\|-\|-\|-")]
    [InlineData("$nginx_version", @"\d+\.\d+\.\d+")]
    [InlineData("$route|$backend|$instance", @"/\|web\|web-1")]
    [InlineData("$trace_id", "-")]
    public async Task Says_what_nginx_documents(string format, string expected)
    {
        using ScriptedServer server = ScriptedServer.Reply(
            _ => "HTTP/1.1 201 Created\r\nX-App: shop\r\nSet-Cookie: a=1; Path=/\r\n"
                + "Set-Cookie: b=2; Secure\r\nContent-Length: 5\r\n\r\nhello");
        string line = await _log.LineOfAsync(server, Post, format);
        line.ShouldMatch($"^{expected}$");
    }

    [Theory]
    [InlineData("$http_x_one", "X_One: forged\r\n", "-")]
    [InlineData("$http_x_one", "X_One: forged\r\nX-One: 1\r\n", "1")]
    [InlineData(
        "$content_type|$content_length", "Content_Type: a\r\nContent_Length: 7\r\n", "-|-")]
    [InlineData("$http_x_one", "X-One: 1\r\nA: b\r\nx-one: 2\r\n", "1, 2")]
    [InlineData("$http_cookie", "Cookie: a=1\r\nCookie: b=2\r\n", "a=1; b=2")]
    public async Task Reads_the_fields_that_the_server_gets(
        string format, string fields, string expected)
    {
        using ScriptedServer server = ScriptedServer.Named("x");
        string line = await _log.LineOfAsync(
            server, $"GET / HTTP/1.1\r\nHost: t\r\n{fields}Connection: close\r\n\r\n", format);
        line.ShouldBe(expected);
    }

    [Fact]
    public async Task Counts_the_bytes_of_both_sides()
    {
        string sent = "";
        using ScriptedServer server = ScriptedServer.Start(async connection =>
        {
            sent = await connection.ReadHeadAsync();
            sent += await connection.ReadBodyAsync(sent);
            await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc");
            await connection.ReadToEndAsync();
        });
        await using ProxyFixture proxy = _log.Start([server], log => log with
        {
            Format = "$request_length $bytes_sent $upstream_bytes_sent $upstream_bytes_received",
        });
        string answer = await proxy.ExchangeAsync(Post);
        await proxy.DisposeAsync();
        _log.Lines.ShouldHaveSingleItem().ShouldBe(
            $"{Post.Length} {answer.Length} {sent.Length} 41");
    }

    [Fact]
    public async Task Lists_a_value_for_each_try()
    {
        using ScriptedServer dying = ScriptedServer.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            connection.Reset();
        });
        using ScriptedServer alive = ScriptedServer.Named("abc");
        string line = await _log.LineOfAsync(
            [dying, alive],
            "GET / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n",
            log => log with
            {
                Format = "$upstream_addr|$upstream_status|$upstream_header_time|"
                    + "$upstream_response_length|$instance",
            });
        line.ShouldMatch(
            $@"^{dying.Address}, {alive.Address}\|502, 200\|-, \d\.\d{{3}}\|0, 3\|web-2$");
    }

    [Fact]
    public async Task Tells_requests_of_one_connection_apart()
    {
        using ScriptedServer server = ScriptedServer.Named("x");
        await using ProxyFixture proxy = _log.Start([server], log => log with
        {
            Format = "$connection $connection_requests $pipe $bytes_sent $upstream_bytes_received",
        });
        using (ScriptedConnection client = await proxy.ConnectAsync())
        {
            const string Get = "GET / HTTP/1.1\r\nHost: t\r\n\r\n";
            await client.SendAsync(Get + Get);
            await client.ReadResponseAsync();
            await client.ReadResponseAsync();
        }

        await proxy.DisposeAsync();
        string[][] lines = [.. _log.Lines.Select(l => l.Split(' '))];
        lines.Length.ShouldBe(2);
        lines[0][0].ShouldBe(lines[1][0]);
        lines.Select(l => l[1]).ShouldBe(["1", "2"]);
        lines.Select(l => l[2]).ShouldBe([".", "p"]);
        lines[0][3].ShouldBe(lines[1][3]);
        lines.Select(l => l[4]).ShouldBe(["39", "39"]);
    }

    [Theory]
    [InlineData("$no_such_thing")]
    [InlineData("$http_")]
    [InlineData("${host")]
    [InlineData("$ ")]
    public void Refuses_what_is_no_variable(string text) =>
        Should.Throw<FormatException>(() => Template.Parse(text));
}
