using Shouldly;
using Tessera.Proxy;
using Tessera.Tests.Proxy.Forwarding;
using Xunit;

namespace Tessera.Tests.Proxy.Flow;

public sealed class BodyLimitTests
{
    private const int MaxBytes = 50_000;

    [Fact]
    public async Task A_length_that_is_too_large_is_refused_before_a_byte_is_read()
    {
        using ScriptedServer server = ScriptedServer.Named("one");
        await using ProxyFixture proxy = Start(server);
        string answer = await proxy.ExchangeAsync(
            "POST / HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\n"
            + $"Content-Length: {MaxBytes + 1}\r\n\r\n");
        answer.ShouldStartWith("HTTP/1.1 413 Content Too Large\r\n");
        answer.ShouldContain("\r\nConnection: close\r\n");
        server.ConnectionCount.ShouldBe(0);
    }

    [Theory]
    [InlineData(MaxBytes, 200)]
    [InlineData(MaxBytes + 1, 413)]
    public async Task A_body_of_chunks_is_cut_where_it_becomes_too_large(int bytes, int status)
    {
        using ScriptedServer server = ScriptedServer.Named("one");
        await using ProxyFixture proxy = Start(server);
        using ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync(
            "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (int left = bytes; left > 0;)
        {
            int chunk = Math.Min(left, 10_000);
            await client.SendAsync($"{chunk:x}\r\n{new string('x', chunk)}\r\n");
            left -= chunk;
        }

        await client.SendAsync("0\r\n\r\n");
        (string head, _) = await client.ReadResponseAsync();
        FlowFixture.StatusOf(head).ShouldBe(status);
    }

    [Fact]
    public async Task A_chunk_is_judged_by_what_it_announces()
    {
        using ScriptedServer server = ScriptedServer.Named("one");
        await using ProxyFixture proxy = Start(server);
        using ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync(
            "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\nab");
        (string head, _) = await client.ReadResponseAsync();
        head.ShouldStartWith("HTTP/1.1 413 ");
        server.ConnectionCount.ShouldBe(0);
    }

    private static ProxyFixture Start(ScriptedServer server) =>
        FlowFixture.Start(server.Address, new FlowConfig { MaxBodyBytes = MaxBytes });
}
