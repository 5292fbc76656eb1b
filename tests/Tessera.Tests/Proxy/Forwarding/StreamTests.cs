using System.Diagnostics;
using System.Net;
using System.Text;
using Shouldly;
using Tessera.Proxy;
using Tessera.Tests.Proxy.Listening;
using Tessera.Tests.Proxy.Telemetry;
using Xunit;

namespace Tessera.Tests.Proxy.Forwarding;

/// <summary>Connections that are no HTTP, by the rules of nginx's stream.</summary>
public sealed class StreamTests
{
    private const string Format =
        "$status $protocol $bytes_received $bytes_sent $upstream_bytes_sent "
        + "$upstream_bytes_received";

    [Fact]
    public async Task The_end_of_the_server_is_passed_on_behind_its_last_byte()
    {
        using ScriptedServer server = ScriptedServer.Start(async connection =>
            await connection.SendAsync($"<{await connection.ReadAsync(4)}>"));
        using var log = new LogFile();
        await using (ProxyFixture proxy = Start(server, new StreamConfig(), log))
        {
            (await proxy.ExchangeAsync("ping")).ShouldBe("<ping>");
            await UntilIdleAsync(proxy);
        }

        log.Lines.ShouldBe(["200 TCP 4 6 4 6"]);
    }

    [Fact]
    public async Task The_end_of_the_client_ends_both_unless_it_may_end_alone()
    {
        using ScriptedServer server = ScriptedServer.Start(async connection =>
            await connection.SendAsync($"<{await connection.ReadToEndAsync()}>"));
        foreach (bool halfCloses in (bool[])[false, true])
        {
            await using ProxyFixture proxy = Start(
                server, new StreamConfig { HalfCloses = halfCloses });
            using ScriptedConnection client = await proxy.ConnectAsync();
            await client.SendAsync("all");
            await UntilConnectedAsync(server, proxy);
            client.EndSending();
            (await client.ReadToEndAsync()).ShouldBe(halfCloses ? "<all>" : "");
            await UntilIdleAsync(proxy);
        }
    }

    [Fact]
    public async Task Silence_ends_it_but_not_while_one_side_speaks()
    {
        using ScriptedServer server = ScriptedServer.Start(async connection =>
        {
            for (int i = 0; i < 6; i++)
            {
                await connection.SendAsync("x");
                await Task.Delay(100);
            }

            await connection.ReadToEndAsync();
        });
        await using ProxyFixture proxy = Start(
            server, new StreamConfig { IdleTimeoutMs = 400 });
        long start = Stopwatch.GetTimestamp();
        (await proxy.ExchangeAsync("")).ShouldBe("xxxxxx");
        Stopwatch.GetElapsedTime(start).TotalMilliseconds.ShouldBeInRange(850, 5_000);
    }

    [Fact]
    public async Task A_rate_lets_a_second_of_it_pass_at_a_time()
    {
        using ScriptedServer server = ScriptedServer.Start(async connection =>
            await connection.SendAsync(await connection.ReadAsync(2_500)));
        await using ProxyFixture proxy = Start(
            server, new StreamConfig { DownloadRate = "1000", UploadRate = "1k" });
        long start = Stopwatch.GetTimestamp();
        (await proxy.ExchangeAsync(new string('y', 2_500))).Length.ShouldBe(2_500);

        // Two seconds for what exceeds the first one's worth, in each direction.
        Stopwatch.GetElapsedTime(start).TotalMilliseconds.ShouldBeInRange(3_900, 10_000);
    }

    [Fact]
    public async Task A_client_is_named_before_its_first_bytes()
    {
        using ScriptedServer server = ScriptedServer.Start(async connection =>
        {
            string all = await connection.ReadAsync(6);
            while (!all.EndsWith("data", StringComparison.Ordinal))
            {
                all += await connection.ReadAsync(1);
            }

            await connection.SendAsync(all);
        });
        await using ProxyFixture proxy = Start(
            server, new StreamConfig { SendsProxyProtocol = true });
        using ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync("data");
        string all = await client.ReadToEndAsync();
        all.ShouldMatch(
            $"^PROXY TCP4 127\\.0\\.0\\.1 127\\.0\\.0\\.1 [0-9]+ {proxy.Address.Port}\r\ndata$");
    }

    [Fact]
    public async Task The_name_in_a_hello_leads_to_a_backend()
    {
        byte[] hello = HelloBytes.Create("web.EXAMPLE", recordBytes: 30);
        using ScriptedServer web = ScriptedServer.Start(Named("web", hello.Length));
        using ScriptedServer other = ScriptedServer.Start(Named(
            "other", HelloBytes.Create("127.0.0.1:12345").Length));
        var config = new StreamConfig
        {
            ReadsClientHello = true,
            Pass = "$ssl_preread_server_name",
            Choices = [new StreamChoice("Web.example", "web")],
        };
        using var log = new LogFile();
        await using (ProxyFixture proxy = Start(
            web, config, log, "$status $ssl_preread_server_name"))
        {
            // A name in pieces, an address in its place, and one that leads nowhere.
            using (ScriptedConnection client = await proxy.ConnectAsync())
            {
                await client.SendAsync(Encoding.Latin1.GetString(hello[..50]));
                await client.SendAsync(Encoding.Latin1.GetString(hello[50..]));
                (await client.ReadToEndAsync()).ShouldBe($"web {hello.Length}");
            }

            hello = HelloBytes.Create(other.Address.ToString());
            (await proxy.ExchangeAsync(Encoding.Latin1.GetString(hello)))
                .ShouldBe($"other {hello.Length}");
            (await EndOfAsync(proxy, HelloBytes.Create("nobody"))).ShouldBe("");
            await UntilIdleAsync(proxy);
        }

        log.Lines.ShouldBe(
            ["200 web.EXAMPLE", $"200 {other.Address}", "500 nobody"],
            ignoreOrder: true);

        static Func<ScriptedConnection, Task> Named(string name, int length) => async connection =>
        {
            string start = await connection.ReadAsync(length);
            await connection.SendAsync($"{name} {start.Length}");
        };
    }

