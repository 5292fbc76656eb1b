using System.Text;
using Shouldly;
using Tessera.Proxy;
using Tessera.Proxy.Routing;
using Xunit;

namespace Tessera.Tests.Proxy.Routing;

/// <summary>
/// What nginx 1.22 answered for keys "key-0" to "key-39" over four servers of the ports 19101 to
/// 19104, is what these algorithms must answer.
/// </summary>
public sealed class HashingTests
{
    private static readonly int[] NginxWeights = [1, 3, 1, 2];

    [Fact]
    public void Computes_the_checksum_of_zlib()
    {
        Crc32.Of("123456789"u8).ShouldBe(0xCBF43926u);
        Crc32.Of([]).ShouldBe(0u);
        Crc32.Finish(Crc32.Append(Crc32.Append(Crc32.Initial, "12345"u8), "6789"u8))
            .ShouldBe(0xCBF43926u);
    }

    [Theory]
    [InlineData(
        BalanceAlgorithm.Hash, false, "4442233244323423221422122222224124122444")]
    [InlineData(
        BalanceAlgorithm.Hash, true, "4443433144343433441414111341444144143444")]
    [InlineData(
        BalanceAlgorithm.ConsistentHash, false, "2221441244422214413413144232233134144211")]
    [InlineData(
        BalanceAlgorithm.ConsistentHash, true, "4431441444441314413413144334433134144411")]
    public void Leads_keys_where_nginx_leads_them(
        BalanceAlgorithm algorithm, bool isSecondDown, string expected)
    {
        BalancedBackend backend = new(algorithm, [.. NginxWeights.Select((weight, i) =>
            new Func<EndpointConfig, EndpointConfig>(e => e with
            {
                Address = new(e.Address.Address, 19_101 + i),
                Id = $"{i + 1}",
                Weight = weight,
                State = isSecondDown && i == 1 ? EndpointState.Out : EndpointState.Active,
            }))]);
        string answer = string.Concat(
            Enumerable.Range(0, 40).Select(i => backend.Pick(key: $"key-{i}")!.Id));
        answer.ShouldBe(expected);
    }

    [Theory]
    [InlineData(BalanceAlgorithm.Hash)]
    [InlineData(BalanceAlgorithm.ConsistentHash)]
    public void Leads_the_same_key_to_the_same_endpoint_until_it_was_tried(
        BalanceAlgorithm algorithm)
    {
        BalancedBackend backend = new(algorithm, 1, 1, 1);
        for (int i = 0; i < 100; i++)
        {
            Endpoint first = backend.Pick(key: $"k{i}")!;
            backend.Pick(key: $"k{i}").ShouldBe(first);
            Endpoint second = backend.Pick(key: $"k{i}", tried: first)!;
            second.ShouldNotBe(first);
            Endpoint third = backend.Pick(key: $"k{i}", tried: [first, second])!;
            third.ShouldNotBe(second);
            backend.Pick(key: $"k{i}", tried: [first, second, third]).ShouldBeNull();
        }
    }

    [Theory]
    [InlineData(5)]
    [InlineData(10)]
    [InlineData(20)]
    public void Moves_one_share_of_the_keys_when_a_place_goes(int count)
    {
        const int Keys = 20_000;
        BalancedBackend whole = new(
            BalanceAlgorithm.ConsistentHash, [.. Enumerable.Repeat(1, count)]);
        var less = new BalancedBackend(whole.Backend.Current.Config with
        {
            Endpoints = [.. whole.Backend.Current.Config.Endpoints.Where(e => e.Id != "c")],
        });
        int moved = 0;
        for (int i = 0; i < Keys; i++)
        {
            string before = whole.Pick(key: $"k{i}")!.Id;
            string after = less.Pick(key: $"k{i}")!.Id;
            moved += before != after ? 1 : 0;

            // Nobody moves but those who were on it.
            (before == after || before == "c").ShouldBeTrue();
        }

        moved.ShouldBeInRange(Keys / count * 3 / 4, Keys / count * 5 / 4);
    }

