using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Tessera.Proxy;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Reactors;
using Xunit;

namespace Tessera.Tests.Proxy.Forwarding;

public sealed class KeptBodyTests
{
    [Theory]
    [InlineData(5_000)]
    [InlineData(200_000)]
    public async Task Takes_no_endpoint_before_the_body_is_there(int length)
    {
        using ScriptedServer server = Echo();
        await using ProxyFixture proxy = Start([server], new RetryConfig { BufferBytes = length });
        using ScriptedConnection client = await proxy.ConnectAsync();
        string body = new('x', length);
        await client.SendAsync(
            $"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n"
            + "Expect: 100-continue\r\n\r\n");
        (await client.ReadHeadAsync()).ShouldStartWith("HTTP/1.1 100 ");
        await client.SendAsync(body[..^1]);
        await SettleAsync(proxy, server);
        server.ConnectionCount.ShouldBe(0);
        proxy.Status("web-1").Requests.ShouldBe(0);
        await client.SendAsync(body[^1..]);
        (await client.ReadResponseAsync()).Body.ShouldBe(body);

        // The connection serves on, and so does the one to the endpoint.
        await client.SendAsync("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\nhi");
        (await client.ReadResponseAsync()).Body.ShouldBe("hi");
        server.ConnectionCount.ShouldBe(1);
    }

    [Fact]
    public async Task Buffers_chunks_and_keeps_what_is_pipelined_behind_them()
    {
        const string Chunks = "5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n";
        using ScriptedServer server = Echo();
        await using ProxyFixture proxy = Start([server], new RetryConfig { BufferBytes = 10_000 });
        using ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync(
            "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe");
        await SettleAsync(proxy, server);
        server.ConnectionCount.ShouldBe(0);
        await client.SendAsync(
            Chunks[5..] + "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nnext");
        (await client.ReadResponseAsync()).Body.ShouldBe(Chunks);
        (await client.ReadResponseAsync()).Body.ShouldBe("next");
    }

    [Fact]
    public async Task Streams_what_is_more_than_the_buffer_takes()
    {
        using ScriptedServer server = Echo();
        await using ProxyFixture proxy = Start([server], new RetryConfig { BufferBytes = 10_000 });
        using ScriptedConnection client = await proxy.ConnectAsync();
        string body = string.Concat(Enumerable.Range(0, 60_000).Select(i => $"{i:D6}"));
        await client.SendAsync(
            $"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: {body.Length}\r\n\r\n");
        await client.SendAsync(body[..200_000]);
        await Eventually.BecomesTrueAsync(() => server.ConnectionCount == 1);
        await client.SendAsync(body[200_000..]);
        (await client.ReadResponseAsync()).Body.ShouldBe(body);
    }

    [Fact]
    public async Task Streams_at_once_when_there_is_no_memory_left()
    {
        using ScriptedServer server = Echo();
        await using ProxyFixture proxy = Start(
            [server],
            new RetryConfig { BufferBytes = 1_000_000 },
            new ProxyOptions { Reactors = 1, MaxKeptBodyBytes = 0 });
        using ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync(
            "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 6\r\n\r\nabc");
        await Eventually.BecomesTrueAsync(() => server.ConnectionCount == 1);
        await client.SendAsync("def");
        (await client.ReadResponseAsync()).Body.ShouldBe("abcdef");
    }

    [Fact]
    public async Task Refuses_chunks_that_are_none_without_any_endpoint()
    {
        using ScriptedServer server = Echo();
        await using ProxyFixture proxy = Start([server], new RetryConfig { BufferBytes = 1_000 });
        using ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync(
            "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n");
        await client.SendAsync("nonsense\r\n");
        (await client.ReadToEndAsync()).ShouldStartWith("HTTP/1.1 400 ");
        server.ConnectionCount.ShouldBe(0);
    }

    [Theory]
    [InlineData("Content-Length: 50000", 64 * 1_024, true)]
    [InlineData("Content-Length: 50000", 40_000, false)]
    [InlineData("Content-Length: 50000", 0, false)]
    [InlineData("Transfer-Encoding: chunked", 64 * 1_024, true)]
    [InlineData("Transfer-Encoding: chunked", 40_000, false)]
    public async Task Sends_a_streamed_put_again_as_far_as_it_was_kept(
        string framing, int replayBytes, bool isReplayed)
    {
        bool isChunked = framing.EndsWith("chunked", StringComparison.Ordinal);
        string data = new('x', 50_000);
        string body = isChunked ? $"C350\r\n{data}\r\n0\r\n\r\n" : data;
        using ScriptedServer dying = ScriptedServer.Start(async connection =>
        {
            await connection.ReadBodyAsync(await connection.ReadHeadAsync());
            connection.Reset();
        });
        using ScriptedServer good = Echo();
        await using ProxyFixture proxy = Start(
            [dying, good], new RetryConfig { ReplayBytes = replayBytes });
        using ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync($"PUT / HTTP/1.1\r\nHost: test\r\n{framing}\r\n\r\n");
        await Eventually.BecomesTrueAsync(() => dying.ConnectionCount == 1);
        await client.SendAsync(body);
        (string head, string answer) = await client.ReadResponseAsync();
        head.ShouldStartWith(isReplayed ? "HTTP/1.1 200 " : "HTTP/1.1 502 ");
        if (isReplayed)
        {
            answer.ShouldBe(body);
        }
    }

