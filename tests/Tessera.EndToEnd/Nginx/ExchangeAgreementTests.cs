using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd.Nginx;

/// <summary>
/// Requests that go another way than straight on, and heads that are not as they should be.
/// </summary>
public sealed class ExchangeAgreementTests
{
    private const string Configuration =
        """
        log_format line '$status "$request" $server_protocol $request_method';
        large_client_header_buffers 8 128k;
        server {
            listen 127.0.0.1:%%PORT_0%%;
            root html;
            client_max_body_size 10m;
            access_log logs/line.log line;
            location / { proxy_pass http://127.0.0.1:%%PORT_1%%; }
            location /large {
                proxy_buffer_size 128k;
                proxy_buffers 8 128k;
                proxy_pass http://127.0.0.1:%%PORT_1%%;
            }
            location /text { return 200 "$request|$server_protocol|$request_method"; }
            location /inner/ { internal; }
            location /inner/text { internal; return 200 text; }
            location /inner/passed { internal; proxy_pass http://127.0.0.1:%%PORT_1%%/plain; }
            location ~ ^/asked/(.*)/(.*)$ {
                auth_request /ask/yes;
                auth_request_set $line $upstream_http_x_line;
                proxy_set_header X-Groups "$1-$2";
                proxy_set_header X-Asked $line;
                proxy_set_header X-Body "$request_body|$request_method";
                proxy_pass http://127.0.0.1:%%PORT_1%%;
            }
            location ~ ^/ask/(.*)$ {
                proxy_set_header X-Asker "$request_method $1 $request_uri";
                proxy_set_header Content-Length "";
                proxy_pass http://127.0.0.1:%%PORT_1%%;
            }
            location /denied { auth_request /ask/401; proxy_pass http://127.0.0.1:%%PORT_1%%; }
            location /led { auth_request /away; proxy_pass http://127.0.0.1:%%PORT_1%%; }
            location /away { return 301 /elsewhere; }
            location /chunks {
                proxy_http_version 1.1;
                proxy_pass http://127.0.0.1:%%PORT_1%%;
            }
            location /unbuffered {
                proxy_http_version 1.1;
                proxy_request_buffering off;
                proxy_pass http://127.0.0.1:%%PORT_1%%;
            }
            location /method { proxy_method $arg_m; proxy_pass http://127.0.0.1:%%PORT_1%%; }
            location /decoded { proxy_pass http://127.0.0.1:%%PORT_1%%$uri; }
            location /cookies {
                proxy_cookie_path / /$http_x;
                proxy_pass http://127.0.0.1:%%PORT_1%%;
            }
        }
        """;

    private static readonly Dictionary<string, string> Files = new()
    {
        ["html/inner/file.txt"] = "a file\n",
    };

