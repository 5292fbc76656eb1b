using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using Shouldly;
using Tessera.Proxy;
using Tessera.Tests.Proxy.Forwarding;
using Xunit;

namespace Tessera.Tests.Proxy.Flow;

/// <summary>Clients that hold on to what they can get for next to nothing.</summary>
public sealed class SlowClientTests
{
    [Fact]
    public async Task A_head_that_trickles_has_one_time_limit_in_all()
    {
        using ScriptedServer server = ScriptedServer.Named("one");
        await using ProxyFixture proxy = ProxyFixture.Start(
            [server.Address], new ProxyOptions { Reactors = 1, HeadTimeoutMs = 600 });
        using ScriptedConnection client = await proxy.ConnectAsync();
        var clock = Stopwatch.StartNew();
        await client.SendAsync("GET / HTTP/1.1\r\nHost: test\r\n");
        Task<string> answer = client.ReadToEndAsync();
        await TrickleAsync(client, answer, () => "X-a: b\r\n");
        (await answer).ShouldStartWith("HTTP/1.1 408 ");
        clock.ElapsedMilliseconds.ShouldBeGreaterThan(550);
    }

    [Theory]
    [InlineData("Content-Length: 10000", "x")]
    [InlineData("Transfer-Encoding: chunked", "1\r\nx\r\n")]
    public async Task A_body_that_trickles_gets_408_and_frees_its_endpoint(
        string framing, string piece)
    {
        using ScriptedServer server = ScriptedServer.Named("one");
        await using ProxyFixture proxy = ProxyFixture.Start(
            [server.Address],
            new ProxyOptions
            {
                Reactors = 1,
                BodyTimeoutMs = 600,
                MinBodyBytesPerSecond = 1_000,
            });
        using ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync($"POST / HTTP/1.1\r\nHost: test\r\n{framing}\r\n\r\n");
        Task<string> answer = client.ReadToEndAsync();
        await TrickleAsync(client, answer, () => piece);
        (await answer).ShouldStartWith("HTTP/1.1 408 ");
        await Eventually.BecomesTrueAsync(() => proxy.Status("web-1").InFlight == 0);
    }

    [Fact]
    public async Task A_body_that_comes_slowly_but_quickly_enough_is_served()
    {
        using ScriptedServer server = ScriptedServer.Named("one");
        await using ProxyFixture proxy = ProxyFixture.Start(
            [server.Address],
            new ProxyOptions { Reactors = 1, BodyTimeoutMs = 600, MinBodyBytesPerSecond = 100 });
        using ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 3000\r\n\r\n");
        for (int i = 0; i < 30; i++)
        {
            await Task.Delay(50, TestContext.Current.CancellationToken);
            await client.SendAsync(new string('x', 100));
        }

        (await client.ReadResponseAsync()).Body.ShouldBe("one");
    }

    [Theory]
    [InlineData(100_000, true)]
    [InlineData(1_000, false)]
    public async Task A_client_that_reads_too_slowly_is_cut_off(int minBytes, bool isCut)
    {
        using ScriptedServer server = ScriptedServer.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            await connection.SendAsync(
                "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
            byte[] piece = new byte[100_000];
            for (int i = 0; i < 1_000; i++)
            {
                await connection.SendAsync(piece);
            }
        });
        await using ProxyFixture proxy = ProxyFixture.Start(
            [server.Address],
            new ProxyOptions
            {
                Reactors = 1,
                SendTimeoutMs = 1_500,
                MinSendBytesPerSecond = minBytes,
            });
        using var socket = new Socket(
            AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp)
        {
            ReceiveBufferSize = 4_096,
        };
        await socket.ConnectAsync(proxy.Address, TestContext.Current.CancellationToken);
        await socket.SendAsync(
            Encoding.ASCII.GetBytes(FlowFixture.Get), TestContext.Current.CancellationToken);

        // Some 20 kB a second.
        var clock = Stopwatch.StartNew();
        byte[] buffer = new byte[1_000];
        while (clock.Elapsed < TimeSpan.FromSeconds(6) && proxy.Server.ConnectionCount > 0
            || clock.Elapsed < TimeSpan.FromMilliseconds(500))
        {
            await Task.Delay(50, TestContext.Current.CancellationToken);
            try
            {
                await socket.ReceiveAsync(buffer, TestContext.Current.CancellationToken);
            }
            catch (SocketException)
            {
                break;
            }
        }

        (clock.Elapsed < TimeSpan.FromSeconds(6)).ShouldBe(isCut);
        proxy.Server.ConnectionCount.ShouldBe(isCut ? 0 : 1);
    }

    /// <summary>Sends a little, again and again, until there is an answer.</summary>
    private static async Task TrickleAsync(
        ScriptedConnection client, Task answer, Func<string> piece)
    {
        try
        {
            for (int i = 0; i < 200 && !answer.IsCompleted; i++)
            {
                await client.SendAsync(piece());
                await Task.WhenAny(answer, Task.Delay(50));
            }
        }
        catch (SocketException)
        {
            // It has been closed meanwhile; the answer tells.
        }
    }
}
