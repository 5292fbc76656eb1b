using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Tessera.Proxy.Flow;
using Xunit;

namespace Tessera.Tests.Proxy.Flow;

public sealed class PacerTests
{
    /// <summary>As late as a timer of the reactor may be.</summary>
    private const int TimerMs = 20;

    [Theory]
    [InlineData(10, 0, 50)]
    [InlineData(100, 0, 1_000)]
    [InlineData(240, 0, 5_000)]
    [InlineData(10_000, 50_000, 150_000)]
    [InlineData(1_000_000, 0, 5_000_000)]
    [InlineData(1_000_000_000, 0, 1_000_000_000)]
    public void Keeps_to_the_rate_with_timers_that_come_late(long rate, long free, int bytes)
    {
        var random = new Random(1);
        var pacer = new Pacer(rate, free);
        long nowMs = 1_000;
        for (int left = bytes; left > 0;)
        {
            int allowed = pacer.Allow(Math.Min(left, 262_144), nowMs);
            if (allowed == 0)
            {
                nowMs += pacer.DelayMs(nowMs) + random.Next(TimerMs);
                continue;
            }

            pacer.NoteSent(allowed);
            left -= allowed;
        }

        double expectedMs = (bytes - free) * 1_000.0 / rate;
        (nowMs - 1_000.0).ShouldBeInRange(
            (expectedMs * 0.9) - 100, (expectedMs * 1.001) + (2 * TimerMs));
    }

    [Fact]
    public void Never_lets_more_go_than_the_rate_and_a_second_of_arrears()
    {
        Gen<(int Rate, (int Wait, int Wanted)[] Steps)> cases =
            from rate in Gen.Choose(1, 100_000)
            from steps in Gen.Elements(0, 1, 20, 500, 30_000)
                .SelectMany(wait => Gen.Choose(1, 50_000).Select(wanted => (wait, wanted)))
                .ArrayOf(50)
            select (rate, steps);
        Prop.ForAll(cases.ToArbitrary(), row =>
        {
            var pacer = new Pacer(row.Rate, 0);
            long nowMs = 77;
            var sent = new List<(long Ms, long Bytes)>();
            foreach ((int wait, int wanted) in row.Steps)
            {
                nowMs += wait;
                int allowed = pacer.Allow(wanted, nowMs);
                pacer.NoteSent(allowed);
                sent.Add((nowMs, allowed));
            }

            // In any window there is a piece ahead, a second of arrears, and the rate; and a
            // millisecond that was rounded away.
            for (int from = 0; from < sent.Count; from++)
            {
                long total = 0;
                for (int to = from; to < sent.Count; to++)
                {
                    total += sent[to].Bytes;
                    double allowed =
                        ((sent[to].Ms - sent[from].Ms + 1_102.0) * row.Rate / 1_000) + 2;
                    if (total > allowed)
                    {
                        return false;
                    }
                }
            }

            return true;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(500).WithQuietOnSuccess(true));
    }

    [Fact]
    public void Without_a_rate_lets_everything_go() =>
        default(Pacer).Allow(123, 5).ShouldBe(123);

    [Fact]
    public void A_body_that_trickles_uses_up_its_time()
    {
        var floor = default(RateFloor);
        floor.TimeoutMs(1_000, 100).ShouldBe(1_000);
        floor.Note(waitedMs: 500, bytes: 10, bytesPerSecond: 100);
        floor.TimeoutMs(1_000, 100).ShouldBe(600);
        floor.Note(waitedMs: 600, bytes: 0, bytesPerSecond: 100);
        floor.TimeoutMs(1_000, 100).ShouldBe(1);

        // What comes quickly earns the time back, and never more than there was.
        floor.Note(waitedMs: 0, bytes: 100_000, bytesPerSecond: 100);
        floor.TimeoutMs(1_000, 100).ShouldBe(1_000);
    }
}
