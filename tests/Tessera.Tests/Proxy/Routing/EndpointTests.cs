using Shouldly;
using Tessera.Proxy;
using Tessera.Proxy.Routing;
using Tessera.Proxy.Transports;
using Xunit;

namespace Tessera.Tests.Proxy.Routing;

public sealed class EndpointTests
{
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(10);

    [Fact]
    public async Task Takes_bound_clients_until_its_drain_has_ended()
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        Endpoint endpoint = Create();
        endpoint.TryBegin().ShouldBeTrue();
        Set(endpoint, EndpointState.Draining);
        endpoint.TryBegin().ShouldBeFalse();
        endpoint.TryBegin(isBound: true).ShouldBeTrue();
        Task<int> drained = endpoint.DrainAsync(Long, cancellation);
        endpoint.TryBegin(isBound: true).ShouldBeTrue();
        endpoint.End();
        endpoint.End();
        drained.IsCompleted.ShouldBeFalse();
        endpoint.End();
        (await drained).ShouldBe(0);
        endpoint.TryBegin(isBound: true).ShouldBeFalse();

        // Another configuration in which it still drains changes nothing; the next life does.
        Set(endpoint, EndpointState.Draining);
        endpoint.TryBegin(isBound: true).ShouldBeFalse();
        Set(endpoint, EndpointState.Active);
        Set(endpoint, EndpointState.Draining);
        endpoint.TryBegin(isBound: true).ShouldBeTrue();
        Set(endpoint, EndpointState.Out);
        endpoint.TryBegin(isBound: true).ShouldBeFalse();
    }

    [Fact]
    public async Task Lets_nobody_in_after_a_drain_ran_out_of_time()
    {
        Endpoint endpoint = Create();
        endpoint.TryBegin().ShouldBeTrue();
        Set(endpoint, EndpointState.Draining);
        (await endpoint.DrainAsync(
            TimeSpan.FromMilliseconds(20), TestContext.Current.CancellationToken)).ShouldBe(1);
        endpoint.TryBegin(isBound: true).ShouldBeFalse();
    }

    /// <summary>
    /// Bound clients come all the time, and the drain ends in the gaps between them: whoever was
    /// let in is waited for, and nobody is let in once it has ended.
    /// </summary>
    [Fact]
    public async Task Never_ends_a_drain_under_a_request()
    {
        for (int round = 0; round < 200; round++)
        {
            Endpoint endpoint = Create();
            Set(endpoint, EndpointState.Draining);
            bool hasEnded = false;
            bool isViolated = false;
            var client = new Thread(() =>
            {
                while (endpoint.TryBegin(isBound: true))
                {
                    isViolated |= Volatile.Read(ref hasEnded);
                    endpoint.End();
                }
            });
            client.Start();
            int left = await endpoint.DrainAsync(Long, TestContext.Current.CancellationToken);
            Volatile.Write(ref hasEnded, true);
            client.Join();
            left.ShouldBe(0);
            isViolated.ShouldBeFalse();
            endpoint.InFlight.ShouldBe(0);
        }
    }

    [Theory]
    [InlineData(100, 1)]
    [InlineData(1_100, 1_024)]
    [InlineData(2_100, 2_048)]
    [InlineData(5_000, 2_048)]
    public void Grows_its_weight_in_a_line(long nowMs, long expected)
    {
        var endpoint = new Endpoint(
            BalancedBackend.Plain(0) with { Weight = 2, SlowStartMs = 2_000 }, [], nowMs: 100);
        endpoint.WeightAt(nowMs).ShouldBe(expected);
    }

    [Fact]
    public void Counts_no_more_than_its_limit_even_when_it_is_lowered()
    {
        Endpoint endpoint = Create();
        endpoint.TryBegin().ShouldBeTrue();
        endpoint.TryBegin().ShouldBeTrue();
        endpoint.Update(endpoint.Config with { MaxConnections = 2 }, 0);
        endpoint.TryBegin().ShouldBeFalse();
        endpoint.End();
        endpoint.TryBegin().ShouldBeTrue();
        endpoint.Update(endpoint.Config with { MaxConnections = 0 }, 0);
        endpoint.TryBegin().ShouldBeTrue();
        endpoint.InFlight.ShouldBe(3);
    }

    private static Endpoint Create() =>
        new(BalancedBackend.Plain(0), [new UpstreamPool(1, 1_000)]);

    private static void Set(Endpoint endpoint, EndpointState state) =>
        endpoint.Update(endpoint.Config with { State = state }, 0);
}
