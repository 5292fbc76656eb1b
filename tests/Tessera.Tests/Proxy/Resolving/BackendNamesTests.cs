using System.Collections.Concurrent;
using System.Net;
using Shouldly;
using Tessera.Proxy;
using Tessera.Proxy.Resolving;
using Tessera.Tests.Proxy.Forwarding;
using Xunit;

namespace Tessera.Tests.Proxy.Resolving;

public sealed class BackendNamesTests
{
    [Fact]
    public async Task Follows_a_name_through_changes_and_keeps_it_through_errors()
    {
        await using var server = new NameServer
        {
            ["app.test"] = new() { Addresses = ["127.0.0.2"] },
        };
        var told = new ConcurrentQueue<string>();
        BackendConfig config = Config(server, "app.test", 81);
        var names = new BackendNames(_ => { }, told.Enqueue);
        try
        {
            names.Follow([config]);
            await UntilAsync(names, config, "127.0.0.1:80 127.0.0.2:81");
            server["app.test"] = new() { Addresses = ["127.0.0.3", "127.0.0.4"] };
            await UntilAsync(names, config, "127.0.0.1:80 127.0.0.3:81 127.0.0.4:81");

            server["app.test"] = new() { Code = 2 };
            await Eventually.BecomesTrueAsync(() => !told.IsEmpty);
            told.First().ShouldBe("app.test could not be resolved (2: Server failure)");
            Text(names.Expand(config)).ShouldBe("127.0.0.1:80 127.0.0.3:81 127.0.0.4:81");

            server["app.test"] = new();
            await UntilAsync(names, config, "127.0.0.1:80");
        }
        finally
        {
            await names.StopAsync();
        }
    }

    [Fact]
    public async Task Takes_a_service_s_ports_weights_and_order()
    {
        await using var server = new NameServer
        {
            ["_app._tcp.test"] = new() { Services = ["2 1 83 a.test", "1 7 82 a.test"] },
            ["a.test"] = new() { Addresses = ["127.0.0.2"] },
        };
        BackendConfig config = Config(server, "_app._tcp.test", 0);
        var names = new BackendNames(_ => { }, _ => { });
        try
        {
            names.Follow([config]);
            await UntilAsync(names, config, "127.0.0.1:80 127.0.0.2:83 127.0.0.2:82");
            names.Expand(config).Endpoints.Skip(1).Select(e => $"{e.Weight} {e.IsBackup}")
                .ShouldBe(["1 True", "7 False"]);
        }
        finally
        {
            await names.StopAsync();
        }
    }

    [Fact]
    public async Task What_is_known_outlives_another_resolver_and_goes_with_its_line()
    {
        await using var server = new NameServer
        {
            ["app.test"] = new() { Addresses = ["127.0.0.2"], Seconds = 60 },
        };
        BackendConfig config = Config(server, "app.test", 81);
        var names = new BackendNames(_ => { }, _ => { });
        try
        {
            names.Follow([config]);
            await UntilAsync(names, config, "127.0.0.1:80 127.0.0.2:81");
            BackendConfig other = config with
            {
                Resolver = config.Resolver! with { Servers = ["127.0.0.1:9"] },
            };
            names.Follow([other]);
            Text(names.Expand(other)).ShouldBe("127.0.0.1:80 127.0.0.2:81");
            names.Follow([]);
            Text(names.Expand(config)).ShouldBe("127.0.0.1:80");
        }
        finally
        {
            await names.StopAsync();
        }
    }

    [Fact]
    public async Task A_proxy_sends_requests_to_where_the_name_leads()
    {
        await using var server = new NameServer
        {
            ["app.test"] = new() { Code = 3 },
        };
        using ScriptedServer origin = ScriptedServer.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            await connection.SendAsync(
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nup");
        });
        await using ProxyFixture proxy = ProxyFixture.Start(
            [],
            backend: web => web with
            {
                Names = [Named("app.test", origin.Address.Port, before: 0)],
                Resolver = ResolverOf(server) with { ValidMs = 1_000 },
                LeavesFailedOut = true,
                Limits = new BackendLimits { HoldQueueLength = 0 },
            });
        (await proxy.GetAsync()).ShouldNotBe("up");
        server["app.test"] = new() { Addresses = ["127.0.0.1"] };
        await Eventually.BecomesTrueAsync(
            () => !proxy.Server.GetStatus().Single().Endpoints.IsEmpty);
        (await proxy.GetAsync()).ShouldBe("up");
    }

    private static BackendConfig Config(NameServer server, string name, int port) => new()
    {
        Name = "web",
        Endpoints =
        [
            new EndpointConfig { Id = "first", Address = IPEndPoint.Parse("127.0.0.1:80") },
        ],
        Names = [Named(name, port, before: 1)],
        Resolver = ResolverOf(server),
    };

    private static NamedEndpointsConfig Named(string name, int port, int before) => new(
        name,
        port,
        new EndpointConfig { Id = "", Address = new IPEndPoint(IPAddress.None, 0) },
        before);

    private static ResolverConfig ResolverOf(NameServer server) =>
        new() { Servers = [server.Address.ToString()], TimeoutMs = 1_000 };

    private static string Text(BackendConfig config) =>
        string.Join(' ', config.Endpoints.Select(e => e.Address));

    private static Task UntilAsync(BackendNames names, BackendConfig config, string expected) =>
        Eventually.BecomesTrueAsync(() => Text(names.Expand(config)) == expected);
}
