using Shouldly;
using Tessera.Proxy;
using Xunit;

namespace Tessera.Tests.Proxy.Forwarding;

/// <summary>Clients that do not wait for their answer.</summary>
public sealed class LeavingClientTests
{
    [Fact]
    public async Task Those_that_were_reset_before_their_request_was_read_hold_no_endpoint()
    {
        using ScriptedServer server = ScriptedServer.Start(connection =>
            connection.ReadToEndAsync());
        await using ProxyFixture proxy = ProxyFixture.Start(
            [server.Address], new ProxyOptions { Reactors = 1 });
        for (int i = 0; i < 50; i++)
        {
            using ScriptedConnection client = await proxy.ConnectAsync();
            await client.SendAsync("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
            client.Reset();
        }

        await Eventually.BecomesTrueAsync(() => proxy.Status("web-1").InFlight == 0);
    }

    [Fact]
    public async Task Idle_ones_end_after_their_time_and_others_live_on()
    {
        using ScriptedServer server = ScriptedServer.Named("x");
        await using ProxyFixture proxy = ProxyFixture.Start(
            [server.Address], new ProxyOptions { Reactors = 1, IdleTimeoutMs = 1_500 });
        using ScriptedConnection idle = await proxy.ConnectAsync();
        await idle.SendAsync("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        (await idle.ReadResponseAsync()).Body.ShouldBe("x");
        using ScriptedConnection silent = await proxy.ConnectAsync();
        (await idle.ReadToEndAsync()).ShouldBe("");
        (await silent.ReadToEndAsync()).ShouldBe("");
        (await proxy.GetAsync()).ShouldBe("x");
    }
}
