using Shouldly;
using Xunit;

namespace Tessera.EndToEnd.Nginx;

/// <summary>What the proxy itself answers, byte for byte as nginx does.</summary>
public sealed class AnswerAgreementTests
{
    private const string Locations =
        """
        limit_req_zone $uri zone=one:1m rate=1r/m;
        limit_conn_zone $binary_remote_addr zone=c:1m;
        server {
            listen 127.0.0.1:%%PORT_0%%;
            root html;
            location /auto/ { autoindex on; }
            location /json/ { alias %%PREFIX%%/html/auto/; autoindex on; autoindex_format json; }
            location /xml/ { alias %%PREFIX%%/html/auto/; autoindex on; autoindex_format xml; }
            location /text { return 200 hello; }
            location /page { return 404 hello; }
            location /broken { return 500; }
            location /teapot { return 418; }
            location /empty { return 204; }
            location /moved { return 301 /x; }
            location /away { return 303 http://x/y; }
            location /closed { return 444; }
            location /relative { absolute_redirect off; }
            location /portless { port_in_redirect off; }
            location /fields { add_header X-A b always; add_header X-B c; etag off; }
            location /epoch { expires epoch; }
            location /max { expires max; }
            location /small { client_max_body_size 3; }
            location /gzip { gzip on; gzip_min_length 1; gzip_types text/plain; gzip_vary on; }
            location /sub {
                sub_filter_types text/plain; sub_filter 1 ONE; sub_filter 23 "[$uri]";
                sub_filter_once off;
            }
            location /once { sub_filter_types *; sub_filter ll LL; return 200 "hello ll"; }
            location /charset { charset utf-8; }
            location /before { if_modified_since before; }
            location /unconditional { if_modified_since off; }
            location /oneRange { max_ranges 1; }
            location /noRange { max_ranges 0; }
            location /rate { limit_req zone=one; }
            location /told { keepalive_timeout 5s 7s; return 200 x; }
            location /once-only { keepalive_timeout 0; return 200 x; }
            location /quiet { server_tokens off; return 404; }
            location /index/ { index none.html $arg_i i.html; }
            location /types { default_type application/x-y; types { text/x-t t; } }
            location /unchunked/ {
                chunked_transfer_encoding off; alias %%PREFIX%%/html/auto/; autoindex on;
            }
            location /unpadded { msie_padding off; }
        }
        """;

    private static readonly string[] Folders =
    [
        "", "fields/", "epoch/", "max/", "gzip/", "sub/", "charset/", "before/",
        "unconditional/", "oneRange/", "noRange/", "rate/", "types/", "index/", "relative/d/",
        "portless/d/", "auto/",
    ];

    private static readonly Dictionary<string, string> Files = Folders
        .Select(folder => ($"html/{folder}a.txt", "0123456789\n1 23 123\n"))
        .Concat([("html/index/i.html", "<p>"), ("html/auto/x & <y>.txt", "xy")])
        .ToDictionary(file => file.Item1, file => file.Item2);

    [Fact]
    public async Task Answers_of_the_proxy_itself_are_the_same_bytes()
    {
        await using NginxPair pair = await NginxPair.StartHttpAsync(Locations, Files);
        await pair.ShouldAgreeAsync(new[]
        {
            "/text", "/page", "/broken", "/teapot", "/empty", "/moved", "/away", "/closed",
            "/quiet", "/told", "/once-only", "/none", "/once",
        }.Select(uri => NginxPair.Get(uri)));
        await pair.ShouldAgreeAsync(
        [
            NginxPair.Get("/none", "User-Agent: Chrome/1.0\r\n"),
            NginxPair.Get("/unpadded", "User-Agent: Chrome/1.0\r\n"),
            "HEAD /none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            "HEAD /once HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            "GET /once HTTP/1.0\r\n\r\n",
            "GET /text HTTP/1.0\nHost: localhost\n\n",
            "POST /text HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nxyz"
                + NginxPair.Get("/text"),
            "POST /small HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                + "Content-Length: 10\r\n\r\n0123456789",
            "GET /text HTTP/1.1\r\nHost: a\r\n\r\nGET /none HTTP/1.1\r\nHost: a\r\n\r\n"
                + "GET /broken HTTP/1.1\r\nHost: a\r\n\r\n",
        ]);
    }

