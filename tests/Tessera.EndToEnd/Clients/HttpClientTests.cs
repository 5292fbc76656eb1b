using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using Shouldly;
using Xunit;

namespace Tessera.EndToEnd.Clients;

/// <summary>.NET's HttpClient and ClientWebSocket.</summary>
public sealed class HttpClientTests(ClientSite site) : ClientTest(site)
{
    private readonly HttpClient _client = new(new SocketsHttpHandler
    {
        MaxConnectionsPerServer = 16,
        AutomaticDecompression = DecompressionMethods.All,
        Expect100ContinueTimeout = TimeSpan.FromSeconds(15),
        UseProxy = false,
    })
    {
        BaseAddress = new Uri(site.Url),
        Timeout = TimeSpan.FromSeconds(30),
    };

    public override ValueTask DisposeAsync()
    {
        _client.Dispose();
        return base.DisposeAsync();
    }

    [Fact]
    public async Task Many_requests_at_once_are_all_answered()
    {
        string[] queries = await Task.WhenAll(Enumerable.Range(0, 500).Select(async i =>
            (await _client.GetFromJsonAsync<JsonElement>($"/app/hello?q={i}"))
                .GetProperty("query").GetString()!));

        queries.ShouldBe(Enumerable.Range(0, 500).Select(i => $"{i}"));
    }

    [Fact]
    public async Task Bodies_of_every_framing_come_whole()
    {
        byte[] file = await _client.GetByteArrayAsync("/large.bin");
        byte[] expected = await File.ReadAllBytesAsync(Site.LargeFile);
        file.AsSpan().SequenceEqual(expected).ShouldBeTrue();
        (await _client.GetByteArrayAsync("/app/large?bytes=1500000")).Length.ShouldBe(1_500_000);
        (await _client.GetByteArrayAsync("/app/large?bytes=1500000&chunked=1"))
            .Length.ShouldBe(1_500_000);
        (await _client.GetStringAsync("/script.js")).ShouldBe(Site.Script);

        using var old = new HttpRequestMessage(HttpMethod.Get, "/app/large?bytes=9000&chunked=1")
        {
            Version = HttpVersion.Version10,
        };
        using HttpResponseMessage answer = await _client.SendAsync(old);
        (await answer.Content.ReadAsByteArrayAsync()).Length.ShouldBe(9_000);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public async Task An_upload_is_streamed(bool isChunked, bool expectsContinue)
    {
        await using FileStream source = File.OpenRead(Site.LargeFile);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/app/upload")
        {
            Content = new StreamContent(source),
        };
        request.Headers.ExpectContinue = expectsContinue;
        request.Headers.TransferEncodingChunked = isChunked;

        using HttpResponseMessage answer = await _client.SendAsync(request);

        (await answer.Content.ReadAsStringAsync()).ShouldBe(Site.UploadAnswer);
    }

    [Fact]
    public async Task Ranges_and_conditions_are_understood()
    {
        using var range = new HttpRequestMessage(HttpMethod.Get, "/large.bin");
        range.Headers.Range = new RangeHeaderValue(100, 199);
        using HttpResponseMessage part = await _client.SendAsync(range);
        part.StatusCode.ShouldBe(HttpStatusCode.PartialContent);
        part.Content.Headers.ContentRange!.ToString().ShouldBe("bytes 100-199/3000000");

        using HttpResponseMessage first = await _client.GetAsync("/style.css");
        using var again = new HttpRequestMessage(HttpMethod.Get, "/style.css");
        again.Headers.IfNoneMatch.Add(first.Headers.ETag.ShouldNotBeNull());
        using HttpResponseMessage same = await _client.SendAsync(again);
        same.StatusCode.ShouldBe(HttpStatusCode.NotModified);
    }

    [Fact]
    public async Task A_websocket_carries_texts_and_bytes_and_is_closed_by_both()
    {
        using var socket = new ClientWebSocket();
        socket.Options.KeepAliveInterval = TimeSpan.FromMilliseconds(100);
        socket.Options.KeepAliveTimeout = TimeSpan.FromSeconds(10);
        using var cancel = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        var address = new Uri(Site.Url.Replace("http:", "ws:", StringComparison.Ordinal)
            + "/app/echo");
        await socket.ConnectAsync(address, cancel.Token);
        byte[] large = await File.ReadAllBytesAsync(Site.LargeFile, cancel.Token);

        await ShouldEchoAsync(socket, "hello"u8.ToArray(), WebSocketMessageType.Text, cancel.Token);
        await ShouldEchoAsync(
            socket, large[..1_000_000], WebSocketMessageType.Binary, cancel.Token);
        // Nothing is said but pings and their answers.
        await Task.Delay(400, cancel.Token);
        await ShouldEchoAsync(
            socket, Encoding.UTF8.GetBytes("Zoë"), WebSocketMessageType.Text, cancel.Token);
        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "done", cancel.Token);

        socket.CloseStatus.ShouldBe(WebSocketCloseStatus.NormalClosure);
    }

    private static async Task ShouldEchoAsync(
        ClientWebSocket socket, byte[] message, WebSocketMessageType type, CancellationToken cancel)
    {
        Task sending = socket.SendAsync(message, type, endOfMessage: true, cancel);
        using var received = new MemoryStream();
        byte[] buffer = new byte[64 * 1_024];
        ValueWebSocketReceiveResult result;
        do
        {
            result = await socket.ReceiveAsync(buffer.AsMemory(), cancel);
            received.Write(buffer, 0, result.Count);
        }
        while (!result.EndOfMessage);
        await sending;
        result.MessageType.ShouldBe(type);
        received.ToArray().AsSpan().SequenceEqual(message).ShouldBeTrue();
    }
}