    [Fact]
    public async Task Goes_on_with_a_put_that_was_refused_halfway()
    {
        using ScriptedServer busy = ScriptedServer.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            await connection.ReadAsync(10_000);
            await connection.SendAsync("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
            await connection.ReadToEndAsync();
        });
        using ScriptedServer good = Echo();
        await using ProxyFixture proxy = Start(
            [busy, good], new RetryConfig { On = RetryConditions.Http503 });
        using ScriptedConnection client = await proxy.ConnectAsync();
        string body = string.Concat(Enumerable.Range(0, 5_000).Select(i => $"{i:D5}"));
        await client.SendAsync(
            $"PUT / HTTP/1.1\r\nHost: test\r\nContent-Length: {body.Length}\r\n\r\n");
        await client.SendAsync(body[..12_000]);
        await Eventually.BecomesTrueAsync(() => good.ConnectionCount == 1);
        await client.SendAsync(body[12_000..]);
        (await client.ReadResponseAsync()).Body.ShouldBe(body);
    }

    [Fact]
    public async Task Sends_a_buffered_post_to_another_endpoint_when_the_first_refuses()
    {
        using ScriptedServer good = Echo();
        await using ProxyFixture proxy = ProxyFixture.Start(
            [ScriptedServer.UnusedAddress(), good.Address],
            backend: b => b with { Retry = new RetryConfig { BufferBytes = 100_000 } });
        string body = new('y', 70_000);
        string answer = await proxy.ExchangeAsync(
            "POST / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n"
            + $"Content-Length: {body.Length}\r\n\r\n{body}");
        answer.ShouldEndWith("\r\n\r\n" + body);
    }

    [Fact]
    public void Gives_back_what_was_put_in() => Prop.ForAll<ushort[], ushort>(GivesBack)
        .Check(Config.QuickThrowOnFailure.WithMaxTest(100).WithQuietOnSuccess(true));

    [Fact]
    public void Keeps_within_the_memory_that_all_share()
    {
        var buffers = new BufferPool(0, 0);
        var memory = new BodyMemory(buffers, 3 * buffers.HeadBytes);
        var first = new BodyStore(memory);
        var second = new BodyStore(memory);
        first.TryAppendSent(new byte[(2 * buffers.HeadBytes) - 1]).ShouldBeTrue();
        second.TryAppendSent(new byte[buffers.HeadBytes + 1]).ShouldBeFalse();
        memory.Used.ShouldBe(3 * buffers.HeadBytes);
        second.Release();
        first.TryAppendSent(new byte[buffers.HeadBytes]).ShouldBeTrue();
    }

    private static void GivesBack(ushort[] lengths, ushort step)
    {
        var memory = new BodyMemory(new BufferPool(0, 0), 64 * 1_024 * 1_024);
        var store = new BodyStore(memory);
        var put = new List<byte>();
        foreach (ushort length in lengths)
        {
            byte[] piece = [.. Enumerable.Range(put.Count, length).Select(i => (byte)(i % 251))];
            store.TryAppendSent(piece).ShouldBeTrue();
            put.AddRange(piece);
        }

        store.IsSent.ShouldBeTrue();
        store.Rewind();
        var taken = new List<byte>();
        while (!store.IsSent)
        {
            byte[] buffer = store.PeekUnsent(out int start, out int length);
            length = Math.Min(length, step + 1);
            taken.AddRange(buffer.AsSpan(start, length));
            store.NoteSent(length);
        }

        taken.ShouldBe(put);
        store.Release();
        memory.Used.ShouldBe(0);
    }

    /// <summary>
    /// Long enough for a proxy that did not wait to have connected.
    /// </summary>
    private static async Task SettleAsync(ProxyFixture proxy, ScriptedServer server)
    {
        for (int i = 0; i < 20; i++)
        {
            await Task.Delay(5);
            server.ConnectionCount.ShouldBe(0);
        }

        proxy.Status("web-1").InFlight.ShouldBe(0);
    }

    /// <summary>Answers with the body as it came.</summary>
    private static ScriptedServer Echo() => ScriptedServer.Start(async connection =>
    {
        while (await connection.ReadHeadAsync() is { Length: > 0 } head)
        {
            string body = await connection.ReadBodyAsync(head);
            string framing = head.Contains("chunked", StringComparison.Ordinal)
                ? "Transfer-Encoding: chunked"
                : $"Content-Length: {body.Length}";
            await connection.SendAsync(
                Encoding.Latin1.GetBytes($"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n{body}"));
        }
    });

    private static ProxyFixture Start(
        ScriptedServer[] servers, RetryConfig retry, ProxyOptions? options = null) =>
        ProxyFixture.Start(
            servers.Select(s => s.Address), options, b => b with { Retry = retry });
}
