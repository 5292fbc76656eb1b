using Shouldly;
using Tessera.Proxy;
using Tessera.Proxy.Resolving;
using Xunit;

namespace Tessera.Tests.Proxy.Resolving;

public sealed class DnsClientTests
{
    private const int TimeoutMs = 20_000;

    [Fact]
    public async Task Finds_addresses_of_both_kinds_and_through_aliases()
    {
        await using var server = new NameServer
        {
            ["a.test"] = new() { Addresses = ["127.0.0.2", "127.0.0.3", "::2"], Seconds = 60 },
            ["alias.test"] = new() { Alias = "a.test", Seconds = 5 },
        };
        DnsClient client = Client(server);
        (await ResolveAsync(client, "a.test")).ShouldBe("127.0.0.2 127.0.0.3 ::2 for 60000, 0");
        (await ResolveAsync(client, "alias.test"))
            .ShouldBe("127.0.0.2 127.0.0.3 ::2 for 5000, 0");
    }

    [Fact]
    public async Task Asks_again_over_tcp_for_what_does_not_fit()
    {
        await using var server = new NameServer
        {
            ["long.test"] = new() { Addresses = ["127.0.0.2"], IsLong = true },
        };
        (await ResolveAsync(Client(server), "long.test")).ShouldBe("127.0.0.2 for 1000, 0");
    }

    [Fact]
    public async Task Tells_why_there_are_none()
    {
        await using var server = new NameServer
        {
            ["broken.test"] = new() { Code = 2 },
            ["empty.test"] = new(),
            ["silent.test"] = new() { IsSilent = true },
        };
        DnsClient client = Client(server);
        (await ResolveAsync(client, "none.test")).ShouldBe(" for 0, 3");
        (await ResolveAsync(client, "empty.test")).ShouldBe(" for 0, 3");
        (await ResolveAsync(client, "broken.test")).ShouldBe(" for 0, 2");
        (await ResolveAsync(client, "silent.test", timeoutMs: 50)).ShouldBe(" for 0, 110");
    }

    [Fact]
    public async Task Takes_the_servers_by_turns_one_for_each_name()
    {
        await using var first = new NameServer { ["a.test"] = new() { Code = 2 } };
        await using var second = new NameServer
        {
            ["a.test"] = new() { Addresses = ["127.0.0.2"] },
        };
        var client = new DnsClient(new ResolverConfig
        {
            Servers = [first.Address.ToString(), second.Address.ToString()],
        });
        (await ResolveAsync(client, "a.test")).ShouldBe(" for 0, 2");
        (await ResolveAsync(client, "a.test")).ShouldBe("127.0.0.2 for 1000, 0");
        first.Questions.ShouldBe(2);
        second.Questions.ShouldBe(2);
    }

    [Fact]
    public async Task A_server_that_does_not_understand_leaves_it_to_the_next()
    {
        await using var first = new NameServer { ["a.test"] = new() { Code = 1 } };
        await using var second = new NameServer
        {
            ["a.test"] = new() { Addresses = ["127.0.0.2"] },
        };
        var client = new DnsClient(new ResolverConfig
        {
            Servers = [first.Address.ToString(), second.Address.ToString()],
        });
        (await ResolveAsync(client, "a.test")).ShouldBe("127.0.0.2 for 1000, 0");
    }

    [Fact]
    public async Task Servers_that_do_not_understand_are_not_asked_on_and_on()
    {
        await using var first = new NameServer { ["a.test"] = new() { Code = 1 } };
        await using var second = new NameServer { ["a.test"] = new() { Code = 1 } };
        var client = new DnsClient(new ResolverConfig
        {
            Servers = [first.Address.ToString(), second.Address.ToString()],
        });
        (await ResolveAsync(client, "a.test", timeoutMs: 300)).ShouldBe(" for 0, 110");

        // Both kinds of addresses, each server once.
        (first.Questions + second.Questions).ShouldBeLessThanOrEqualTo(4);
    }

    [Fact]
    public async Task A_connection_that_is_reset_is_no_answer()
    {
        await using var server = new NameServer
        {
            ResetsConnections = true,
            ["long.test"] = new() { Addresses = ["127.0.0.2"], IsLong = true },
        };
        (await ResolveAsync(Client(server), "long.test", timeoutMs: 300))
            .ShouldBe(" for 0, 110");
    }

    [Fact]
    public async Task Finds_the_servers_of_a_service()
    {
        await using var server = new NameServer
        {
            ["_app._tcp.test"] = new() { Services = ["1 5 81 a.test", "2 0 82 b.test"] },
            ["a.test"] = new() { Addresses = ["127.0.0.2", "127.0.0.3"] },
            ["b.test"] = new() { Addresses = ["::2"], Seconds = 9 },
            ["_lost._tcp.test"] = new() { Services = ["1 5 81 broken.test"] },
            ["broken.test"] = new() { Code = 2 },
        };
        DnsClient client = Client(server);
        ResolvedService found = await client.ResolveServiceAsync(
            "_app._tcp.test", TimeoutMs, TestContext.Current.CancellationToken);
        found.Servers.Select(s =>
                $"{s.Priority} {s.Weight} {s.Port} {string.Join(' ', s.Addresses)}")
            .ShouldBe(["1 5 81 127.0.0.2 127.0.0.3", "2 0 82 ::2"]);
        found.Code.ShouldBe(0);
        ResolvedService lost = await client.ResolveServiceAsync(
            "_lost._tcp.test", TimeoutMs, TestContext.Current.CancellationToken);
        lost.Code.ShouldBe(2);
    }

    private static DnsClient Client(NameServer server) =>
        new(new ResolverConfig { Servers = [server.Address.ToString()] });

    private static async Task<string> ResolveAsync(
        DnsClient client, string name, int timeoutMs = TimeoutMs)
    {
        ResolvedName found = await client.ResolveAsync(
            name, timeoutMs, TestContext.Current.CancellationToken);
        return $"{string.Join(' ', found.Addresses)} for {found.GoodMs}, {found.Code}";
    }
}