    [Theory]
    [InlineData("GET", "", "")]
    [InlineData("HEAD", "", "")]
    [InlineData("POST", "Content-Length: 3\r\n", "abc")]
    [InlineData("PUT", "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n")]
    public async Task A_question_is_put_without_body_and_leaves_nothing_behind(
        string method, string fields, string body)
    {
        await using NginxPair pair = await NginxPair.StartHttpAsync(Configuration, Files);
        (string nginx, string tessera) = await CompareRequestsAsync(
            pair,
            $"{method} /asked/one/two?a=b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                + $"{fields}\r\n{body}");
        tessera.ShouldBe(nginx);
        tessera.ShouldContain("GET /ask/yes HTTP/1.0");
        tessera.ShouldContain("X-Groups: one-two");
    }

    [Fact]
    public async Task A_question_is_answered_before_the_body_has_come()
    {
        await using NginxPair pair = await NginxPair.StartHttpAsync(Configuration, Files);
        string request = "POST /denied HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\n"
            + new string('x', 200_000);
        foreach (NginxServer server in (NginxServer[])[pair.Nginx, pair.Tessera])
        {
            await using var origin = new Origin(server.Port(1), Answer);
            string answer = await server.AskAsync(request, 0, TimeSpan.FromSeconds(2));
            answer.ShouldStartWith("HTTP/1.1 401 Unauthorized\r\n");
        }
    }

    [Theory]
    [InlineData("file.txt")]
    [InlineData("text")]
    [InlineData("passed")]
    public async Task What_a_redirect_within_carries(string target)
    {
        await using NginxPair pair = await NginxPair.StartHttpAsync(Configuration, Files);
        await CompareAnswersAsync(pair, [NginxPair.Get($"/accel/{target}")]);
    }

    [Fact]
    public async Task Odd_heads_and_chunks()
    {
        await using NginxPair pair = await NginxPair.StartHttpAsync(Configuration, Files);
        const string Fields = " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n";
        string[] lines =
        [
            "OPTIONS *", "CONNECT /x", "CONNECT a:443", "CONNECT http://a/x", "TRACE /x",
            "OPTIONS /text", "GET  /text ", "GET /text  ", "GET /led", "GET /status-099",
            "GET /chunks/status-099", "GET /method?m=A%20B",
        ];
        string[] raw =
        [
            "GET  /text  HTTP/1.0\r\n\r\n", "GET /text HTTP/1.0  \r\n\r\n", "GET /text \r\n",
            "GET /text\r\n", "POST /text\r\n", "get /text HTTP/1.0\r\n\r\n",
            "GET /text HTTP/2.0\r\n\r\n", "GET\t/text HTTP/1.0\r\n\r\n",
            "GET /a b HTTP/1.0\r\n\r\n", "\r\n\r\nGET /text HTTP/1.0\r\n\r\n",
            $"GET /text HTTP/1.9\r\nHost: a\r\nConnection: close\r\n\r\n",
            $"GET /text{Fields}"
                + string.Concat(Enumerable.Range(0, 300).Select(i => $"X-{i}: 1\r\n")) + "\r\n",
            $"GET /large/many{Fields}\r\n",
            $"GET /text?{new string('q', 5_000)}{Fields}\r\n",
            $"GET /cookies{Fields}X: {new string('q', 90_000)}\r\n\r\n",
        ];
        var chunked =
            from location in (string[])["chunks", "unbuffered", "text"]
            from body in (string[])
            [
                "3\nabc\n0\n\n", "3 \r\nabc\r\n0\r\n\r\n", "3 ;x\r\nabc\r\n0 \r\n\r\n",
                "0x3\r\nabc\r\n0\r\n\r\n",
            ]
            select $"POST /{location}{Fields}Transfer-Encoding: chunked\r\n\r\n{body}";
        await CompareAnswersAsync(
            pair, [.. lines.Select(line => $"{line}{Fields}\r\n"), .. raw, .. chunked]);
        await EndAsync(pair);
        Lines(pair.Tessera).ShouldBe(Lines(pair.Nginx));
    }

    [Fact]
    public async Task Odd_chunks_are_never_passed_on_as_they_are()
    {
        await using NginxPair pair = await NginxPair.StartHttpAsync(Configuration, Files);
        await using var origin = new Origin(pair.Tessera.Port(1), Answer);
        await pair.Tessera.AskAsync(
            "POST /unbuffered HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                + "Transfer-Encoding: chunked\r\n\r\n3 \nabc\n0\n\n");
        string sent = origin.TakeRequests();
        sent.ShouldContain("Content-Length: 3\r\n\r\nabc");
        sent.ShouldNotContain("chunked");
    }

    [Fact]
    public async Task What_was_decoded_never_makes_a_line_of_its_own()
    {
        await using NginxPair pair = await NginxPair.StartHttpAsync(Configuration, Files);
        await using var origin = new Origin(pair.Tessera.Port(1), Answer);
        await pair.Tessera.AskAsync(NginxPair.Get("/decoded%0d%0aX:%20y"));
        origin.TakeRequests().ShouldStartWith("GET /decoded%0D%0AX:%20y HTTP/1.0\r\nHost:");
    }

    /// <summary>In an order of their own: nginx logs when it has closed.</summary>
    private static string Lines(NginxServer server) => string.Join(
        '\n', server.ReadFile("logs/line.log").Split('\n').Order(StringComparer.Ordinal));

    private static string? Answer(string request)
    {
        string line = request.Split("\r\n")[0];
        if (line.Contains("/accel/", StringComparison.Ordinal))
        {
            string target = line.Split(' ')[1].Split('/')[^1];
            return $"HTTP/1.1 200 OK\r\nX-Accel-Redirect: /inner/{target}\r\n"
                + "Content-Type: application/pdf\r\nAccept-Ranges: none\r\nX-Other: 1\r\n"
                + "Set-Cookie: a=1\r\nset-cookie: b=2\r\n"
                + "Expires: Mon, 01 Jan 2001 00:00:00 GMT\r\nCache-Control: private\r\n"
                + "Cache-Control: no-store\r\nETag: \"up\"\r\nContent-Length: 3\r\n\r\nabc";
        }

        return line.Contains("/ask/401", StringComparison.Ordinal)
            ? "HTTP/1.0 401 No\r\nContent-Length: 0\r\n\r\n"
            : line.Contains("status-099", StringComparison.Ordinal)
            ? "HTTP/1.1 099 Hm\r\nContent-Length: 2\r\nX-A: 1\r\n\r\nok"
            : line.Contains("/many", StringComparison.Ordinal)
            ? "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
                + string.Concat(Enumerable.Range(0, 300).Select(i => $"Set-Cookie: c{i}=1\r\n"))
                + "\r\nok"
            : line.Contains("/cookies", StringComparison.Ordinal)
            ? "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
                + string.Concat(Enumerable.Repeat("Set-Cookie: a=b; path=/\r\n", 4)) + "\r\nok"
            : $"HTTP/1.1 200 OK\r\nX-Line: {line.Replace(' ', '_')}\r\n"
                + $"Content-Length: {line.Length}\r\n\r\n{(line.StartsWith("HEAD") ? "" : line)}";
    }

    /// <summary>What the backends of both were sent.</summary>
    private static async Task<(string Nginx, string Tessera)> CompareRequestsAsync(
        NginxPair pair, string request)
    {
        await using var nginx = new Origin(pair.Nginx.Port(1), Answer);
        await using var tessera = new Origin(pair.Tessera.Port(1), Answer);
        await pair.ShouldAgreeAsync(request);
        return (pair.Nginx.Normalize(nginx.TakeRequests()),
            pair.Tessera.Normalize(tessera.TakeRequests()));
    }

    private static async Task CompareAnswersAsync(NginxPair pair, string[] requests)
    {
        await using var nginx = new Origin(pair.Nginx.Port(1), Answer);
        await using var tessera = new Origin(pair.Tessera.Port(1), Answer);
        await pair.ShouldAgreeAsync(requests);
    }

    /// <summary>Ends both, so that their logs are whole.</summary>
    private static async Task EndAsync(NginxPair pair)
    {
        await pair.Nginx.SignalAsync("QUIT");
        await pair.Tessera.SignalAsync("QUIT");
        await pair.Nginx.WaitAsync();
        await pair.Tessera.WaitAsync();
    }
}
