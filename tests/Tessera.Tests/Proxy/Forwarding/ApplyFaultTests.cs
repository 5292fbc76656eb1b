using System.Collections.Immutable;
using Shouldly;
using Tessera.Proxy;
using Xunit;

namespace Tessera.Tests.Proxy.Forwarding;

/// <summary>A configuration that cannot be made ready changes nothing.</summary>
public sealed class ApplyFaultTests
{
    private static readonly RouteConfig Faulty = new()
    {
        Name = "faulty",
        Reply = new ReplyConfig(200, "$nothing_such"),
    };

    [Fact]
    public async Task A_route_that_cannot_be_made_ready_leaves_all_as_it_was()
    {
        using ScriptedServer old = ScriptedServer.Named("old");
        using ScriptedServer other = ScriptedServer.Named("new");
        await using ProxyServer server = ProxyFixture.NewServer(new ProxyOptions { Reactors = 2 });
        var first = new ListenerConfig
        {
            Address = ScriptedServer.UnusedAddress(),
            Protocol = ListenerProtocol.Http,
            Routes = [new RouteConfig { Backend = "web" }],
        };
        var web = new BackendConfig
        {
            Name = "web",
            Endpoints = [ProxyFixture.Endpoint("a", old.Address)],
        };
        var config = new ProxyConfig
        {
            Listeners = [first, first with { Address = ScriptedServer.UnusedAddress() }],
            Backends = [web],
        };
        server.Apply(config).ShouldBeEmpty();
        Should.Throw<FormatException>(() => server.Apply(new ProxyConfig
        {
            Listeners =
            [
                first with { Routes = [new RouteConfig { Backend = "added" }] },
                config.Listeners[1] with { Routes = [Faulty] },
            ],
            Backends =
            [
                web with { Endpoints = [ProxyFixture.Endpoint("b", other.Address)] },
                web with { Name = "added" },
            ],
        }));
        server.GetStatus().ShouldHaveSingleItem().Endpoints
            .ShouldHaveSingleItem().Endpoint.ShouldBe("a");
        server.Share().Select(s => s.Address).Distinct().ShouldBe(
            config.Listeners.Select(l => l.Address), ignoreOrder: true);
        foreach (ListenerConfig listener in config.Listeners)
        {
            using ScriptedConnection client =
                await ScriptedConnection.ConnectAsync(listener.Address);
            await client.SendAsync("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
            (await client.ReadResponseAsync()).Body.ShouldBe("old");
        }

        server.Apply(config with
        {
            Backends = [web with { Endpoints = [ProxyFixture.Endpoint("b", other.Address)] }],
        }).ShouldBeEmpty();
        server.GetStatus()[0].Endpoints[0].Endpoint.ShouldBe("b");
    }

    [Fact]
    public async Task A_name_that_is_there_twice_leaves_all_as_it_was()
    {
        using ScriptedServer old = ScriptedServer.Named("old");
        await using ProxyFixture proxy = ProxyFixture.Start([old.Address]);
        ImmutableArray<BackendConfig> twice =
        [
            proxy.Backend with { Endpoints = [] },
            proxy.Backend,
        ];
        Should.Throw<ArgumentException>(
            () => proxy.Server.Apply(new ProxyConfig { Listeners = [], Backends = twice }));
        (await proxy.GetAsync()).ShouldBe("old");
    }
}
