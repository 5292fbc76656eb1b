using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Shouldly;
using Tessera.Linux.Net;
using Tessera.Proxy;
using Xunit;

namespace Tessera.Tests.Proxy.Forwarding;

/// <summary>
/// Listeners that pass from one server to another, as between two processes: by copies of their
/// descriptors.
/// </summary>
public sealed class ServerHandoverTests
{
    private const string Get = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(2, 2)]
    [InlineData(3, 1)]
    [InlineData(1, 3)]
    public async Task Fails_no_request_and_no_connection_while_listeners_are_passed_on(
        int reactors, int nextReactors)
    {
        using ScriptedServer upstream = ScriptedServer.Named("ok");
        ProxyConfig config = ConfigOf(upstream);
        var server = ProxyFixture.NewServer(new ProxyOptions { Reactors = reactors });
        server.Apply(config).ShouldBeEmpty();
        using var end = new CancellationTokenSource();
        Task<int>[] clients =
        [
            .. Enumerable.Range(0, 8).Select(i =>
                Task.Run(() => LoadAsync(config.Listeners[0].Address, i % 2 == 0, end.Token))),
        ];
        List<Task> leaving = [];
        for (int round = 0; round < 10; round++)
        {
            var next = ProxyFixture.NewServer(new ProxyOptions
            {
                Reactors = round % 2 == 0 ? nextReactors : reactors,
            });
            next.Inherit(Copies(server));
            next.Apply(config).ShouldBeEmpty();
            next.BeginAccepting();
            server.Leave();
            leaving.Add(LeaveAsync(server));
            server = next;
            await Task.Delay(30, Token);
        }

        await end.CancelAsync();
        int[] answered = await Task.WhenAll(clients);
        answered.ShouldAllBe(count => count > 10);
        await server.DisposeAsync();
        await Task.WhenAll(leaving);
    }

    [Fact]
    public async Task Serves_a_connection_that_waited_in_the_queue_while_nobody_accepted()
    {
        using ScriptedServer upstream = ScriptedServer.Named("ok");
        ProxyConfig config = ConfigOf(upstream);
        await using var old = ProxyFixture.NewServer(new ProxyOptions { Reactors = 2 });
        old.Apply(config).ShouldBeEmpty();
        await using var next = ProxyFixture.NewServer(new ProxyOptions { Reactors = 2 });
        next.Inherit(Copies(old));
        next.Apply(config).ShouldBeEmpty();
        old.Leave();
        await Eventually.BecomesTrueAsync(() => old.Share().IsEmpty);
        ScriptedConnection[] clients = await ConnectAsync(config, 20);
        Task[] sends = [.. clients.Select(c => c.SendAsync(Get))];
        await Task.WhenAll(sends);
        next.BeginAccepting();
        foreach (ScriptedConnection client in clients)
        {
            (await client.ReadResponseAsync()).Body.ShouldBe("ok");
            client.Dispose();
        }
    }

    [Fact]
    public async Task Goes_on_when_the_one_that_inherited_ends_before_it_accepts()
    {
        using ScriptedServer upstream = ScriptedServer.Named("ok");
        ProxyConfig config = ConfigOf(upstream);
        await using var old = ProxyFixture.NewServer(new ProxyOptions { Reactors = 2 });
        old.Apply(config).ShouldBeEmpty();
        for (int round = 0; round < 5; round++)
        {
            await using (var next = ProxyFixture.NewServer(new ProxyOptions { Reactors = 3 }))
            {
                next.Inherit(Copies(old));
                next.Apply(config).ShouldBeEmpty();
                next.Apply(ProxyConfig.Empty);
                next.Apply(ProxyConfig.Empty with { Listeners = config.Listeners });
            }

            foreach (ScriptedConnection client in await ConnectAsync(config, 20))
            {
                await client.SendAsync(Get);
                (await client.ReadResponseAsync()).Body.ShouldBe("ok");
                client.Dispose();
            }
        }
    }

    [Fact]
    public async Task Answers_one_more_request_of_a_connection_that_was_idle()
    {
        using ScriptedServer upstream = ScriptedServer.Named("ok");
        ProxyConfig config = ConfigOf(upstream);
        await using var old = ProxyFixture.NewServer(new ProxyOptions { Reactors = 2 });
        old.Apply(config).ShouldBeEmpty();
        using ScriptedConnection client =
            await ScriptedConnection.ConnectAsync(config.Listeners[0].Address);
        await client.SendAsync(Get);
        (await client.ReadResponseAsync()).Head.ShouldNotContain("Connection: close");
        old.Leave();
        Task<int> left = old.LingerAsync(TimeSpan.FromMinutes(1), Token);
        await client.SendAsync(Get);
        (string head, string body) = await client.ReadResponseAsync();
        body.ShouldBe("ok");
        head.ShouldContain("Connection: close");
        (await client.ReadToEndAsync()).ShouldBeEmpty();
        (await left.WaitAsync(TimeSpan.FromSeconds(5), Token)).ShouldBe(0);

        // Nobody else has the address: it is free.
        await Should.ThrowAsync<SocketException>(
            () => ScriptedConnection.ConnectAsync(config.Listeners[0].Address));
    }

    [Fact]
    public async Task A_request_that_is_held_goes_where_the_successor_says()
    {
        using ScriptedServer upstream = ScriptedServer.Named("ok");
        ProxyConfig config = ConfigOf(upstream);
        config = config with
        {
            Backends = [config.Backends[0] with { Endpoints = [], IsManaged = true }],
        };
        await using var old = ProxyFixture.NewServer(new ProxyOptions { Reactors = 1 });
        old.Apply(config).ShouldBeEmpty();
        using ScriptedConnection client =
            await ScriptedConnection.ConnectAsync(config.Listeners[0].Address);
        await client.SendAsync(Get);
        await Eventually.BecomesTrueAsync(() => old.GetStatus()[0].Held == 1);
        old.Leave();
        old.Follow("unknown", [], null);
        old.Follow("web", [ProxyFixture.Endpoint("a", upstream.Address)], null);
        (await client.ReadResponseAsync()).Body.ShouldBe("ok");
    }

    [Fact]
    public async Task Lets_a_tunnel_live_until_it_ends_or_the_limit_has_come()
    {
        using ScriptedServer upstream = ScriptedServer.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            await connection.SendAsync(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n");
            while (await connection.ReadAsync(4) is { Length: 4 } word)
            {
                await connection.SendAsync(word);
            }
        });
        ProxyConfig config = ConfigOf(upstream);
        await using var old = ProxyFixture.NewServer(new ProxyOptions { Reactors = 2 });
        old.Apply(config).ShouldBeEmpty();
        ScriptedConnection[] clients = await ConnectAsync(config, 2);
        foreach (ScriptedConnection client in clients)
        {
            await client.SendAsync(
                "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
            await client.ReadHeadAsync();
        }

        old.Leave();
        (await old.LingerAsync(TimeSpan.FromMilliseconds(200), Token)).ShouldBe(2);
        await clients[0].SendAsync("ping");
        (await clients[0].ReadAsync(4)).ShouldBe("ping");
        clients[0].Close();
        await Eventually.BecomesTrueAsync(() => old.ConnectionCount == 1);
        await old.DisposeAsync();
        (await clients[1].ReadToEndAsync()).ShouldBeEmpty();
        clients[1].Dispose();
    }

    [Fact]
    public async Task Closes_what_was_passed_on_and_nobody_wants()
    {
        using ScriptedServer upstream = ScriptedServer.Named("ok");
        ProxyConfig config = ConfigOf(upstream);
        var old = ProxyFixture.NewServer(new ProxyOptions { Reactors = 2 });
        old.Apply(config).ShouldBeEmpty();
        await using var next = ProxyFixture.NewServer(new ProxyOptions { Reactors = 2 });
        next.Inherit(Copies(old));
        await old.DisposeAsync();
        next.Apply(ProxyConfig.Empty);
        next.BeginAccepting();
        await Should.ThrowAsync<SocketException>(
            () => ScriptedConnection.ConnectAsync(config.Listeners[0].Address));
    }

    [Fact]
    public async Task A_listener_whose_address_stays_keeps_its_sockets()
    {
        using ScriptedServer upstream = ScriptedServer.Named("ok");
        ProxyConfig config = ConfigOf(upstream);
        await using var server = ProxyFixture.NewServer(new ProxyOptions { Reactors = 2 });
        server.Apply(config).ShouldBeEmpty();
        ListenerConfig first = config.Listeners[0];
        string[] before = SocketsOf(server);
        server.Apply(config with
        {
            Listeners =
            [
                first with { Routes = [new RouteConfig { Backend = "other" }] },
                new ListenerConfig { Address = ScriptedServer.UnusedAddress() },
            ],
            Backends = [config.Backends[0] with { Name = "other" }],
        }).ShouldBeEmpty();
        SocketsOf(server).ShouldBe(before, ignoreOrder: true, "the first listener's are the same");

        string[] SocketsOf(ProxyServer of) =>
        [
            .. of.Share().Where(s => s.Address.Equals(first.Address)).Select(s =>
                new FileInfo($"/proc/self/fd/{s.Descriptor}").LinkTarget!),
        ];
    }

    private static ProxyConfig ConfigOf(ScriptedServer upstream) => new()
    {
        Listeners =
        [
            new ListenerConfig
            {
                Address = ScriptedServer.UnusedAddress(),
                Protocol = ListenerProtocol.Http,
                Routes = [new RouteConfig { Backend = "web" }],
            },
        ],
        Backends =
        [
            new BackendConfig
            {
                Name = "web",
                Endpoints = [ProxyFixture.Endpoint("a", upstream.Address)],
            },
        ],
    };

    private static Task<ScriptedConnection[]> ConnectAsync(ProxyConfig config, int count) =>
        Task.WhenAll(Enumerable.Range(0, count).Select(
            _ => ScriptedConnection.ConnectAsync(config.Listeners[0].Address)));

    private static async Task LeaveAsync(ProxyServer server)
    {
        await server.LingerAsync(TimeSpan.FromSeconds(20), CancellationToken.None);
        await server.DisposeAsync();
    }

    /// <summary>Complete answers; anything else throws.</summary>
    private static async Task<int> LoadAsync(
        IPEndPoint address, bool keepsAlive, CancellationToken end)
    {
        int answered = 0;
        ScriptedConnection? connection = null;
        while (!end.IsCancellationRequested)
        {
            connection ??= await ScriptedConnection.ConnectAsync(address);
            await connection.SendAsync(Get);
            (string head, string body) = await connection.ReadResponseAsync();
            body.ShouldBe("ok");
            answered++;
            if (!keepsAlive || head.Contains("Connection: close", StringComparison.Ordinal))
            {
                connection.Dispose();
                connection = null;
            }

            await Task.Delay(1, CancellationToken.None);
        }

        connection?.Dispose();
        return answered;
    }

    /// <summary>Through a socket, as another process gets them.</summary>
    private static ImmutableArray<SharedListener> Copies(ProxyServer server)
    {
        string path = Path.Combine(Path.GetTempPath(), $"tess-{Guid.NewGuid():N}");
        using var listener = new Socket(
            AddressFamily.Unix, SocketType.Seqpacket, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen();
        using var sender = new Socket(
            AddressFamily.Unix, SocketType.Seqpacket, ProtocolType.Unspecified);
        sender.Connect(new UnixDomainSocketEndPoint(path));
        using Socket receiver = listener.Accept();
        File.Delete(path);
        ImmutableArray<SharedListener> shared = server.Share();
        DescriptorMessages.Send(
            (int)sender.Handle, "x"u8, [.. shared.Select(s => s.Descriptor)]);
        DescriptorMessages.Receive((int)receiver.Handle, new byte[1], out int[] copies);
        return [.. shared.Zip(copies, (s, copy) => s with { Descriptor = copy })];
    }
}
