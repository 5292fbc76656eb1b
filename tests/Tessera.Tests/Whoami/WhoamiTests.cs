using System.Net;
using System.Net.Sockets;
using System.Text;
using Shouldly;
using Tessera.Cli;
using Tessera.Whoami;
using Xunit;

namespace Tessera.Tests.Whoami;

public sealed class WhoamiTests : IAsyncLifetime
{
    private const string Get = "GET /a?b HTTP/1.1\r\nHost: x\r\nX-One:  1 \r\n\r\n";
    private const string GetAnswer =
        "Instance: shop-web-1\nGET /a?b HTTP/1.1\nHost: x\nX-One:  1 \n";

    private readonly CancellationTokenSource _end = new();
    private readonly WhoamiServer _server = new(
        new IPEndPoint(IPAddress.Loopback, 0), "shop-web-1", TimeSpan.Zero, TimeProvider.System);

    private Task _run = Task.CompletedTask;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync()
    {
        _run = _server.RunAsync(_end.Token);
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _run;
        _server.Dispose();
        _end.Dispose();
    }

    [Fact]
    public async Task Says_who_it_is_and_what_it_was_sent()
    {
        string answer = await AskAsync(Get.Replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
        answer.ShouldStartWith("HTTP/1.1 200 OK\r\nContent-Type: text/plain");
        answer[(answer.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..]
            .ShouldBe(GetAnswer + "Connection: close\n");
    }

    [Fact]
    public async Task Answers_alike_however_the_bytes_arrive()
    {
        string requests = Get + Get + "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
            + "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
            + "3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n"
            + "GET /last HTTP/1.1\r\nConnection: close\r\n\r\n";
        string whole = await AskAsync(requests);
        Count(whole, "HTTP/1.1 200 OK\r\n").ShouldBe(5);
        whole.ShouldEndWith("GET /last HTTP/1.1\nConnection: close\n");
        foreach (int piece in (int[])[1, 3, 50])
        {
            (await AskAsync(requests, piece)).ShouldBe(whole);
        }
    }

    [Theory]
    [InlineData("\0\r\n\r\n")]
    [InlineData("GET\r\n\r\n")]
    [InlineData("GET / HTTP/2.0\r\n\r\n")]
    [InlineData("GET  / HTTP/1.1\r\n\r\n")]
    [InlineData("GET / x HTTP/1.1\r\n\r\n")]
    [InlineData("G\u0001T / HTTP/1.1\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nno colon\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost : x\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\n: x\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nX: a\0b\r\n\r\n")]
    [InlineData("POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n")]
    [InlineData("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n")]
    [InlineData("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n")]
    [InlineData("POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n")]
    [InlineData("POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n")]
    [InlineData("POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n")]
    [InlineData("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")]
    [InlineData("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n")]
    [InlineData("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n")]
    [InlineData("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1x\r\n")]
    public async Task What_is_no_request_gets_400_and_the_end(string request)
    {
        string answer = await AskAsync(request);
        answer.ShouldStartWith("HTTP/1.1 400 ");
        answer.ShouldContain("Connection: close");
        (await AskAsync(Get, halfClose: true)).ShouldContain(GetAnswer);
    }

    [Fact]
    public async Task A_head_without_end_gets_400() =>
        (await AskAsync("GET / HTTP/1.1\r\nX: " + new string('x', 100_000)))
            .ShouldStartWith("HTTP/1.1 400 ");

    [Fact]
    public async Task A_large_head_is_answered_whole()
    {
        string value = new('x', 60_000);
        (await AskAsync($"GET / HTTP/1.0\r\nX: {value}\r\n\r\n")).ShouldEndWith($"X: {value}\n");
    }

    [Fact]
    public async Task Head_has_the_length_and_no_body()
    {
        string answer = await AskAsync("HEAD / HTTP/1.1\r\nConnection: close\r\n\r\n");
        answer.ShouldEndWith("\r\n\r\n");
        const string body = "Instance: shop-web-1\nHEAD / HTTP/1.1\nConnection: close\n";
        answer.ShouldContain($"Content-Length: {body.Length}\r\n");
    }

    [Fact]
    public async Task Continues_when_it_is_expected_to()
    {
        string answer = await AskAsync(
            "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n"
            + "Connection: close\r\n\r\nx");
        answer.ShouldStartWith("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n");
    }

    [Theory]
    [InlineData("GET / HTTP/1.0\r\n\r\n", "Connection: close")]
    [InlineData("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "Connection: keep-alive")]
    [InlineData("GET / HTTP/1.1\r\n\r\n", "Connection: keep-alive")]
    public async Task Keeps_alive_as_the_version_says(string request, string expected) =>
        (await AskAsync(request, halfClose: true)).ShouldContain(expected + "\r\n");

    [Fact]
    public async Task A_body_of_any_size_is_discarded()
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(_server.Address, Token);
        const int size = 16 * 1024 * 1024;
        await SendAsync(socket, Encoding.ASCII.GetBytes(
            $"POST / HTTP/1.1\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n"));
        await SendAsync(socket, new byte[size]);
        (await ReadToEndAsync(socket)).ShouldContain("200 OK");
    }

    [Fact]
    public async Task Fifty_connections_are_served_at_once()
    {
        string[] answers = await Task.WhenAll(
            Enumerable.Range(0, 50).Select(_ => AskAsync(Get + Get + Get, halfClose: true)));
        answers.ShouldAllBe(answer => Count(answer, GetAnswer) == 3);
    }

    [Fact]
    public void A_taken_port_is_named() =>
        Should.Throw<Tessera.Stack.UserErrorException>(() => new WhoamiServer(
                new IPEndPoint(IPAddress.Loopback, _server.Address.Port), "", default,
                TimeProvider.System))
            .Message.ShouldContain($"127.0.0.1:{_server.Address.Port}");

    private async Task<string> AskAsync(
        string request, int piece = int.MaxValue, bool halfClose = false)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        socket.NoDelay = true;
        await socket.ConnectAsync(_server.Address, Token);
        byte[] bytes = Encoding.Latin1.GetBytes(request);
        try
        {
            for (int at = 0; at < bytes.Length; at += Math.Min(piece, bytes.Length - at))
            {
                await SendAsync(socket, bytes.AsMemory(at, Math.Min(piece, bytes.Length - at)));
            }

            if (halfClose)
            {
                socket.Shutdown(SocketShutdown.Send);
            }
        }
        catch (SocketException)
        {
            // It has already had enough; what it said is still to be read.
        }

        return await ReadToEndAsync(socket);
    }

    private static async Task SendAsync(Socket socket, ReadOnlyMemory<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            bytes = bytes[await socket.SendAsync(bytes, Token)..];
        }
    }

    private static async Task<string> ReadToEndAsync(Socket socket)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Token);
        limit.CancelAfter(TimeSpan.FromSeconds(20));
        var text = new StringBuilder();
        byte[] buffer = new byte[16 * 1024];
        try
        {
            while (await socket.ReceiveAsync(buffer, limit.Token) is var count and > 0)
            {
                text.Append(Encoding.Latin1.GetString(buffer, 0, count));
            }
        }
        catch (SocketException)
        {
            // Reset, because it closed with bytes of ours unread.
        }

        return text.ToString();
    }

    private static int Count(string text, string part) => text.Split(part).Length - 1;
}
