using System.IO.Compression;
using System.Text;
using Shouldly;
using Tessera.Proxy;
using Tessera.Tests.Proxy.Files;
using Tessera.Tests.Proxy.Forwarding;
using Xunit;

namespace Tessera.Tests.Proxy.Compression;

public sealed class CompressionTests
{
    private const string AcceptsGzip = "Accept-Encoding: gzip";

    private static readonly string Text =
        string.Concat(Enumerable.Range(0, 2_000).Select(i => $"line {i} of a text\n"));

    [Theory]
    [InlineData("gzip", 1)]
    [InlineData("br", 1)]
    [InlineData("gzip", 100)]
    [InlineData("br", 100)]
    public async Task A_file_is_compressed_for_who_accepts_it(string coding, int times)
    {
        // Small ones from memory, large ones step by step.
        string text = string.Concat(Enumerable.Repeat(Text, times));
        await using FileFixture site = Compressing(new FileFixture().With("f.txt", text));
        for (int i = 0; i < 2; i++)
        {
            Answer answer = await site.GetAsync("/f.txt", $"Accept-Encoding: {coding}");
            answer.Status.ShouldBe(200);
            answer["Content-Encoding"].ShouldBe(coding);
            answer["Vary"].ShouldBe("Accept-Encoding");
            answer["ETag"]!.ShouldStartWith("W/\"");
            answer["Accept-Ranges"].ShouldBeNull();
            answer.Body.Length.ShouldBeLessThan(text.Length / 3);
            (answer.Decoded() == text).ShouldBeTrue();
        }

        Answer plain = await site.GetAsync("/f.txt");
        plain["Content-Encoding"].ShouldBeNull();
        plain["Vary"].ShouldBe("Accept-Encoding");
        (plain.Body == text).ShouldBeTrue();
    }

    [Fact]
    public async Task A_file_is_left_as_it_is_where_compression_would_be_wrong_or_in_vain()
    {
        await using FileFixture site = Compressing(new FileFixture()
            .With("short.txt", "short").With("f.png", Text).With("f.txt", Text)
            .With("random.txt", FileServingTests.RandomBytes(4_000)));
        (await site.GetAsync("/short.txt", AcceptsGzip))["Content-Encoding"].ShouldBeNull();
        (await site.GetAsync("/f.png", AcceptsGzip))["Content-Encoding"].ShouldBeNull();
        (await site.GetAsync("/f.png", AcceptsGzip))["Vary"].ShouldBeNull();
        (await site.GetAsync("/random.txt", AcceptsGzip))["Content-Encoding"].ShouldBeNull();
        (await site.AskAsync("HEAD", "/f.txt", AcceptsGzip))["Content-Encoding"].ShouldBeNull();
        Answer part = await site.GetAsync("/f.txt", AcceptsGzip, "Range: bytes=0-9");
        part.Status.ShouldBe(206);
        part.Body.ShouldBe(Text[..10]);
        string etag = (await site.GetAsync("/f.txt", AcceptsGzip))["ETag"]!;
        Answer known = await site.GetAsync("/f.txt", AcceptsGzip, $"If-None-Match: {etag}");
        known.Status.ShouldBe(304);
        known["ETag"].ShouldBe(etag);
        known["Vary"].ShouldBe("Accept-Encoding");
        (await site.GetAsync("/f.txt", AcceptsGzip, $"If-Match: {etag}")).Status.ShouldBe(412);
    }

    [Fact]
    public async Task A_precompressed_file_is_sent_to_who_accepts_it()
    {
        await using FileFixture site = new FileFixture()
            .With("f.css", "plain").With("f.css.gz", Gzip("zipped")).With("f.css.br", "brotli")
            .With("g.css", "only plain");
        site.Serving(f => f with { IsPrecompressed = true });
        Answer answer = await site.GetAsync("/f.css", "Accept-Encoding: gzip, br;q=0.5");
        answer["Content-Encoding"].ShouldBe("gzip");
        answer["Content-Type"].ShouldBe("text/css");
        answer["Vary"].ShouldBe("Accept-Encoding");
        answer.Decoded().ShouldBe("zipped");
        (await site.GetAsync("/f.css", "Accept-Encoding: gzip, br")).Body.ShouldBe("brotli");
        (await site.GetAsync("/f.css", "Accept-Encoding: br;q=0, gzip;q=0")).Body
            .ShouldBe("plain");
        (await site.GetAsync("/f.css"))["Vary"].ShouldBe("Accept-Encoding");
        (await site.GetAsync("/g.css", AcceptsGzip)).Body.ShouldBe("only plain");
        Answer part = await site.GetAsync(
            "/f.css", "Accept-Encoding: br", "Range: bytes=0-2");
        part.Status.ShouldBe(206);
        part.Body.ShouldBe("bro");
        part["Content-Encoding"].ShouldBe("br");
    }

