using System.Net.Sockets;
using Shouldly;
using Tessera.Proxy;
using Xunit;

namespace Tessera.Tests.Proxy.Forwarding;

public sealed class TunnelTests
{
    private const string Upgrade =
        "GET /ws HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

    [Fact]
    public async Task Becomes_a_tunnel_after_101()
    {
        using ScriptedServer server = ScriptedServer.Start(async connection =>
        {
            string head = await connection.ReadHeadAsync();
            head.ShouldContain("\r\nConnection: upgrade\r\n");
            head.ShouldContain("\r\nUpgrade: websocket\r\n");
            await connection.SendAsync(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                + "Connection: Upgrade\r\n\r\nhi");
            while (await connection.ReadAsync(4) is { Length: 4 } word)
            {
                await connection.SendAsync(word.ToUpperInvariant());
            }

            await connection.SendAsync("bye");
        });
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        using ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync(Upgrade + "soon");
        string head = await client.ReadHeadAsync();
        head.ShouldStartWith("HTTP/1.1 101 ");
        head.ShouldContain("\r\nConnection: upgrade\r\n");
        head.ShouldContain("\r\nUpgrade: websocket\r\n");
        (await client.ReadAsync(6)).ShouldBe("hiSOON");
        await client.SendAsync("ping");
        (await client.ReadAsync(4)).ShouldBe("PING");
        proxy.Status("web-1").InFlight.ShouldBe(1);

        // The end of one direction is passed on, and the other still works.
        client.EndSending();
        (await client.ReadToEndAsync()).ShouldBe("bye");
        await WaitAsync(() => proxy.Status("web-1").InFlight == 0);
    }

    [Fact]
    public async Task Relays_a_refused_upgrade_as_a_response()
    {
        using ScriptedServer server = ScriptedServer.Named("no");
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        using ScriptedConnection client = await proxy.ConnectAsync();
        for (int i = 0; i < 2; i++)
        {
            await client.SendAsync(Upgrade);
            (await client.ReadResponseAsync()).Body.ShouldBe("no");
        }
    }

    [Fact]
    public async Task Does_not_believe_a_101_that_nobody_asked_for()
    {
        using ScriptedServer server = ScriptedServer.Reply(_ =>
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n");
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        (await proxy.GetAsync()).ShouldStartWith("502 Bad Gateway");
    }

    [Theory]
    [InlineData(ListenerProtocol.Tcp)]
    [InlineData(ListenerProtocol.Auto)]
    public async Task Passes_through_what_is_no_http(ListenerProtocol protocol)
    {
        using ScriptedServer server = ScriptedServer.Start(async connection =>
        {
            string word = await connection.ReadAsync(4);
            await connection.SendAsync($"<{word}>");
            (await connection.ReadToEndAsync()).ShouldBe("tail");
            await connection.SendAsync("end");
        });
        await using ProxyFixture proxy = Start(server, protocol);
        using ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync("\u0001abc");
        (await client.ReadAsync(6)).ShouldBe("<\u0001abc>");
        await client.SendAsync("tail");
        client.EndSending();
        (await client.ReadToEndAsync()).ShouldBe("end");
    }

    [Fact]
    public async Task Tells_http_from_its_first_bytes()
    {
        using ScriptedServer server = ScriptedServer.Named("web");
        await using ProxyFixture proxy = Start(server, ListenerProtocol.Auto);
        using ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync("FROB /x HTTP/1.1\r\nHost: test\r\n\r\n");
        (await client.ReadResponseAsync()).Body.ShouldBe("web");

        // From now on it is known to be HTTP, and what is not is refused.
        (await proxy.ExchangeAsync("\u0001binary")).ShouldStartWith("HTTP/1.1 400 ");
    }

    [Fact]
    public async Task Hears_a_server_that_speaks_first()
    {
        using ScriptedServer server = ScriptedServer.Start(async connection =>
        {
            await connection.SendAsync("welcome ");
            await connection.SendAsync("to " + await connection.ReadAsync(2));
        });
        await using ProxyFixture proxy = Start(server, ListenerProtocol.Auto);
        for (int i = 0; i < 2; i++)
        {
            using ScriptedConnection client = await proxy.ConnectAsync();
            (await client.ReadAsync(8)).ShouldBe("welcome ");
            await client.SendAsync("me");
            (await client.ReadToEndAsync()).ShouldBe("to me");
        }

        server.ConnectionCount.ShouldBe(2);
    }

    [Fact]
    public async Task Asks_the_server_once_and_then_waits_for_the_client()
    {
        using ScriptedServer server = ScriptedServer.Named("web");
        await using ProxyFixture proxy = Start(server, ListenerProtocol.Auto);
        using ScriptedConnection first = await proxy.ConnectAsync();
        using ScriptedConnection second = await proxy.ConnectAsync();
        await WaitAsync(() => server.ConnectionCount == 1);
        await WaitAsync(() => proxy.Status("web-1").InFlight == 0);
        await first.SendAsync("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        (await first.ReadResponseAsync()).Body.ShouldBe("web");
        server.ConnectionCount.ShouldBe(2);
        await second.SendAsync("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        (await second.ReadResponseAsync()).Body.ShouldBe("web");
    }

    [Fact]
    public async Task Connects_to_the_next_endpoint_when_one_refuses()
    {
        using ScriptedServer server = ScriptedServer.Start(c => c.SendAsync("hello"));
        await using ProxyFixture proxy = ProxyFixture.Start(
            [ScriptedServer.UnusedAddress(), server.Address],
            listener: l => l with { Protocol = ListenerProtocol.Tcp });
        for (int i = 0; i < 4; i++)
        {
            using ScriptedConnection client = await proxy.ConnectAsync();
            (await client.ReadToEndAsync()).ShouldBe("hello");
        }
    }

    [Fact]
    public async Task Ends_a_silent_tunnel()
    {
        using ScriptedServer server = ScriptedServer.Start(c => c.ReadToEndAsync());
        await using ProxyFixture proxy = ProxyFixture.Start(
            [server.Address],
            backend: b => b with { Limits = new BackendLimits { TunnelIdleTimeoutMs = 200 } },
            listener: l => l with { Protocol = ListenerProtocol.Tcp });
        using ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync("x");
        await Should.ThrowAsync<SocketException>(client.ReadToEndAsync);
    }

    private static ProxyFixture Start(ScriptedServer server, ListenerProtocol protocol) =>
        ProxyFixture.Start([server.Address], listener: l => l with { Protocol = protocol });

    private static Task WaitAsync(Func<bool> condition) => Eventually.BecomesTrueAsync(condition);
}
