using Shouldly;
using Tessera.Proxy;
using Tessera.Proxy.Routing;
using Xunit;

namespace Tessera.Tests.Proxy.Routing;

/// <summary>
/// What many threads get from one backend, as the reactors do: shares as defined, limits that hold,
/// and counts that come out even while endpoints come and go.
/// </summary>
public sealed class DistributionTests
{
    private const int Threads = 4;

    /// <summary>More than five standard deviations of a share of 20,000 by chance.</summary>
    private const int Tolerance = 400;

    [Theory]
    [InlineData(BalanceAlgorithm.RoundRobin, 0, 0)]
    [InlineData(BalanceAlgorithm.RoundRobin, 1_000, Tolerance)]
    [InlineData(BalanceAlgorithm.LeastConnections, 0, Tolerance * 4)]
    [InlineData(BalanceAlgorithm.Random, 0, Tolerance)]
    public void Gives_shares_by_weight_to_all_threads(
        BalanceAlgorithm algorithm, int maxConnections, int tolerance)
    {
        int[] weights = [5, 3, 2];
        BalancedBackend backend = new(algorithm, [.. weights.Select(w =>
            new Func<EndpointConfig, EndpointConfig>(
                e => e with { Weight = w, MaxConnections = maxConnections }))]);
        OnThreads(_ =>
        {
            for (int i = 0; i < 5_000; i++)
            {
                backend.Pick()!.End();
            }
        });
        backend.Requests.Sum().ShouldBe(20_000);
        for (int i = 0; i < weights.Length; i++)
        {
            backend.Requests[i].ShouldBeInRange(
                (weights[i] * 2_000) - tolerance, (weights[i] * 2_000) + tolerance);
        }
    }

    [Fact]
    public void Keeps_connections_in_proportion_to_weights_over_all_threads()
    {
        BalancedBackend backend = new(BalanceAlgorithm.LeastConnections, 5, 3, 2);
        OnThreads(_ =>
        {
            for (int i = 0; i < 250; i++)
            {
                backend.Pick().ShouldNotBeNull();
            }
        });
        backend.Endpoints[0].InFlight.ShouldBeInRange(500 - Threads, 500 + Threads);
        backend.Endpoints[1].InFlight.ShouldBeInRange(300 - Threads, 300 + Threads);
        backend.Endpoints[2].InFlight.ShouldBeInRange(200 - Threads, 200 + Threads);
    }

    [Fact]
    public void Two_by_chance_keep_the_busiest_close_to_the_mean()
    {
        BalancedBackend two = new(BalanceAlgorithm.RandomTwo, [.. Enumerable.Repeat(1, 20)]);
        BalancedBackend one = new(BalanceAlgorithm.Random, [.. Enumerable.Repeat(1, 20)]);
        OnThreads(_ =>
        {
            for (int i = 0; i < 1_000; i++)
            {
                two.Pick();
                one.Pick();
            }
        });
        int mean = Threads * 1_000 / 20;
        two.Endpoints.Max(e => e.InFlight).ShouldBeLessThan(mean + 12);
        two.Endpoints.Min(e => e.InFlight).ShouldBeGreaterThan(mean - 25);
        one.Endpoints.Max(e => e.InFlight).ShouldBeGreaterThan(mean + 12);
    }

    [Fact]
    public void Two_by_chance_follow_weights_while_nobody_is_busy()
    {
        BalancedBackend backend = new(BalanceAlgorithm.RandomTwo, 3, 1);
        for (int i = 0; i < 8_000; i++)
        {
            backend.Pick()!.End();
        }

        backend.Requests[0].ShouldBeInRange(6_000 - Tolerance, 6_000 + Tolerance);
    }

    [Theory]
    [InlineData(BalanceAlgorithm.RoundRobin)]
    [InlineData(BalanceAlgorithm.LeastConnections)]
    [InlineData(BalanceAlgorithm.Random)]
    [InlineData(BalanceAlgorithm.RandomTwo)]
    [InlineData(BalanceAlgorithm.IpHash)]
    [InlineData(BalanceAlgorithm.Hash)]
    [InlineData(BalanceAlgorithm.ConsistentHash)]
    [InlineData(BalanceAlgorithm.LeastTimeFirstByte)]
    [InlineData(BalanceAlgorithm.LeastTimeLastByte)]
    public void Never_begins_more_than_an_endpoint_may_have(BalanceAlgorithm algorithm)
    {
        BalancedBackend backend = new(
            algorithm,
            e => e with { MaxConnections = 1 },
            e => e with { MaxConnections = 2 },
            e => e with { MaxConnections = 1, IsBackup = true });
        var used = new int[3];
        int refused = 0;
        int exceeded = 0;
        OnThreads(thread =>
        {
            var random = new Random(thread);
            var held = new Queue<Endpoint>();
            for (int i = 0; i < 5_000; i++)
            {
                Endpoint? picked = backend.Pick($"10.{i % 250}.0.1", $"{i}");
                if (picked is null)
                {
                    Interlocked.Increment(ref refused);
                }
                else
                {
                    int at = Array.IndexOf(backend.Endpoints, picked);
                    bool isTooMany = Interlocked.Increment(ref used[at])
                        > picked.Config.MaxConnections;
                    Interlocked.Add(ref exceeded, isTooMany ? 1 : 0);
                    held.Enqueue(picked);
                }

                while (held.Count > random.Next(3))
                {
                    Endpoint ended = held.Dequeue();
                    Interlocked.Decrement(ref used[Array.IndexOf(backend.Endpoints, ended)]);
                    ended.End();
                }
            }

            foreach (Endpoint left in held)
            {
                Interlocked.Decrement(ref used[Array.IndexOf(backend.Endpoints, left)]);
                left.End();
            }
        });
        exceeded.ShouldBe(0);
        backend.Endpoints.Sum(e => e.InFlight).ShouldBe(0);
        backend.Requests.Sum().ShouldBe((Threads * 5_000) - refused);

        // With nothing in flight everybody has room, and all the room is used.
        Enumerable.Range(0, 4).Select(_ => backend.Pick()).ShouldAllBe(e => e != null);
        backend.Pick().ShouldBeNull();
        Balancer.MayWaitForRoom(backend.Backend.Current, []).ShouldBeTrue();
        Balancer.HasRoom(backend.Backend.Current, []).ShouldBeFalse();
        backend.Endpoints[1].End();
        Balancer.HasRoom(backend.Backend.Current, []).ShouldBeTrue();
        Balancer.HasRoom(backend.Backend.Current, [backend.Endpoints[1]]).ShouldBeFalse();
    }