    [Theory]
    [InlineData("gzip", "length")]
    [InlineData("br", "length")]
    [InlineData("gzip", "chunks")]
    [InlineData("br", "chunks")]
    [InlineData("gzip", "close")]
    [InlineData("br", "close")]
    public async Task A_response_is_compressed_on_its_way(string coding, string framing)
    {
        string text = string.Concat(Enumerable.Repeat(Text, 20));
        string fields = "Content-Type: text/html; charset=utf-8\r\nETag: \"tag\"\r\n"
            + "Accept-Ranges: bytes\r\nX-Kept: 1\r\n";
        using ScriptedServer server = ScriptedServer.Start(async connection =>
        {
            while ((await connection.ReadHeadAsync()).Length > 0)
            {
                await connection.SendAsync($"HTTP/1.1 200 OK\r\n{fields}" + (framing switch
                {
                    "length" => $"Content-Length: {text.Length}\r\n\r\n{text}",
                    "chunks" => $"Transfer-Encoding: chunked\r\n\r\n{Chunks(text)}",
                    _ => $"Connection: close\r\n\r\n{text}",
                }));
                if (framing == "close")
                {
                    return;
                }
            }
        });
        await using ProxyFixture proxy = Proxying(server);
        using ScriptedConnection client = await proxy.ConnectAsync();
        for (int i = 0; i < 3; i++)
        {
            await client.SendAsync(
                $"GET / HTTP/1.1\r\nHost: t\r\nAccept-Encoding: {coding}\r\n\r\n");
            (string head, string body) = await client.ReadResponseAsync();
            Answer answer = Answer.Parse(head + body);
            answer["Content-Encoding"].ShouldBe(coding);
            answer["Content-Length"].ShouldBeNull();
            answer["Accept-Ranges"].ShouldBeNull();
            answer["ETag"].ShouldBe("W/\"tag\"");
            answer["Vary"].ShouldBe("Accept-Encoding");
            answer["X-Kept"].ShouldBe("1");
            (answer.Decoded() == text).ShouldBeTrue();
        }
    }

    [Theory]
    [InlineData("Content-Type: image/png")]
    [InlineData("Content-Encoding: br\r\nContent-Type: text/html")]
    [InlineData("Cache-Control: public, no-transform\r\nContent-Type: text/html")]
    [InlineData("Content-Type: text/html", "206 Partial Content")]
    [InlineData("Content-Type: text/html", "200 OK", "HTTP/1.0")]
    [InlineData("Content-Type: text/html", "200 OK", "HTTP/1.1", "gzip;q=0")]
    [InlineData("X-None: 1")]
    public async Task A_response_is_left_as_it_is(
        string fields, string status = "200 OK", string version = "HTTP/1.1",
        string accepted = "gzip")
    {
        using ScriptedServer server = ScriptedServer.Reply(_ =>
            $"HTTP/1.1 {status}\r\n{fields}\r\nContent-Length: {Text.Length}\r\n\r\n{Text}");
        await using ProxyFixture proxy = Proxying(server);
        Answer answer = Answer.Parse(await proxy.ExchangeAsync(
            $"GET / {version}\r\nHost: t\r\nConnection: close\r\n"
            + $"Accept-Encoding: {accepted}\r\n\r\n"));
        (answer.Body == Text).ShouldBeTrue();
        answer["Content-Length"].ShouldBe(Text.Length.ToString());
    }

