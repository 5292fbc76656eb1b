using Xunit;

namespace Tessera.EndToEnd.Nginx;

/// <summary>What is seldom written, and must not surprise.</summary>
public sealed class OddConfigurationTests
{
    private static readonly Dictionary<string, string> Files = new()
    {
        ["html/a.txt"] = "a file",
        ["html/f/b.txt"] = "another",
        ["html/50x.html"] = "an error",
    };

    [Fact]
    public async Task Folders_that_ask_for_themselves_lead_nowhere()
    {
        await using NginxPair pair = await NginxPair.StartHttpAsync(
            """
            server {
                listen 127.0.0.1:%%PORT_0%%;
                location /root/ { root $request_filename; }
                location /alias/ { alias $request_filename; }
                location ~ ^/try/(.*) { alias html/; try_files $1 /f/$1 =403; }
            }
            """,
            Files);
        await pair.ShouldAgreeAsync(
        [
            NginxPair.Get("/root/a"), NginxPair.Get("/alias/a"), NginxPair.Get("/try/a.txt"),
            NginxPair.Get("/try/b.txt"), NginxPair.Get("/try/none"),
        ]);
    }

    [Fact]
    public async Task Bodies_without_chunks_and_pages_without_dates()
    {
        await using NginxPair pair = await NginxPair.StartHttpAsync(
            """
            server {
                listen 127.0.0.1:%%PORT_0%%;
                location /whole/ {
                    chunked_transfer_encoding off;
                    proxy_http_version 1.1;
                    proxy_pass http://127.0.0.1:%%PORT_1%%;
                }
                location /dated { proxy_pass http://127.0.0.1:%%PORT_1%%; }
                location /gone { error_page 404 /50x.html; return 404; }
                location /fine { error_page 404 =200 /50x.html; return 404; }
            }
            """,
            Files);
        await using var nginx = new Origin(pair.Nginx.Port(1), Answer);
        await using var tessera = new Origin(pair.Tessera.Port(1), Answer);
        await pair.ShouldAgreeAsync(
        [
            NginxPair.Get("/whole/a"), NginxPair.Get("/dated"), NginxPair.Get("/gone"),
            NginxPair.Get("/fine"),
        ]);
    }

    private static string Answer(string request) =>
        request.StartsWith("GET /dated", StringComparison.Ordinal)
            ? "HTTP/1.1 404 Not Found\r\nLast-Modified: Wed, 06 May 2026 07:08:09 GMT\r\n"
                + "Content-Length: 2\r\n\r\nno"
            : "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n";
}
