using Shouldly;
using Xunit;

namespace Tessera.EndToEnd.Nginx;

/// <summary>
/// Both pass requests on in the same bytes, and hand out the answers of backends in the same.
/// </summary>
public sealed class ProxyAgreementTests
{
    private const string Configuration =
        """
        upstream u { server 127.0.0.1:%%PORT_1%%; }
        upstream two { server 127.0.0.1:%%PORT_1%%; server 127.0.0.1:%%PORT_2%%; }
        upstream spare { server 127.0.0.1:%%PORT_3%%; server 127.0.0.1:%%PORT_2%% backup; }
        upstream keep { server 127.0.0.1:%%PORT_1%%; keepalive 2; }
        map $http_upgrade $option { default upgrade; '' close; }
        server {
            listen 127.0.0.1:%%PORT_0%%;
            location / { proxy_pass http://u; }
            location /uri/ { proxy_pass http://127.0.0.1:%%PORT_1%%/base/; }
            location /exact { proxy_pass http://u/other?x=1; }
            location /set/ {
                proxy_pass http://u;
                proxy_set_header Host $host;
                proxy_set_header X-Real-IP $remote_addr;
                proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                proxy_set_header Accept "";
                proxy_set_header X-Proxy $proxy_host;
            }
            location /keep/ {
                proxy_pass http://keep;
                proxy_http_version 1.1;
                proxy_set_header Connection "";
            }
            location /method/ {
                proxy_pass http://u;
                proxy_method PUT;
                proxy_set_body "b=$args";
            }
            location /stream/ {
                proxy_pass http://u;
                proxy_request_buffering off;
                proxy_http_version 1.1;
            }
            location /hide/ {
                proxy_pass http://u;
                proxy_hide_header X-One;
                proxy_pass_header Server;
                proxy_pass_header Date;
            }
            location /cookie/ {
                proxy_pass http://u;
                proxy_cookie_domain one.example two.example;
                proxy_cookie_path /two/ /three/;
                proxy_cookie_flags a secure samesite=lax nohttponly;
            }
            location /moved/ { proxy_pass http://127.0.0.1:%%PORT_1%%/base/; }
            location /moved-re/ {
                proxy_pass http://127.0.0.1:%%PORT_1%%/base/;
                proxy_redirect ~^http://[^/]+/(.*)$ http://$host/re/$1;
            }
            location /two/ { proxy_pass http://two; proxy_next_upstream http_503 error; }
            location /off/ { proxy_pass http://two; proxy_next_upstream off; }
            location /spare/ { proxy_pass http://spare; }
            location /caught/ {
                proxy_pass http://u;
                proxy_intercept_errors on;
                error_page 404 /inner/page;
                error_page 500 = @named;
            }
            location /inner/ { internal; proxy_pass http://127.0.0.1:%%PORT_2%%; }
            location @named { proxy_pass http://127.0.0.1:%%PORT_2%%; }
            location /change/ {
                rewrite ^/change/(.*)$ /other/$1?new=1 break;
                proxy_pass http://127.0.0.1:%%PORT_1%%;
            }
            location /variable/ { proxy_pass http://127.0.0.1:%%PORT_1%%$request_uri; }
            location /named/ { set $name two; proxy_pass http://$name; }
            location ~ ^/group/(\w+)/(.*)$ {
                proxy_pass http://127.0.0.1:%%PORT_1%%/g/$2?x=$1;
            }
        }
        """;

    [Fact]
    public async Task Requests_reach_backends_in_the_same_bytes()
    {
        string chunks = "3\r\nabc\r\n4;e=1\r\ndefg\r\n0\r\n\r\n";
        await AgreeAsync(
        [
            NginxPair.Get("/x?y=1"),
            NginxPair.Get("/a%20b/%C3%A9?q=%20"),
            NginxPair.Get("/uri/a%20b%3Fc?x=1"),
            NginxPair.Get("/uri/sp/../z"),
            NginxPair.Get("/uri/a%2Fb\"<>^`{|}"),
            NginxPair.Get("/exact/foo?z=2"),
            NginxPair.Get(
                "/set/x", "Accept: */*\r\nX-Forwarded-For: 1.2.3.4\r\nTE: trailers\r\n"),
            NginxPair.Get("/keep/x"),
            NginxPair.Get("/method/?q=1"),
            NginxPair.Get("/change/a%20b?o=2"),
            NginxPair.Get("/variable/a%20b?c"),
            NginxPair.Get("/named/x"),
            NginxPair.Get("/group/one/two%2Dx"),
            Post("/x", "Content-Length: 5", "hello"),
            Post("/method/?q=1", "Content-Length: 3", "abc"),
            Post("/x", "Transfer-Encoding: chunked", chunks),
            Post("/stream/x", "Transfer-Encoding: chunked", chunks),
            Post("/stream/x", "Content-Length: 3", "abc"),
            Post("/x", "Content-Length: 3\r\nExpect: 100-continue", "abc"),
        ]);
    }