    [Theory]
    [InlineData("HEAD", "200 OK")]
    [InlineData("GET", "204 No Content")]
    [InlineData("GET", "304 Not Modified")]
    public async Task A_response_without_body_stays_without(string method, string status)
    {
        using ScriptedServer server = ScriptedServer.Reply(
            _ => $"HTTP/1.1 {status}\r\nContent-Type: text/html\r\nETag: \"tag\"\r\n\r\n");
        await using ProxyFixture proxy = Proxying(server);
        using ScriptedConnection client = await proxy.ConnectAsync();
        for (int i = 0; i < 2; i++)
        {
            await client.SendAsync($"{method} / HTTP/1.1\r\nHost: t\r\n{AcceptsGzip}\r\n\r\n");
            string head = await client.ReadHeadAsync();
            head.ShouldNotContain("Content-Encoding");
            head.ShouldContain("ETag: \"tag\"\r\n");
        }
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("br")]
    public async Task An_empty_chunked_response_is_valid(string coding)
    {
        using ScriptedServer server = ScriptedServer.Reply(_ =>
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
            + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
        await using ProxyFixture proxy = Proxying(server);
        Answer answer = Answer.Parse(await proxy.ExchangeAsync(
            $"GET / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n"
            + $"Accept-Encoding: {coding}\r\n\r\n"));
        answer.Decoded().ShouldBeEmpty();
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("br")]
    public async Task Each_event_of_a_stream_arrives_before_the_next_is_made(string coding)
    {
        var next = new SemaphoreSlim(0);
        using ScriptedServer server = ScriptedServer.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            await connection.SendAsync(
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                + "Transfer-Encoding: chunked\r\n\r\n");
            for (int i = 0; i < 5; i++)
            {
                await connection.SendAsync($"9\r\ndata: {i}\n\n\r\n");
                await next.WaitAsync(TimeSpan.FromSeconds(10));
            }

            await connection.SendAsync("0\r\n\r\n");
        });
        await using ProxyFixture proxy = Proxying(server);
        using ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync($"GET / HTTP/1.1\r\nHost: t\r\nAccept-Encoding: {coding}\r\n\r\n");
        (await client.ReadHeadAsync()).ShouldContain($"Content-Encoding: {coding}\r\n");
        string compressed = "";
        for (int i = 0; i < 5; i++)
        {
            string wanted = $"data: {i}\n\n";
            while (!Partly(compressed, coding).EndsWith(wanted, StringComparison.Ordinal))
            {
                string size = (await client.ReadUntilAsync("\r\n")).Trim();
                size.ShouldNotBeEmpty($"event {i} never came");
                compressed += await client.ReadAsync(Convert.ToInt32(size, 16));
                await client.ReadAsync(2);
            }

            next.Release();
        }
    }

    [Fact]
    public async Task A_response_that_breaks_off_is_not_taken_for_whole()
    {
        using ScriptedServer server = ScriptedServer.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
                + $"Content-Length: {Text.Length + 1}\r\n\r\n{Text}");
        });
        await using ProxyFixture proxy = Proxying(server);
        using ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync($"GET / HTTP/1.1\r\nHost: t\r\n{AcceptsGzip}\r\n\r\n");
        await Should.ThrowAsync<System.Net.Sockets.SocketException>(client.ReadToEndAsync);
    }

    private static FileFixture Compressing(FileFixture site) =>
        site.Serving(route: r => r with { Compression = new CompressionConfig() });

    private static ProxyFixture Proxying(ScriptedServer server) => ProxyFixture.Start(
        [server.Address],
        new ProxyOptions { Reactors = 1 },
        listener: l => l with
        {
            Routes =
            [
                new RouteConfig { Backend = "web", Compression = new CompressionConfig() },
            ],
        });

    private static string Chunks(string text) => string.Concat(
        text.Chunk(7_001).Select(c => $"{c.Length:X}\r\n{new string(c)}\r\n")) + "0\r\n\r\n";

    private static byte[] Gzip(string text)
    {
        using var bytes = new MemoryStream();
        using (var gzip = new GZipStream(bytes, CompressionMode.Compress))
        {
            gzip.Write(Encoding.UTF8.GetBytes(text));
        }

        return bytes.ToArray();
    }

    /// <summary>As much as can be read of a stream that has not ended.</summary>
    private static string Partly(string compressed, string coding)
    {
        using var body = new MemoryStream(Encoding.Latin1.GetBytes(compressed));
        using Stream decoder = coding == "gzip"
            ? new GZipStream(body, CompressionMode.Decompress)
            : new BrotliStream(body, CompressionMode.Decompress);
        byte[] buffer = new byte[1_024];
        int length = 0;
        try
        {
            while (decoder.Read(buffer, length, buffer.Length - length) is > 0 and var read)
            {
                length += read;
            }
        }
        catch (InvalidDataException)
        {
            // It ends where nothing more has come yet.
        }

        return Encoding.ASCII.GetString(buffer, 0, length);
    }
}
