using System.Net;
using Shouldly;
using Tessera.Linux.Net;
using Tessera.Proxy;
using Tessera.Proxy.Routing;
using Tessera.Proxy.Transports;
using Xunit;

namespace Tessera.Tests.Proxy.Routing;

public sealed class BalancerTests
{
    [Theory]
    [InlineData("5,1,1", "aabacaa")]
    [InlineData("1,1,1", "abc")]
    [InlineData("10,20", "bab")]
    [InlineData("3,1", "aaba")]
    [InlineData("7", "a")]
    [InlineData("", "")]
    public void Takes_turns_as_nginx_does(string weights, string expected)
    {
        int[] parsed =
            [.. weights.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse)];
        string turns = string.Concat(TurnSequence.Build(parsed).Select(t => (char)('a' + t)));
        turns.ShouldBe(expected);
    }

    [Fact]
    public void Scales_huge_weights_down_and_leaves_nobody_out()
    {
        ushort[] turns = TurnSequence.Build([65_535, 65_534, 1]);
        turns.Length.ShouldBeLessThanOrEqualTo(4_100);
        turns.ShouldContain((ushort)2);
    }

    [Theory]
    [InlineData(BalanceAlgorithm.RoundRobin)]
    [InlineData(BalanceAlgorithm.LeastConnections)]
    [InlineData(BalanceAlgorithm.IpHash)]
    public void Gives_nothing_to_whoever_has_no_weight(BalanceAlgorithm algorithm)
    {
        (Backend backend, Endpoint[] endpoints) = Create(algorithm, 0, 2, 0);
        for (int i = 0; i < 20; i++)
        {
            Pick(backend, $"10.{i}.1.1").ShouldBe(endpoints[1]);
        }

        Pick(backend, endpoints[1]).ShouldBeNull();
        (backend, endpoints) = Create(algorithm, 0, 0);
        Pick(backend).ShouldBeNull();
        Pick(backend, endpoints[0]).ShouldBeNull();
    }

    [Fact]
    public void Shares_turns_evenly_between_threads()
    {
        (Backend backend, Endpoint[] endpoints) = Create(BalanceAlgorithm.RoundRobin, 1, 1, 1);
        Parallel.For(0, 300, _ => Pick(backend)!.End());
        endpoints.Select(e => e.Requests).ShouldBe([100L, 100L, 100L]);
    }

    [Fact]
    public void Skips_what_was_tried_and_what_is_not_active()
    {
        (Backend backend, Endpoint[] endpoints) = Create(BalanceAlgorithm.RoundRobin, 1, 1, 1);
        SetState(endpoints[1], EndpointState.Draining);
        for (int i = 0; i < 6; i++)
        {
            Pick(backend, endpoints[0]).ShouldBe(endpoints[2]);
        }

        Pick(backend, endpoints[0], endpoints[2]).ShouldBeNull();
        endpoints[1].InFlight.ShouldBe(0);
    }

    [Fact]
    public void Avoids_what_failed_lately_unless_nothing_else_is_left()
    {
        (Backend backend, Endpoint[] endpoints) = Create(BalanceAlgorithm.RoundRobin, 1, 1);
        endpoints[0].Health.NoteFailure(-9_000, isForMaxFails: true, isForOutlier: false, "");
        for (int i = 0; i < 4; i++)
        {
            Pick(backend, nowMs: 999).ShouldBe(endpoints[1]);
        }

        Pick(backend, 999, endpoints[1]).ShouldBe(endpoints[0]);
        Enumerable.Range(0, 2).Select(_ => Pick(backend, nowMs: 1_000)).ShouldContain(endpoints[0]);
    }

    [Fact]
    public void Picks_whoever_has_the_fewest_connections_for_its_weight()
    {
        (Backend backend, Endpoint[] endpoints) =
            Create(BalanceAlgorithm.LeastConnections, 1, 2, 1);
        for (int i = 0; i < 40; i++)
        {
            Pick(backend).ShouldNotBeNull();
        }

        endpoints.Select(e => e.InFlight).ShouldBe([10, 20, 10]);
        endpoints[2].End();
        Pick(backend).ShouldBe(endpoints[2]);
    }

    [Fact]
    public void Breaks_ties_of_connections_by_turns()
    {
        (Backend backend, Endpoint[] endpoints) =
            Create(BalanceAlgorithm.LeastConnections, 1, 1, 1);
        for (int i = 0; i < 30; i++)
        {
            Pick(backend)!.End();
        }

        endpoints.Select(e => e.Requests).ShouldBe([10L, 10L, 10L]);
    }

    [Theory]
    [InlineData("127.0.0.1", 3, 89)]
    [InlineData("192.168.7.9", 4, 89)]
    [InlineData("2001:db8::17", 5, 89)]
    public void Hashes_addresses_as_nginx_does(string address, int count, int seed)
    {
        (Backend backend, Endpoint[] endpoints) =
            Create(BalanceAlgorithm.IpHash, [.. Enumerable.Repeat(1, count)]);
        byte[] octets = IPAddress.Parse(address).GetAddressBytes();
        int hash = octets.Take(octets.Length == 4 ? 3 : 16)
            .Aggregate(seed, (h, octet) => ((h * 113) + octet) % 6_271);
        Pick(backend, address).ShouldBe(endpoints[hash % count]);
    }

    [Fact]
    public void Keeps_the_others_clients_in_place_when_an_endpoint_is_out()
    {
        (Backend backend, Endpoint[] endpoints) = Create(BalanceAlgorithm.IpHash, 1, 1, 1, 1);
        string[] clients = [.. Enumerable.Range(0, 200).Select(i => $"10.{i}.1.1")];
        Endpoint[] before = [.. clients.Select(c => Pick(backend, c)!)];
        SetState(endpoints[1], EndpointState.Out);
        backend.Current = new BackendSet(backend.Current.Config, endpoints);
        for (int i = 0; i < clients.Length; i++)
        {
            Endpoint now = Pick(backend, clients[i])!;
            now.ShouldNotBe(endpoints[1]);
            if (before[i] != endpoints[1])
            {
                now.ShouldBe(before[i]);
            }
        }
    }

    private static (Backend Backend, Endpoint[] Endpoints) Create(
        BalanceAlgorithm algorithm, params int[] weights)
    {
        EndpointConfig[] configs = [.. weights.Select((w, i) => new EndpointConfig
        {
            Id = $"{(char)('a' + i)}",
            Address = new IPEndPoint(IPAddress.Loopback, 1_000 + i),
            Weight = w,
        })];
        Endpoint[] endpoints = Array.ConvertAll(
            configs, c => new Endpoint(c, [new UpstreamPool(1, 1_000)]));
        var config = new BackendConfig
        {
            Name = "web",
            Algorithm = algorithm,
            Endpoints = [.. configs],
        };
        return (new Backend("web", new BackendSet(config, endpoints), reactors: 1), endpoints);
    }

    private static Endpoint? Pick(Backend backend, params Endpoint[] tried) =>
        Pick(backend, 0, tried);

    private static void SetState(Endpoint endpoint, EndpointState state) =>
        endpoint.Update(endpoint.Config with { State = state }, nowMs: 0);

    private static Endpoint? Pick(Backend backend, string client) =>
        Balancer.TryPick(backend, backend.Current, new Selection
        {
            Client = AddressOf(client), Tried = [], NowMs = 0,
        });

    private static Endpoint? Pick(Backend backend, long nowMs, params Endpoint[] tried) =>
        Balancer.TryPick(backend, backend.Current, new Selection
        {
            Client = AddressOf("127.0.0.1"), Tried = [.. tried], NowMs = nowMs,
        });

    private static InternetAddress AddressOf(string text) =>
        new(new IPEndPoint(IPAddress.Parse(text), 1));
}