    [Fact]
    public async Task Answers_reach_clients_in_the_same_bytes()
    {
        string[] paths =
        [
            "/close", "/nocontent", "/notmodified", "/fields", "/500", "/weird", "/short", "/long",
            "/hide/fields", "/hide/plain", "/cookie/set", "/moved/moved", "/moved-re/moved",
            "/caught/404", "/caught/500", "/within", "/plain",
        ];
        await AgreeAsync(
        [
            .. paths.Select(path => NginxPair.Get(path)),
            .. paths.Select(path => $"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n"),
            "HEAD /close HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            "HEAD /fields HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        ]);
    }

    [Fact]
    public async Task Other_servers_are_tried_in_the_same_cases() => await AgreeAsync(
    [
        NginxPair.Get("/two/503"),
        NginxPair.Get("/two/503"),
        NginxPair.Get("/off/503"),
        NginxPair.Get("/off/503"),
        NginxPair.Get("/two/die"),
        NginxPair.Get("/spare/x"),
        NginxPair.Get("/spare/x"),
    ]);

    private static string Post(string path, string fields, string body) =>
        $"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{fields}\r\n\r\n{body}";

    /// <summary>What both sent upstream and what both answered.</summary>
    private static async Task AgreeAsync(IEnumerable<string> requests)
    {
        await using NginxPair pair = await NginxPair.StartHttpAsync(Configuration);
        await using var nginxFirst = new Origin(pair.Nginx.Port(1), text => Answer(text, true));
        await using var nginxSecond = new Origin(pair.Nginx.Port(2), text => Answer(text, false));
        await using var first = new Origin(pair.Tessera.Port(1), text => Answer(text, true));
        await using var second = new Origin(pair.Tessera.Port(2), text => Answer(text, false));
        List<string> differences = [];
        foreach (string request in requests)
        {
            (string expected, string actual) = await pair.AskBothAsync(request);
            string expectedSent = pair.Nginx.Normalize(
                nginxFirst.TakeRequests() + nginxSecond.TakeRequests());
            string actualSent = pair.Tessera.Normalize(
                first.TakeRequests() + second.TakeRequests());
            if (expected != actual || expectedSent != actualSent)
            {
                differences.Add(
                    $"=== {request}\n<<< nginx\n{expectedSent}{expected}\n"
                    + $">>> tessera\n{actualSent}{actual}");
            }
        }

        differences.ShouldBeEmpty(string.Join('\n', differences));
    }

    private static string? Answer(string request, bool isFirst)
    {
        string path = request.Split(' ')[1];
        string name = path.Split('?')[0].Split('/')[^1];
        return name switch
        {
            "close" => "HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\nuntil the end",
            "nocontent" => "HTTP/1.1 204 No Content\r\nX-One: 1\r\n\r\n",
            "notmodified" => "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n",
            "fields" => "HTTP/1.1 200 OK\r\nX-One: 1\r\nX-Accel-Expires: 3\r\nX-Pad: a\r\n"
                + "Connection: close\r\nKeep-Alive: timeout=5\r\nVary: X\r\nServer: s\r\n"
                + "Last-Modified: Mon, 01 Jan 2020 00:00:00 GMT\r\nContent-Length: 2\r\n\r\nok",
            "404" => "HTTP/1.1 404 Nope\r\nContent-Length: 2\r\n\r\nno",
            "500" => "HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\nno",
            "503" when isFirst => "HTTP/1.1 503 Later\r\nContent-Length: 2\r\n\r\nno",
            "die" when isFirst => null,
            "weird" => "HTTP/1.1 299\r\nContent-Length: 0\r\n\r\n",
            "short" => "HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\nab",
            "long" => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabcdef",
            "set" => "HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Domain=one.example; Path=/two/x; "
                + "HttpOnly\r\nSet-Cookie: c=d; path=/z\r\nContent-Length: 2\r\n\r\nok",
            "moved" => $"HTTP/1.1 302 Found\r\nLocation: http://{HostOf(request)}/base/foo\r\n"
                + "Content-Length: 0\r\n\r\n",
            "within" => "HTTP/1.1 200 OK\r\nX-Accel-Redirect: /inner/a?b=1\r\n"
                + "Set-Cookie: q=1\r\nContent-Length: 2\r\n\r\nok",
            _ => "HTTP/1.1 200 OK\r\nX-One: 1\r\nContent-Type: text/plain\r\n"
                + "Content-Length: 5\r\n\r\nhello",
        };
    }

    private static string HostOf(string request)
    {
        string behind = request[(request.IndexOf("Host: ", StringComparison.Ordinal) + 6)..];
        return behind[..behind.IndexOf('\r', StringComparison.Ordinal)];
    }
}