    [Fact]
    public async Task Heads_are_refused_alike()
    {
        await using NginxPair pair = await NginxPair.StartHttpAsync(Locations, Files);
        await pair.ShouldAgreeAsync(
        [
            "GET /a.txt\r\n",
            "FOO\r\n\r\n",
            "get / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /a.txt HTTP/2.0\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "GET /a.txt HTTP/1.1\r\nHost: a b\r\n\r\n",
            "GET /a.txt HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            "GET /a.txt HTTP/1.1\r\nHost: a\r\nX Y: z\r\n\r\n",
            NginxPair.Get("/a.txt", "X_Y: z\r\nX@: 1\r\nNoColon\r\n"),
            "GET /a.txt HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: foo\r\n\r\n",
            "GET /../x HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n",
            "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
            $"GET /{new string('a', 9_000)} HTTP/1.1\r\nHost: a\r\n\r\n",
            $"GET / HTTP/1.1\r\nHost: a\r\nX: {new string('a', 9_000)}\r\n\r\n",
            "\r\n\r\n" + NginxPair.Get("/text"),
        ]);
    }

    [Fact]
    public async Task Files_are_found_and_sent_alike()
    {
        await using NginxPair pair = await NginxPair.StartHttpAsync(Locations, Files);
        await pair.ShouldAgreeAsync(
            Folders.Select(folder => NginxPair.Get($"/{folder}a.txt")).Concat(new[]
            {
                "/", "/relative/d", "/portless/d", "/relative/d?x=y", "/fields/none", "/index/",
                "/index/?i=a.txt", "/%61.txt", "//a.txt", "/auto/../a.txt", "/a.txt/x",
                "/rate/a.txt",
            }.Select(uri => NginxPair.Get(uri))));
        const string Future = "If-Modified-Since: Sat, 21 Nov 2037 22:00:04 GMT\r\n";
        const string Same = "If-Modified-Since: Wed, 06 May 2026 07:08:09 GMT\r\n";
        await pair.ShouldAgreeAsync(
        [
            NginxPair.Get("/a.txt", Same),
            NginxPair.Get("/a.txt", Future),
            NginxPair.Get("/before/a.txt", Future),
            NginxPair.Get("/unconditional/a.txt", Same),
            NginxPair.Get("/a.txt", "If-None-Match: *\r\n"),
            NginxPair.Get("/a.txt", "If-Match: \"x\"\r\n"),
            NginxPair.Get("/a.txt", "If-Unmodified-Since: Thu, 01 Jan 1970 00:00:01 GMT\r\n"),
            NginxPair.Get("/gzip/a.txt", "If-None-Match: x\r\n"),
            "POST /a.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                + "Content-Length: 1\r\n\r\nx",
            "PUT /none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            "HEAD /a.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        ]);
    }

    [Theory]
    [InlineData("bytes=1-2")]
    [InlineData("bytes=1-2,4-5")]
    [InlineData("bytes=4-5, 1-2")]
    [InlineData("bytes=1-8,0-9,0-9")]
    [InlineData("bytes=-3")]
    [InlineData("bytes=100-")]
    [InlineData("bytes=5-2")]
    [InlineData("bytes=x")]
    [InlineData("bytes=0-18446744073709551616")]
    [InlineData("lines=1-2")]
    public async Task Ranges_are_cut_alike(string range)
    {
        await using NginxPair pair = await NginxPair.StartHttpAsync(Locations, Files);
        await pair.ShouldAgreeAsync(new[] { "/a.txt", "/oneRange/a.txt", "/noRange/a.txt" }
            .Select(uri => NginxPair.Get(uri, $"Range: {range}\r\n")));
    }

    [Fact]
    public async Task Folders_are_listed_alike()
    {
        await using NginxPair pair = await NginxPair.StartHttpAsync(Locations, Files);
        await pair.ShouldAgreeAsync(new[] { "/auto/", "/json/", "/xml/", "/unchunked/" }
            .Select(uri => NginxPair.Get(uri)));
        await pair.ShouldAgreeAsync("GET /auto/ HTTP/1.0\r\n\r\n");
    }

    [Fact]
    public async Task A_rate_refuses_with_the_same_page()
    {
        await using NginxPair pair = await NginxPair.StartHttpAsync(Locations, Files);
        await pair.ShouldAgreeAsync(NginxPair.Get("/rate/a.txt"));
        (string nginx, string tessera) = await pair.AskBothAsync(NginxPair.Get("/rate/a.txt"));
        tessera.ShouldBe(nginx);
        tessera.ShouldStartWith("HTTP/1.1 503 Service Temporarily Unavailable\r\n");
    }
}
