using Shouldly;
using Tessera.Proxy;
using Tessera.Proxy.Routing;
using Xunit;

namespace Tessera.Tests.Proxy.Routing;

/// <summary>
/// Round robin against nginx's definition, written down as plainly as can be, while endpoints are
/// full, start slowly, or are backups.
/// </summary>
public sealed class SmoothTurnsTests
{
    [Theory]
    [InlineData("5,1,1", "aabacaaaabacaa")]
    [InlineData("1,1,1", "abcabc")]
    [InlineData("2,3", "babab")]
    public void Takes_nginxs_turns(string weights, string expected)
    {
        int[] parsed = [.. weights.Split(',').Select(int.Parse)];
        new BalancedBackend(BalanceAlgorithm.RoundRobin, parsed)
            .PickInSequence(expected.Length).ShouldBe(expected);

        // Limits that are never reached change nothing, though turns are not known ahead then.
        var limited = new BalancedBackend(BalanceAlgorithm.RoundRobin, [.. parsed.Select(w =>
            new Func<EndpointConfig, EndpointConfig>(
                e => e with { Weight = w, MaxConnections = 9 }))]);
        limited.Backend.Current.Primary.IsSteady.ShouldBeFalse();
        limited.PickInSequence(expected.Length).ShouldBe(expected);
    }

    [Fact]
    public void Follows_nginxs_definition_while_endpoints_fill_up()
    {
        for (int seed = 0; seed < 200; seed++)
        {
            var random = new Random(seed);
            int count = random.Next(2, 7);
            int[] weights = [.. Enumerable.Range(0, count).Select(_ => random.Next(1, 10))];
            int[] limits = [.. Enumerable.Range(0, count).Select(_ => random.Next(0, 4))];
            bool[] backups = [.. Enumerable.Range(0, count).Select(_ => random.Next(4) == 0)];
            limits[0] = 2;

            // The first of both groups has a limit, so that neither goes by turns known ahead.
            int firstBackup = Array.IndexOf(backups, true);
            int firstPrimary = Array.IndexOf(backups, false);
            limits[Math.Max(firstBackup, 0)] = 1;
            limits[Math.Max(firstPrimary, 0)] = 1;
            var backend = new BalancedBackend(
                BalanceAlgorithm.RoundRobin,
                [.. Enumerable.Range(0, count).Select(i =>
                    new Func<EndpointConfig, EndpointConfig>(e => e with
                    {
                        Weight = weights[i], MaxConnections = limits[i], IsBackup = backups[i],
                    }))]);
            var current = new int[count];
            var inFlight = new List<Endpoint>();
            for (int step = 0; step < 200; step++)
            {
                if (random.Next(3) == 0 && inFlight.Count > 0)
                {
                    int ended = random.Next(inFlight.Count);
                    inFlight[ended].End();
                    inFlight.RemoveAt(ended);
                    continue;
                }

                int expected = Model(i => !backups[i]);
                expected = expected < 0 ? Model(i => backups[i]) : expected;
                Endpoint? picked = backend.Pick();
                Array.IndexOf(backend.Endpoints, picked)
                    .ShouldBe(expected, $"seed {seed}, step {step}");
                if (picked is not null)
                {
                    inFlight.Add(picked);
                }
            }

            int Model(Func<int, bool> isOfGroup)
            {
                int best = -1;
                int total = 0;
                for (int i = 0; i < count; i++)
                {
                    bool isFull = limits[i] > 0 && backend.Endpoints[i].InFlight >= limits[i];
                    if (isOfGroup(i) && !isFull)
                    {
                        current[i] += weights[i];
                        total += weights[i];
                        best = best < 0 || current[i] > current[best] ? i : best;
                    }
                }

                if (best >= 0)
                {
                    current[best] -= total;
                }

                return best;
            }
        }
    }

    [Theory]
    [InlineData(0, 0, 2)]
    [InlineData(1_000, 25, 30)]
    [InlineData(5_000, 98, 102)]
    [InlineData(10_000, 150, 150)]
    [InlineData(99_000, 150, 150)]
    public void Lets_a_newcomer_start_slowly(long ageMs, int least, int most)
    {
        const long Born = 1_000_000;
        BalancedBackend backend = new(
            BalanceAlgorithm.RoundRobin, e => e, e => e with { SlowStartMs = 10_000 });
        backend.SetState(1, EndpointState.Out, Born);
        backend.SetState(1, EndpointState.Active, Born);
        backend.PickInSequence(300, Born + ageMs)
            .Count(id => id == 'b').ShouldBeInRange(least, most);
    }

    [Fact]
    public void Lets_an_endpoint_that_failed_start_slowly_again()
    {
        BalancedBackend backend = new(
            BalanceAlgorithm.RoundRobin, e => e, e => e with { SlowStartMs = 1_000 });
        backend.PickInSequence(100, nowMs: 5_000).Count(id => id == 'b').ShouldBe(50);
        backend.Avoid(1, untilMs: 10_000);
        backend.PickInSequence(100, nowMs: 9_999).ShouldNotContain('b');
        backend.PickInSequence(100, nowMs: 10_250).Count(id => id == 'b').ShouldBeInRange(19, 21);
        backend.PickInSequence(100, nowMs: 11_000).Count(id => id == 'b').ShouldBe(50);
    }

    [Fact]
    public void Shares_the_turns_of_who_is_out_among_the_others_by_weight()
    {
        BalancedBackend backend = new(BalanceAlgorithm.RoundRobin, 5, 2, 1);
        backend.Avoid(0, untilMs: 1_000);
        string picked = backend.PickInSequence(240);
        picked.Count(id => id == 'b').ShouldBeInRange(159, 161);
        picked.Count(id => id == 'c').ShouldBeInRange(79, 81);
    }

    [Fact]
    public void Asks_backups_when_no_other_can_and_failed_ones_last()
    {
        BalancedBackend backend = new(
            BalanceAlgorithm.RoundRobin,
            e => e with { MaxConnections = 1 },
            e => e with { IsBackup = true },
            e => e with { IsBackup = true });
        backend.PickInSequence(3).ShouldBe("aaa");
        Endpoint a = backend.Pick()!;
        backend.PickInSequence(4).ShouldBe("bcbc");
        a.End();
        backend.Avoid(0, untilMs: 1_000);
        backend.PickInSequence(2).ShouldBe("bc");
        backend.SetState(1, EndpointState.Out);
        backend.SetState(2, EndpointState.Out);
        backend.PickInSequence(2).ShouldBe("aa");
        backend.SetState(0, EndpointState.Out);
        backend.SetState(1, EndpointState.Active);
        backend.PickInSequence(2).ShouldBe("bb");
        backend.Pick(tried: backend.Endpoints[1]).ShouldBeNull();
    }

    [Fact]
    public void Breaks_ties_of_connections_as_nginx_does()
    {
        // nginx 1.22 with least_conn and weights 5, 1, 1, one request after the other.
        new BalancedBackend(BalanceAlgorithm.LeastConnections, 5, 1, 1)
            .PickInSequence(21).ShouldBe("aabacaaaabacaaaabacaa");
    }
}
