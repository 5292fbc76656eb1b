using System.Net;
using System.Net.Sockets;
using System.Text;
using Shouldly;
using Tessera.Proxy;
using Tessera.Tests.Proxy.Telemetry;
using Xunit;

namespace Tessera.Tests.Proxy.Forwarding;

/// <summary>Datagrams, by the rules of nginx's stream.</summary>
public sealed class DatagramTests
{
    private const string Format =
        "$protocol $status $bytes_received $bytes_sent $upstream_bytes_sent "
        + "$upstream_bytes_received";

    [Fact]
    public async Task A_session_lasts_for_so_many_requests()
    {
        await using var origin = new DatagramServer();
        foreach ((int requests, string pattern) in ((int, string)[])
            [(0, "aaaa"), (1, "abcd"), (2, "aabb")])
        {
            await using ProxyServer proxy = Start(
                origin.Address,
                new StreamConfig { DatagramRequests = requests },
                out IPEndPoint address);
            using Socket client = Connect(address);
            var ports = new List<string>();
            for (int i = 0; i < 4; i++)
            {
                ports.Add((await AskAsync(client, "x")).Split(':')[0]);
            }

            var known = ports.Distinct().ToList();
            string.Concat(ports.Select(port => (char)('a' + known.IndexOf(port))))
                .ShouldBe(pattern, $"{requests} requests");
        }
    }

    [Fact]
    public async Task Two_clients_have_two_sessions_and_a_log_line_each()
    {
        await using var origin = new DatagramServer((text, _) => [text, text.ToUpperInvariant()]);
        using var log = new LogFile();
        await using (ProxyServer proxy = Start(
            origin.Address,
            new StreamConfig { DatagramResponses = 2 },
            out IPEndPoint address,
            log))
        {
            using Socket one = Connect(address);
            using Socket other = Connect(address);
            (await AskAsync(one, "one")).ShouldBe("one");
            (await AskAsync(other, "other")).ShouldBe("other");
            (await ReceiveAsync(one)).ShouldBe("ONE");
            (await ReceiveAsync(other)).ShouldBe("OTHER");
            await UntilIdleAsync(proxy);
        }

        log.Lines.Order().ShouldBe(["UDP 200 3 6 3 6", "UDP 200 5 10 5 10"]);
    }

    [Fact]
    public async Task Every_datagram_that_waits_is_passed_on_whatever_its_length()
    {
        await using var origin = new DatagramServer((_, _) =>
            [new string('a', 60_000), "", "b", new string('c', 9_000), "d"]);
        await using ProxyServer proxy = Start(
            origin.Address, new StreamConfig(), out IPEndPoint address);
        using Socket client = Connect(address);
        (await AskAsync(client, "")).Length.ShouldBe(60_000);
        (await ReceiveAsync(client)).ShouldBe("");
        (await ReceiveAsync(client)).ShouldBe("b");
        (await ReceiveAsync(client)).Length.ShouldBe(9_000);
        (await ReceiveAsync(client)).ShouldBe("d");
    }

    [Fact]
    public async Task An_address_that_refuses_is_left_out_for_the_next_session()
    {
        await using var origin = new DatagramServer();
        using var log = new LogFile();
        await using (ProxyServer proxy = Start(
            [ScriptedServer.UnusedAddress(), origin.Address],
            new StreamConfig { DatagramResponses = 1, IdleTimeoutMs = 2_000 },
            out IPEndPoint address,
            log))
        {
            using Socket first = Connect(address);
            await first.SendAsync(Encoding.Latin1.GetBytes("lost"));
            await Eventually.BecomesTrueAsync(
                () => proxy.GetStatus().Single().Endpoints[0].IsAvoided);
            for (int i = 0; i < 3; i++)
            {
                using Socket next = Connect(address);
                (await AskAsync(next, "x")).ShouldEndWith(":x");
            }

            await UntilIdleAsync(proxy);
        }

        log.Lines[0].ShouldBe("UDP 502 4 0 4 0");
        log.Lines.Skip(1).ShouldAllBe(line => line.StartsWith("UDP 200 1 "));
    }

    [Fact]
    public async Task Silence_is_the_end_and_an_error_where_more_was_expected()
    {
        await using var origin = new DatagramServer((text, _) => [text]);
        foreach ((int? responses, string status) in ((int?, string)[])
            [(null, "200"), (1, "200"), (2, "502"), (0, "200")])
        {
            using var log = new LogFile();
            await using (ProxyServer proxy = Start(
                origin.Address,
                new StreamConfig { DatagramResponses = responses, IdleTimeoutMs = 200 },
                out IPEndPoint address,
                log))
            {
                using Socket client = Connect(address);
                await client.SendAsync(Encoding.Latin1.GetBytes("x"));
                await Eventually.BecomesTrueAsync(
                    () => proxy.GetStatus().Single().Endpoints[0].Requests == 1);
                await UntilIdleAsync(proxy);
            }

            log.Lines.ShouldHaveSingleItem().ShouldStartWith($"UDP {status} ");
        }
    }

