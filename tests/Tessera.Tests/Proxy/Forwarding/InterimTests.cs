using System.Text;
using Shouldly;
using Tessera.Proxy;
using Xunit;

namespace Tessera.Tests.Proxy.Forwarding;

/// <summary>Servers that are slow with, or never come to, the response itself.</summary>
public sealed class InterimTests
{
    /// <summary>Too many at once for the buffers between the server and the proxy to dry.</summary>
    private static readonly byte[] Flood = Encoding.ASCII.GetBytes(
        string.Concat(Enumerable.Repeat("HTTP/1.1 102 P\r\n\r\n", 50_000)));

    /// <summary>Its client gets none of it, so nothing but the proxy slows it down.</summary>
    [Fact]
    public async Task A_flood_of_interim_responses_leaves_others_their_turn()
    {
        using var end = new CancellationTokenSource();
        using ScriptedServer server = ScriptedServer.Start(async connection =>
        {
            while (await connection.ReadHeadAsync() is { Length: > 0 } head)
            {
                while (head.Contains("/flood", StringComparison.Ordinal)
                    && !end.IsCancellationRequested)
                {
                    await connection.SendAsync(Flood);
                }

                await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none");
            }
        });
        await using ProxyFixture proxy = ProxyFixture.Start(
            [server.Address], new ProxyOptions { Reactors = 1 });
        using ScriptedConnection flooded = await proxy.ConnectAsync();
        await flooded.SendAsync("GET /flood HTTP/1.0\r\nHost: test\r\n\r\n");
        await Eventually.BecomesTrueAsync(() => server.ConnectionCount == 1);
        for (int i = 0; i < 20; i++)
        {
            (await proxy.GetAsync()).ShouldBe("one");
        }

        await end.CancelAsync();
    }

    [Theory]
    [InlineData("1.1", "HTTP/1.1 102 Processing\r\n\r\n")]
    [InlineData("1.0", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")]
    public async Task A_client_that_breaks_off_frees_its_endpoint(string version, string begun)
    {
        using ScriptedServer server = ScriptedServer.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            await connection.SendAsync(begun);
            await connection.ReadToEndAsync();
        });
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync($"GET / HTTP/{version}\r\nHost: test\r\n\r\n");
        await client.ReadHeadAsync();
        proxy.Status("web-1").InFlight.ShouldBe(1);
        client.Reset();
        await Eventually.BecomesTrueAsync(() => proxy.Status("web-1").InFlight == 0);
    }
}
