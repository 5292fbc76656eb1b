using System.Net;
using System.Text;
using Shouldly;
using Tessera.Proxy;
using Tessera.Tests.Proxy.Flow;
using Tessera.Tests.Proxy.Forwarding;
using Xunit;

namespace Tessera.Tests.Proxy.Access;

public sealed class BasicAuthTests
{
    private const string Bcrypt = "$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a";

    [Theory]
    [InlineData("ann", "secret", 200)]
    [InlineData("bob", "secret", 200)]
    [InlineData("eve", "a:b:c", 200)]
    [InlineData("ann", "Secret", 401)]
    [InlineData("bob", "Secret", 401)]
    [InlineData("carl", "secret", 401)]
    [InlineData("", "secret", 401)]
    public async Task Lets_in_who_knows_the_password(string user, string password, int status)
    {
        using ScriptedServer server = ScriptedServer.Named("one");
        await using ProxyFixture proxy = Start(server);
        (await FlowFixture.StatusAsync(proxy, Request(user, password))).ShouldBe(status);

        // What was right is remembered, what was wrong is not.
        (await FlowFixture.StatusAsync(proxy, Request(user, password))).ShouldBe(status);
        server.ConnectionCount.ShouldBe(status == 200 ? 1 : 0);
    }

    [Theory]
    [InlineData("")]
    [InlineData("Authorization: Basic\r\n")]
    [InlineData("Authorization: Basic !!!\r\n")]
    [InlineData("Authorization: Basic YW5u\r\n")]
    [InlineData("Authorization: Bearer YW5uOnNlY3JldA==\r\n")]
    public async Task Asks_whoever_says_nothing_of_use(string field)
    {
        using ScriptedServer server = ScriptedServer.Named("one");
        await using ProxyFixture proxy = Start(server);
        using ScriptedConnection client = await proxy.ConnectAsync();
        for (int i = 0; i < 2; i++)
        {
            await client.SendAsync($"GET / HTTP/1.1\r\nHost: test\r\n{field}\r\n");
            (string head, _) = await client.ReadResponseAsync();
            head.ShouldStartWith("HTTP/1.1 401 Unauthorized\r\n");
            head.ShouldContain(
                "\r\nWWW-Authenticate: Basic realm=\"the \\\"shop\\\"\", charset=\"UTF-8\"\r\n");
        }
    }

    [Fact]
    public async Task A_name_of_the_scheme_may_be_written_in_any_case()
    {
        using ScriptedServer server = ScriptedServer.Named("one");
        await using ProxyFixture proxy = Start(server);
        string request = Request("ann", "secret").Replace(
            "Basic ", "bASIC  ", StringComparison.Ordinal);
        (await FlowFixture.StatusAsync(proxy, request)).ShouldBe(200);
    }

    [Fact]
    public async Task Slow_hashes_do_not_hold_up_the_reactor()
    {
        using ScriptedServer server = ScriptedServer.Named("one");
        await using ProxyFixture proxy = Start(server);

        // Each of these takes its time. Others pass between them, many while a few of them are
        // reckoned; on the reactor all of them would be reckoned before the first other.
        Task<int[]> guesses = Task.WhenAll(Enumerable.Range(0, 40).Select(
            i => FlowFixture.StatusAsync(proxy, Request("slow", $"guess {i}"))));
        int passed = 0;
        for (; !guesses.IsCompleted; passed++)
        {
            (await FlowFixture.StatusAsync(proxy, Request("ann", "secret"))).ShouldBe(200);
        }

        (await guesses).ShouldAllBe(status => status == 401);
        passed.ShouldBeGreaterThan(20);
    }

    [Fact]
    public async Task Password_and_address_may_each_be_enough()
    {
        using ScriptedServer server = ScriptedServer.Named("one");
        AddressRule[] onlyOthers =
        [
            new AddressRule(true, IPNetwork.Parse("10.0.0.0/8")),
            new AddressRule(false, null),
        ];
        AddressRule[] onlyLoopback =
        [
            new AddressRule(true, IPNetwork.Parse("127.0.0.0/8")),
            new AddressRule(false, null),
        ];
        await using ProxyFixture all = Start(server, onlyOthers);
        (await FlowFixture.StatusAsync(all, Request("ann", "secret"))).ShouldBe(403);
        await using ProxyFixture any = Start(server, onlyOthers, isAnyEnough: true);
        (await FlowFixture.StatusAsync(any, Request("ann", "secret"))).ShouldBe(200);
        (await FlowFixture.StatusAsync(any)).ShouldBe(401);
        await using ProxyFixture open = Start(server, onlyLoopback, isAnyEnough: true);
        (await FlowFixture.StatusAsync(open)).ShouldBe(200);
        await using ProxyFixture both = Start(server, onlyLoopback);
        (await FlowFixture.StatusAsync(both)).ShouldBe(401);
    }

    private static string Request(string user, string password)
    {
        string code = Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user}:{password}"));
        return "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n"
            + $"Authorization: Basic {code}\r\n\r\n";
    }

    private static ProxyFixture Start(
        ScriptedServer server, AddressRule[]? addresses = null, bool isAnyEnough = false) =>
        FlowFixture.Start(
            server.Address,
            access: new AccessConfig
            {
                Addresses = [.. addresses ?? []],
                IsAnyEnough = isAnyEnough,
                BasicAuth = new BasicAuthConfig
                {
                    Realm = "the \"shop\"",
                    Users =
                    [
                        "ann:{PLAIN}secret",
                        $"bob:{Bcrypt}",
                        "eve:{PLAIN}a:b:c",
                        $"slow:{Bcrypt.Replace("$05$", "$08$", StringComparison.Ordinal)}",
                    ],
                },
            },
            options: new ProxyOptions { Reactors = 1 });
}
