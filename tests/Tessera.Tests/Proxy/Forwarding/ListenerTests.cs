using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Shouldly;
using Tessera.Proxy;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Listening;
using Tessera.Proxy.Routing;
using Xunit;

namespace Tessera.Tests.Proxy.Forwarding;

public sealed class ListenerTests
{
    [Fact]
    public async Task Tells_of_an_address_that_another_proxy_of_this_user_listens_on()
    {
        await using ProxyFixture proxy = ProxyFixture.Start([]);
        await using var second = ProxyFixture.NewServer(new ProxyOptions { Reactors = 1 });
        ImmutableArray<ListenFailure> failures = second.Apply(new ProxyConfig
        {
            Listeners = [new ListenerConfig { Address = proxy.Address }],
        });
        failures.ShouldBe([new ListenFailure(proxy.Address, "address already in use")]);
    }

    [Fact]
    public async Task Waits_for_no_listener_that_is_still_closing_and_listens_again_once_it_has()
    {
        IPEndPoint address = ScriptedServer.UnusedAddress();
        await using var server = ProxyFixture.NewServer(new ProxyOptions { Reactors = 2 });
        var listening = new ProxyConfig { Listeners = [new ListenerConfig { Address = address }] };
        for (int i = 0; i < 5; i++)
        {
            server.Apply(listening).ShouldBeEmpty();
            server.Apply(ProxyConfig.Empty).ShouldBeEmpty();

            // Its handshakes under way get 20 ms to complete; nobody stands still for them.
            ListenFailure failure = server.Apply(listening).ShouldHaveSingleItem();
            failure.Reason.ShouldBe("the listener that was there is still closing");
            await server.WhenRetiredAsync(TestContext.Current.CancellationToken);
            server.Apply(listening).ShouldBeEmpty();
            server.Apply(ProxyConfig.Empty).ShouldBeEmpty();
            await server.WhenRetiredAsync(TestContext.Current.CancellationToken);
        }
    }

    [Fact]
    public async Task Frees_an_address_that_was_taken_out_when_it_says_so()
    {
        IPEndPoint address = ScriptedServer.UnusedAddress();
        await using var server = ProxyFixture.NewServer(new ProxyOptions { Reactors = 2 });
        for (int i = 0; i < 5; i++)
        {
            server.Apply(new ProxyConfig
            {
                Listeners = [new ListenerConfig { Address = address }],
            }).ShouldBeEmpty();
            server.Apply(ProxyConfig.Empty).ShouldBeEmpty();
            await server.WhenRetiredAsync(TestContext.Current.CancellationToken);
            using var other =
                new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            other.Bind(address);
        }
    }

    [Fact]
    public async Task Does_not_ask_again_at_once_for_an_address_that_is_taken()
    {
        using ScriptedServer taken = ScriptedServer.Named("taken");
        await using var server = ProxyFixture.NewServer(new ProxyOptions { Reactors = 1 });
        var config = new ProxyConfig
        {
            Listeners = [new ListenerConfig { Address = taken.Address }],
        };
        server.Apply(config).Length.ShouldBe(1);
        taken.Dispose();
        server.Apply(config).Length.ShouldBe(1);
        await Eventually.BecomesTrueAsync(() => server.Apply(config).IsEmpty);
    }

    [Fact]
    public void Never_unlearns_http_while_reactors_learn_at_the_same_time()
    {
        var routes = new RouteTable([]);
        for (int i = 0; i < 50_000; i++)
        {
            var listener = new Listener(
                new IPEndPoint(IPAddress.Loopback, 1), ListenerProtocol.Auto, routes, logs: []);
            Parallel.Invoke(
                () => listener.Learn(LearntProtocol.ClientSpeaksFirst),
                () => listener.Learn(LearntProtocol.Http));
            listener.Learnt.ShouldBe(LearntProtocol.Http);
        }
    }

