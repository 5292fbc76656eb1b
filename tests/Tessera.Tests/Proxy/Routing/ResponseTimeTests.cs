using Shouldly;
using Tessera.Proxy;
using Tessera.Proxy.Routing;
using Xunit;

namespace Tessera.Tests.Proxy.Routing;

public sealed class ResponseTimeTests
{
    [Fact]
    public void Averages_with_an_eighth_for_what_is_new()
    {
        var time = new ResponseTime();
        time.AverageAt(0).ShouldBeLessThan(0);
        time.Add(800, 0);
        time.AverageAt(0).ShouldBe(800);
        time.Add(1_600, 0);
        time.AverageAt(0).ShouldBe(900);
        time.Add(0, 0);
        time.AverageAt(0).ShouldBe(787.5);
    }

    [Fact]
    public void Loses_nothing_that_threads_add_at_the_same_moment()
    {
        var time = new ResponseTime();
        time.Add(1e9, 0);
        Parallel.For(0, 60, _ => time.Add(0, 0));
        time.AverageAt(0).ShouldBe(1e9 * Math.Pow(0.875, 60), 1e-3);
    }

    [Fact]
    public void Forgets_by_halves_what_it_hears_nothing_of()
    {
        var time = new ResponseTime();
        time.Add(1_000, 50_000);
        time.AverageAt(59_999).ShouldBe(1_000);
        time.AverageAt(70_000).ShouldBe(250, 1);
        time.Add(1_000, 70_000);
        time.AverageAt(70_000).ShouldBe(1_000);
    }

    [Theory]
    [InlineData(BalanceAlgorithm.LeastTimeFirstByte)]
    [InlineData(BalanceAlgorithm.LeastTimeLastByte)]
    public void Gives_in_flight_requests_in_inverse_proportion_to_time(BalanceAlgorithm algorithm)
    {
        BalancedBackend backend = new(algorithm, 1, 1, 2);
        backend.Endpoints[0].ResponseTime.Add(1_000, 0);
        backend.Endpoints[1].ResponseTime.Add(4_000, 0);
        backend.Endpoints[2].ResponseTime.Add(4_000, 0);
        for (int i = 0; i < 70; i++)
        {
            backend.Pick().ShouldNotBeNull();
        }

        // time × (in flight + 1) / weight comes out even: 40 : 10 : 20.
        backend.Endpoints.Select(e => e.InFlight).ShouldBe([40, 10, 20]);
    }

    [Fact]
    public void Tries_a_newcomer_without_flooding_it()
    {
        BalancedBackend backend = new(BalanceAlgorithm.LeastTimeLastByte, 1, 1);
        backend.Endpoints[0].ResponseTime.Add(1_000, 0);
        for (int i = 0; i < 20; i++)
        {
            backend.Pick().ShouldNotBeNull();
        }

        backend.Endpoints.Select(e => e.InFlight).ShouldBe([10, 10]);
    }

    [Fact]
    public void Asks_a_slow_one_again_some_day()
    {
        BalancedBackend backend = new(BalanceAlgorithm.LeastTimeFirstByte, 1, 1);
        backend.Endpoints[0].ResponseTime.Add(1_000, 0);
        backend.Endpoints[1].ResponseTime.Add(100_000, 0);
        backend.PickInSequence(10).ShouldBe("aaaaaaaaaa");
        backend.Endpoints[0].ResponseTime.Add(1_000, 80_000);
        backend.PickInSequence(1, nowMs: 80_000).ShouldBe("b");
    }
}