    [Theory]
    [InlineData(BalanceAlgorithm.RoundRobin)]
    [InlineData(BalanceAlgorithm.LeastConnections)]
    [InlineData(BalanceAlgorithm.Random)]
    [InlineData(BalanceAlgorithm.RandomTwo)]
    [InlineData(BalanceAlgorithm.IpHash)]
    [InlineData(BalanceAlgorithm.Hash)]
    [InlineData(BalanceAlgorithm.ConsistentHash)]
    [InlineData(BalanceAlgorithm.LeastTimeLastByte)]
    public void Begins_nothing_on_what_went_while_endpoints_come_and_go(
        BalanceAlgorithm algorithm)
    {
        BalancedBackend backend = new(algorithm, 3, 2, 1, 1);
        bool isOver = false;
        int missed = 0;
        long picks = 0;
        Thread[] threads = [.. Enumerable.Range(0, Threads).Select(number => new Thread(() =>
        {
            for (int i = 0; !Volatile.Read(ref isOver); i++)
            {
                // Three of the four are there at any moment; the set that was read may be old.
                Endpoint? picked = backend.Pick($"10.{i % 250}.{number}.1", $"{i}")
                    ?? backend.Pick($"10.{i % 250}.{number}.1", $"{i}");
                Interlocked.Add(ref missed, picked is null ? 1 : 0);
                Interlocked.Add(ref picks, picked is null ? 0 : 1);
                picked?.End();
            }
        }))];
        Array.ForEach(threads, t => t.Start());
        for (int round = 0; round < 400; round++)
        {
            int index = round % 4;
            EndpointState state = round % 8 < 4 ? EndpointState.Out : EndpointState.Draining;
            backend.SetState(index, state);
            Endpoint gone = backend.Endpoints[index];
            SpinWait.SpinUntil(() => gone.InFlight == 0, 5_000).ShouldBeTrue();
            long before = gone.Requests;
            Thread.Yield();
            gone.Requests.ShouldBe(before);
            backend.SetState(index, EndpointState.Active);
        }

        Volatile.Write(ref isOver, true);
        Array.ForEach(threads, t => t.Join());
        missed.ShouldBe(0);
        backend.Requests.Sum().ShouldBe(picks);
        backend.Endpoints.ShouldAllBe(e => e.InFlight == 0);
        backend.Requests.ShouldAllBe(r => r > 0);
    }

    [Theory]
    [InlineData(BalanceAlgorithm.RoundRobin)]
    [InlineData(BalanceAlgorithm.LeastConnections)]
    [InlineData(BalanceAlgorithm.Random)]
    [InlineData(BalanceAlgorithm.RandomTwo)]
    [InlineData(BalanceAlgorithm.IpHash)]
    [InlineData(BalanceAlgorithm.Hash)]
    [InlineData(BalanceAlgorithm.ConsistentHash)]
    [InlineData(BalanceAlgorithm.LeastTimeFirstByte)]
    public void Picks_without_allocating(BalanceAlgorithm algorithm)
    {
        foreach (int maxConnections in new[] { 0, 100 })
        {
            BalancedBackend backend = new(
                algorithm,
                e => e with { MaxConnections = maxConnections },
                e => e with { SlowStartMs = 1_000 },
                e => e with { IsBackup = true });
            backend.Avoid(0, untilMs: 10);
            List<Endpoint> tried = [];
            Repeat(100);
            long before = GC.GetAllocatedBytesForCurrentThread();
            Repeat(1_000);
            (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBe(0);

            void Repeat(int times)
            {
                for (int i = 0; i < times; i++)
                {
                    Balancer.TryPick(backend.Backend, backend.Backend.Current, new Selection
                    {
                        Client = backend.Endpoints[0].Address,
                        Key = "some key"u8,
                        Tried = tried,
                        NowMs = i,
                    })!.End();
                }
            }
        }
    }

    private static void OnThreads(Action<int> action)
    {
        Thread[] threads =
            [.. Enumerable.Range(0, Threads).Select(i => new Thread(() => action(i)))];
        Array.ForEach(threads, t => t.Start());
        Array.ForEach(threads, t => t.Join());
    }
}