    [Fact]
    public async Task A_text_is_the_answer_from_the_address_that_was_asked()
    {
        await using ProxyServer proxy = Start(
            [],
            new StreamConfig { Reply = "$remote_port $server_addr $protocol" },
            out IPEndPoint address,
            any: true);
        using Socket client = Connect(new IPEndPoint(IPAddress.Parse("127.0.0.9"), address.Port));
        int port = ((IPEndPoint)client.LocalEndPoint!).Port;
        (await AskAsync(client, "x")).ShouldBe($"{port} 127.0.0.9 UDP");
    }

    [Fact]
    public async Task No_more_sessions_than_there_may_be_clients()
    {
        await using var origin = new DatagramServer();
        await using ProxyServer proxy = Start(
            [origin.Address], new StreamConfig(), out IPEndPoint address, maxConnections: 1);
        using Socket first = Connect(address);
        using Socket second = Connect(address);
        (await AskAsync(first, "x")).ShouldEndWith(":x");
        await second.SendAsync(Encoding.Latin1.GetBytes("x"));
        await Eventually.BecomesTrueAsync(
            () => proxy.GetMetrics().Reactors.Sum(r => r.Refused) == 1);
        (await AskAsync(first, "y")).ShouldEndWith(":y");
    }

    [Fact]
    public async Task A_change_leaves_sessions_where_they_are_and_a_removed_address_is_free()
    {
        await using var before = new DatagramServer((text, _) => ["before " + text]);
        await using var after = new DatagramServer((text, _) => ["after " + text]);
        await using ProxyServer proxy = Start(
            [before.Address], new StreamConfig(), out IPEndPoint address);
        using Socket old = Connect(address);
        (await AskAsync(old, "1")).ShouldBe("before 1");
        proxy.Apply(Config([after.Address], new StreamConfig(), address, log: null))
            .ShouldBeEmpty();
        using Socket fresh = Connect(address);
        (await AskAsync(fresh, "2")).ShouldBe("after 2");
        (await AskAsync(old, "3")).ShouldBe("before 3");

        proxy.Apply(ProxyConfig.Empty).ShouldBeEmpty();
        await proxy.WhenRetiredAsync(TestContext.Current.CancellationToken);
        using var taker = new Socket(
            AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        taker.Bind(address);
    }

    private static ProxyServer Start(
        IPEndPoint endpoint, StreamConfig stream, out IPEndPoint address, LogFile? log = null) =>
        Start([endpoint], stream, out address, log);

    private static ProxyServer Start(
        IPEndPoint[] endpoints, StreamConfig stream, out IPEndPoint address, LogFile? log = null,
        bool any = false, int maxConnections = 1_000)
    {
        using var free = new Socket(
            AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        free.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        int port = ((IPEndPoint)free.LocalEndPoint!).Port;
        free.Dispose();
        address = new IPEndPoint(any ? IPAddress.Any : IPAddress.Loopback, port);
        ProxyServer server = ProxyFixture.NewServer(
            new ProxyOptions { Reactors = 2, MaxConnections = maxConnections });
        server.Apply(Config(endpoints, stream, address, log)).ShouldBeEmpty();
        return server;
    }

    private static ProxyConfig Config(
        IPEndPoint[] endpoints, StreamConfig stream, IPEndPoint address, LogFile? log) => new()
        {
            Backends =
            [
                new BackendConfig
                {
                    Name = "names",
                    LeavesFailedOut = true,
                    Endpoints =
                    [
                        .. endpoints.Select(e => ProxyFixture.Endpoint(e.ToString(), e) with
                        {
                            MaxFails = 1,
                        }),
                    ],
                    KeepAlive = new KeepAliveConfig(0),
                },
            ],
            DatagramListeners =
            [
                new ListenerConfig
                {
                    Address = address,
                    Protocol = ListenerProtocol.Tcp,
                    Routes =
                    [
                        new RouteConfig
                        {
                            Backend = stream.Reply is null ? "names" : null,
                            Stream = stream,
                        },
                    ],
                    AccessLog = log is null
                        ? null
                        : new AccessLogConfig { Path = log.Path, Format = Format },
                },
            ],
        };

    private static Socket Connect(IPEndPoint address)
    {
        var socket = new Socket(
            AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Connect(address);
        return socket;
    }

    private static async Task<string> AskAsync(Socket client, string text)
    {
        await client.SendAsync(Encoding.Latin1.GetBytes(text));
        return await ReceiveAsync(client);
    }

    private static async Task<string> ReceiveAsync(Socket client)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        byte[] buffer = new byte[65_536];
        int length = await client.ReceiveAsync(buffer, limit.Token);
        return Encoding.Latin1.GetString(buffer, 0, length);
    }

    private static Task UntilIdleAsync(ProxyServer proxy) =>
        Eventually.BecomesTrueAsync(() => proxy.ConnectionCount == 0);
}