    [Fact]
    public async Task First_bytes_that_do_not_fit_or_do_not_come_end_it()
    {
        using ScriptedServer server = ScriptedServer.Named("never");
        using var log = new LogFile();
        var config = new StreamConfig
        {
            ReadsClientHello = true, PrereadBytes = 60, PrereadTimeoutMs = 300,
        };
        await using (ProxyFixture proxy = Start(server, config, log, "$status"))
        {
            (await EndOfAsync(proxy, HelloBytes.Create("too.long.example"))).ShouldBe("");
            (await proxy.ExchangeAsync("")).ShouldBe("");
            await UntilIdleAsync(proxy);
        }

        log.Lines.ShouldBe(["400", "200"]);
        server.ConnectionCount.ShouldBe(0);
    }

    [Fact]
    public async Task A_server_that_refuses_is_followed_by_the_next_and_a_text_needs_none()
    {
        IPEndPoint nobody = ScriptedServer.UnusedAddress();
        using ScriptedServer server = ScriptedServer.Start(async connection =>
            await connection.SendAsync("here"));
        using var log = new LogFile();
        await using (ProxyFixture proxy = ProxyFixture.Start(
            [nobody, server.Address],
            listener: l => WithLog(l, new StreamConfig(), log, "$status $upstream_addr")))
        {
            (await proxy.ExchangeAsync("")).ShouldBe("here");
            proxy.SetEndpoints(ProxyFixture.Endpoint("web-9", nobody));
            (await EndOfAsync(proxy, [])).ShouldBe("");
            await UntilIdleAsync(proxy);
        }

        log.Lines.ShouldBe(
            [$"200 {nobody}, {server.Address}", $"502 {nobody}"], ignoreOrder: true);
        await using ProxyFixture reply = Start(
            server, new StreamConfig { Reply = "to $remote_addr at $server_port" });
        (await reply.ExchangeAsync("")).ShouldBe($"to 127.0.0.1 at {reply.Address.Port}");
    }

    [Fact]
    public async Task Rules_of_addresses_and_limits_of_connections_hold()
    {
        using ScriptedServer server = ScriptedServer.Start(async connection =>
            await connection.ReadToEndAsync());
        using var log = new LogFile();
        RouteConfig Guard(RouteConfig route) => route with
        {
            Flow = new FlowConfig
            {
                ConnectionLimits = [new ConnectionLimitConfig { Zone = "z", Max = 1 }],
            },
        };
        await using (ProxyFixture proxy = ProxyFixture.Start(
            [server.Address],
            listener: l =>
            {
                ListenerConfig tcp = WithLog(l, new StreamConfig(), log, "$status");
                return tcp with { Routes = [Guard(tcp.Routes[0])] };
            }))
        {
            using (ScriptedConnection first = await proxy.ConnectAsync())
            {
                await UntilConnectedAsync(server, proxy);
                (await EndOfAsync(proxy, [])).ShouldBe("");
            }

            await UntilIdleAsync(proxy);
        }

        log.Lines.ShouldBe(["503", "200"], ignoreOrder: true);
        await using ProxyFixture closed = ProxyFixture.Start(
            [server.Address],
            listener: l => l with
            {
                Protocol = ListenerProtocol.Tcp,
                Routes =
                [
                    new RouteConfig
                    {
                        Stream = new StreamConfig { Reply = "come in" },
                        Access = new AccessConfig
                        {
                            Addresses = [new AddressRule(IsAllowed: false, Network: null)],
                        },
                    },
                ],
            });
        (await EndOfAsync(closed, [])).ShouldBe("");
    }

    private static ProxyFixture Start(
        ScriptedServer server, StreamConfig stream, LogFile? log = null,
        string format = Format) => ProxyFixture.Start(
            [server.Address],
            new ProxyOptions { Reactors = 1 },
            listener: l => WithLog(l, stream, log, format));

    private static ListenerConfig WithLog(
        ListenerConfig listener, StreamConfig stream, LogFile? log, string format) =>
        listener with
        {
            Protocol = ListenerProtocol.Tcp,
            Routes =
            [
                new RouteConfig { Backend = stream.Pass is null ? "web" : null, Stream = stream },
            ],
            AccessLog = log is null
                ? null
                : new AccessLogConfig { Path = log.Path, Format = format },
        };

    /// <summary>What comes before the end, be it a reset.</summary>
    private static async Task<string> EndOfAsync(ProxyFixture proxy, byte[] first)
    {
        using ScriptedConnection client = await proxy.ConnectAsync();
        try
        {
            await client.SendAsync(Encoding.Latin1.GetString(first));
            return await client.ReadToEndAsync();
        }
        catch (System.Net.Sockets.SocketException)
        {
            return "";
        }
    }

    private static Task UntilConnectedAsync(ScriptedServer server, ProxyFixture proxy) =>
        Eventually.BecomesTrueAsync(() =>
            server.ConnectionCount > 0 && proxy.Status("web-1").InFlight == 1);

    private static Task UntilIdleAsync(ProxyFixture proxy) =>
        Eventually.BecomesTrueAsync(() => proxy.Server.ConnectionCount == 0);
}