    [Fact]
    public void Shares_keys_by_weight()
    {
        foreach (BalanceAlgorithm algorithm in
            new[] { BalanceAlgorithm.Hash, BalanceAlgorithm.ConsistentHash })
        {
            BalancedBackend backend = new(algorithm, 1, 2, 5);
            for (int i = 0; i < 16_000; i++)
            {
                backend.Pick(key: $"k{i}")!.End();
            }

            backend.Requests[0].ShouldBeInRange(1_600, 2_400);
            backend.Requests[1].ShouldBeInRange(3_200, 4_800);
            backend.Requests[2].ShouldBeInRange(8_800, 11_200);
        }
    }

    [Theory]
    [InlineData(BalanceAlgorithm.IpHash)]
    [InlineData(BalanceAlgorithm.Hash)]
    [InlineData(BalanceAlgorithm.ConsistentHash)]
    public void Keeps_places_while_nobody_is_in_them(BalanceAlgorithm algorithm)
    {
        BalancedBackend three = Slots(algorithm, 1, 2, 3);
        BalancedBackend two = Slots(algorithm, 1, 3);
        BalancedBackend again = Slots(algorithm, 1, 2, 3);
        int moved = 0;
        for (int i = 0; i < 250; i++)
        {
            Endpoint before = three.Pick($"10.{i}.1.1", $"k{i}")!;
            Endpoint without = two.Pick($"10.{i}.1.1", $"k{i}")!;
            moved += before.Config.Place != without.Config.Place ? 1 : 0;
            (before.Config.Place == "2" || before.Config.Place == without.Config.Place)
                .ShouldBeTrue();
            again.Pick($"10.{i}.1.1", $"k{i}")!.Config.Place.ShouldBe(before.Config.Place);
        }

        moved.ShouldBeInRange(50, 120);
    }

    [Fact]
    public void Gives_the_clients_of_a_place_to_who_is_in_it_now()
    {
        BalancedBackend backend = Slots(BalanceAlgorithm.IpHash, 1, 2, 2);
        string client = Enumerable.Range(0, 250).Select(i => $"10.{i}.1.1")
            .First(c => backend.Pick(c)!.Config.Place == "2");
        Endpoint first = backend.Pick(client)!;
        first.ShouldBe(backend.Endpoints[1]);
        backend.SetState(1, EndpointState.Draining);
        backend.Pick(client).ShouldBe(backend.Endpoints[2]);
    }

    [Fact]
    public void Makes_a_ring_of_any_weights_within_its_limit()
    {
        Place[] places =
        [
            new("a", 65_535, []), new("b", 65_535, []), new("c", 1, []), new("d", 0, []),
        ];
        var ring = new HashRing(places);
        ring.Count.ShouldBeInRange(1_000_000, 1_048_577);
        Enumerable.Range(0, ring.Count).Select(ring.OwnerOf).Distinct().Order()
            .ShouldBe([0, 1, 2]);
        ring.Find(uint.MaxValue).ShouldBeInRange(0, ring.Count - 1);
        ring.IsOf(places).ShouldBeTrue();
        ring.IsOf([.. places.Take(3)]).ShouldBeFalse();
    }

    [Fact]
    public void Keeps_its_ring_while_the_places_stay()
    {
        BalancedBackend backend = new(BalanceAlgorithm.ConsistentHash, 1, 1);
        HashRing ring = backend.Backend.Current.Primary.Ring!;
        backend.SetState(0, EndpointState.Out);
        backend.Backend.Current.Primary.Ring.ShouldBe(ring);
        backend.Change(1, e => e with { Weight = 2 });
        backend.Backend.Current.Primary.Ring.ShouldNotBe(ring);
    }

    /// <summary>A service of three slots, of which these have somebody in them.</summary>
    private static BalancedBackend Slots(BalanceAlgorithm algorithm, params int[] taken) => new(
        new BackendConfig
        {
            Name = "web",
            Algorithm = algorithm,
            Places = [new PlaceConfig("1"), new PlaceConfig("2"), new PlaceConfig("3")],
            Endpoints =
            [
                .. taken.Select((slot, i) =>
                    BalancedBackend.Plain(i) with { Place = $"{slot}" }),
            ],
        });
}