    [Fact]
    public async Task Resets_no_connection_that_was_made_before_its_listener_was_taken_out()
    {
        using ScriptedServer upstream = ScriptedServer.Named("ok");
        IPEndPoint address = ScriptedServer.UnusedAddress();
        await using var server = ProxyFixture.NewServer(new ProxyOptions { Reactors = 2 });
        var backend = new BackendConfig
        {
            Name = "web",
            Endpoints = [ProxyFixture.Endpoint("a", upstream.Address)],
        };
        var listening = new ProxyConfig
        {
            Listeners =
            [
                new ListenerConfig { Address = address, Routes =
                    [new RouteConfig { Backend = "web" }] },
            ],
            Backends = [backend],
        };
        for (int round = 0; round < 10; round++)
        {
            server.Apply(listening).ShouldBeEmpty();
            ScriptedConnection[] clients = await Task.WhenAll(
                Enumerable.Range(0, 50).Select(_ => ScriptedConnection.ConnectAsync(address)));
            Task[] sends =
                [.. clients.Select(c => c.SendAsync("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))];
            server.Apply(new ProxyConfig { Backends = [backend] }).ShouldBeEmpty();
            await Task.WhenAll(sends);
            foreach (ScriptedConnection client in clients)
            {
                (await client.ReadResponseAsync()).Body.ShouldBe("ok");
                client.Dispose();
            }

            await server.WhenRetiredAsync(TestContext.Current.CancellationToken);
        }
    }

    [Fact]
    public async Task Refuses_connections_once_a_listener_is_taken_out()
    {
        IPEndPoint address = ScriptedServer.UnusedAddress();
        await using var server = ProxyFixture.NewServer(new ProxyOptions { Reactors = 2 });
        server.Apply(new ProxyConfig { Listeners = [new ListenerConfig { Address = address }] });
        using ScriptedConnection idle = await ScriptedConnection.ConnectAsync(address);
        server.Apply(ProxyConfig.Empty);

        // An idle connection ends with its listener.
        (await idle.ReadToEndAsync()).ShouldBeEmpty();
        await Should.ThrowAsync<SocketException>(() => ScriptedConnection.ConnectAsync(address));
    }

    [Fact]
    public async Task Closes_connections_beyond_the_limit_and_serves_the_others()
    {
        using ScriptedServer upstream = ScriptedServer.Named("ok");
        await using ProxyFixture proxy = ProxyFixture.Start(
            [upstream.Address], new ProxyOptions { Reactors = 1, MaxConnections = 2 });
        using ScriptedConnection first = await proxy.ConnectAsync();
        using ScriptedConnection second = await proxy.ConnectAsync();
        using ScriptedConnection third = await proxy.ConnectAsync();
        (await third.ReadToEndAsync()).ShouldBeEmpty();
        await second.SendAsync("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        (await second.ReadResponseAsync()).Body.ShouldBe("ok");
        first.Close();
        second.Close();
        await Eventually.BecomesTrueAsync(() => proxy.GetAsync().Result == "ok");
    }

    [Fact]
    public async Task Listens_on_IPv6_apart_from_IPv4()
    {
        int port = ScriptedServer.UnusedAddress().Port;
        await using var server = ProxyFixture.NewServer(new ProxyOptions { Reactors = 1 });
        server.Apply(new ProxyConfig
        {
            Listeners =
            [
                new ListenerConfig { Address = new IPEndPoint(IPAddress.Any, port) },
                new ListenerConfig { Address = new IPEndPoint(IPAddress.IPv6Any, port) },
            ],
        }).ShouldBeEmpty();
        using var client = new TcpClient(AddressFamily.InterNetworkV6);
        await client.ConnectAsync(
            IPAddress.IPv6Loopback, port, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Answers_408_to_half_a_head_and_says_nothing_to_silence()
    {
        await using ProxyFixture proxy = ProxyFixture.Start(
            [],
            new ProxyOptions { Reactors = 1, HeadTimeoutMs = 150, IdleTimeoutMs = 1_000 });
        (await proxy.ExchangeAsync("GET / HTTP/1.1\r\nHo")).ShouldStartWith("HTTP/1.1 408 ");
        (await proxy.ExchangeAsync("")).ShouldBeEmpty();
    }

    [Fact]
    public async Task Ends_twice_and_lets_requests_in_flight_end()
    {
        var release = new TaskCompletionSource();
        using ScriptedServer upstream = ScriptedServer.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            await release.Task;
            await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        });
        ProxyFixture proxy = ProxyFixture.Start([upstream.Address]);
        using ScriptedConnection idle = await proxy.ConnectAsync();
        Task<string> request = proxy.GetAsync();
        await Eventually.BecomesTrueAsync(() => upstream.ConnectionCount == 1);
        Task first = proxy.DisposeAsync().AsTask();
        (await idle.ReadToEndAsync()).ShouldBeEmpty();
        release.SetResult();
        (await request).ShouldBe("ok");
        await first;
        await proxy.DisposeAsync();
    }

    [Fact]
    public async Task Cuts_off_what_does_not_end_when_the_server_ends()
    {
        using ScriptedServer upstream = ScriptedServer.Start(c => c.ReadToEndAsync());
        ProxyFixture proxy = ProxyFixture.Start([upstream.Address]);
        Task<string> request = proxy.GetAsync();
        Task<string> held = proxy.GetAsync("/held");
        await Eventually.BecomesTrueAsync(() => upstream.ConnectionCount >= 1);
        await proxy.DisposeAsync();
        await Task.WhenAny(request, Task.Delay(2_000, TestContext.Current.CancellationToken));
        request.IsCompleted.ShouldBeTrue();
        held.IsCompleted.ShouldBeTrue();
    }
}
