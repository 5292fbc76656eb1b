using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd.Nginx;

/// <summary>
/// What newer nginx passes on: 103 before an answer, and fields behind its chunks.
/// </summary>
public sealed class HintTests : IDisposable
{
    private readonly string _links =
        Directory.CreateTempSubdirectory("tessera-link-").FullName;

    private const string Configuration =
        """
        events { }
        http {
            log_format own "$uri $upstream_trailer_x_one";
            access_log %%PREFIX%%/logs/own.log own;
            early_hints $arg_hints;
            proxy_http_version 1.1;
            server {
                listen 127.0.0.1:%%PORT_0%%;
                location / { proxy_pass http://127.0.0.1:%%PORT_1%%; }
                location /on/ { proxy_pass http://127.0.0.1:%%PORT_1%%; proxy_pass_trailers on; }
            }
        }
        """;

    public void Dispose() => Directory.Delete(_links, recursive: true);

    [Fact]
    public async Task Hints_and_trailers_pass_where_they_are_asked_for()
    {
        await using NginxServer server = await StartAsync();
        await using var origin = new Origin(server.Port(1), _ =>
            "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nServer: secret\r\n\r\n"
            + "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            + "2\r\nok\r\n0\r\nX-One: 1\r\n\r\n");

        string hinted = await server.AskAsync(NginxPair.Get("/?hints=1"));
        hinted.ShouldStartWith(
            "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\n");
        hinted.ShouldEndWith("\r\n\r\n2\r\nok\r\n0\r\n\r\n");

        foreach (string request in (string[])
            [NginxPair.Get("/?hints=0"), NginxPair.Get("/"), "GET /?hints=1 HTTP/1.0\r\n\r\n"])
        {
            (await server.AskAsync(request)).ShouldStartWith("HTTP/1.1 200 OK\r\n");
        }

        (await server.AskAsync(NginxPair.Get("/on/")))
            .ShouldEndWith("\r\n\r\n2\r\nok\r\n0\r\nX-One: 1\r\n\r\n");
        await Eventually.HoldsAsync(
            "the trailer is logged", () => server.ReadFile("logs/own.log").Contains("/on/ 1\n"));
    }

    [Fact]
    public async Task Hints_beyond_the_buffer_are_an_error()
    {
        await using NginxServer server = await StartAsync();
        await using var origin = new Origin(server.Port(1), _ => string.Concat(Enumerable.Repeat(
            $"HTTP/1.1 103 Early Hints\r\nLink: {new string('x', 900)}\r\n\r\n", 6)));
        (await server.AskAsync(NginxPair.Get("/?hints=1"))).ShouldContain("502 Bad Gateway");
    }

    private Task<NginxServer> StartAsync()
    {
        string link = Path.Combine(_links, "nginx");
        File.CreateSymbolicLink(link, Repository.Binary);
        return NginxServer.StartAsync(link, Configuration, new Dictionary<string, string>());
    }
}
