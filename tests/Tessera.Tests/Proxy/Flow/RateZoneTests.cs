using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Tessera.Proxy.Flow;
using Xunit;

namespace Tessera.Tests.Proxy.Flow;

public sealed class RateZoneTests
{
    private const long StartMs = 5_000_000_000;

    private static readonly Config Many =
        Config.QuickThrowOnFailure.WithMaxTest(2_000).WithQuietOnSuccess(true);

    [Fact]
    public void Decides_as_the_reference_does_for_any_times_rates_and_bursts()
    {
        Gen<(int Rate, int Burst, (int Key, int Step)[] Requests)> cases =
            from rate in Gen.Elements(1, 7, 500, 1_000, 33_333, 5_000_000)
            from burst in Gen.Choose(0, 8)
            from requests in Gen.Choose(0, 2)
                .SelectMany(key => Gen.Elements(-20, 0, 0, 1, 3, 40, 900, 100_000)
                    .Select(step => (key, step)))
                .ArrayOf(60)
            select (rate, burst, requests);
        Prop.ForAll(cases.ToArbitrary(), row =>
        {
            var zone = new RateZone(64);
            long burst = row.Burst * RateZone.Request;
            ReferenceBucket[] buckets =
                [.. Enumerable.Range(0, 3).Select(_ => new ReferenceBucket(row.Rate, burst))];
            long nowMs = StartMs;
            foreach ((int key, int step) in row.Requests)
            {
                nowMs += step;
                bool expected = buckets[key].TryCharge(nowMs, out long expectedExcess);
                bool charged = zone.TryCharge(
                    Hash(key), row.Rate, burst, nowMs, out long excess);
                if (charged != expected || excess != expectedExcess)
                {
                    return false;
                }
            }

            return true;
        }).Check(Many);
    }

    [Fact]
    public void A_charge_that_is_taken_back_leaves_no_trace()
    {
        Gen<(int Burst, (bool IsTakenBack, int Step)[] Requests)> cases =
            from burst in Gen.Choose(0, 4)
            from requests in Gen.Elements(false, true)
                .SelectMany(back => Gen.Elements(0, 5, 100, 900, 5_000)
                    .Select(step => (back, step)))
                .ArrayOf(40)
            select (burst, requests);

        // A rate whose leak has no fraction: what is rounded is rounded as often as it is charged.
        const long Rate = 1_000;
        Prop.ForAll(cases.ToArbitrary(), row =>
        {
            var zone = new RateZone(64);
            var reference = new ReferenceBucket(Rate, row.Burst * RateZone.Request);
            long nowMs = StartMs;
            foreach ((bool isTakenBack, int step) in row.Requests)
            {
                nowMs += step;
                bool charged = zone.TryCharge(
                    Hash(1), Rate, row.Burst * RateZone.Request, nowMs, out _);
                if (isTakenBack)
                {
                    if (charged)
                    {
                        zone.Refund(Hash(1));
                    }
                }
                else if (charged
                    != reference.TryCharge(nowMs, out _))
                {
                    return false;
                }
            }

            return true;
        }).Check(Many);
    }

    [Fact]
    public void Many_threads_get_no_more_than_the_burst()
    {
        const int Burst = 500;
        var zone = new RateZone(1_024);
        for (int round = 0; round < 20; round++)
        {
            ulong key = Hash(round);
            int charged = 0;
            RunOnThreads(4, _ =>
            {
                for (int i = 0; i < Burst; i++)
                {
                    if (zone.TryCharge(key, 1, Burst * RateZone.Request, StartMs, out long _))
                    {
                        Interlocked.Increment(ref charged);
                    }
                }
            });
            charged.ShouldBe(Burst + 1);
        }
    }

    [Fact]
    public void Many_threads_never_give_one_key_two_buckets()
    {
        var zone = new RateZone(4_096);
        const int Keys = 2_000;
        int[] charged = new int[Keys];
        RunOnThreads(4, _ =>
        {
            for (int key = 0; key < Keys; key++)
            {
                if (zone.TryCharge(Hash(key), 1, 0, StartMs, out long _))
                {
                    Interlocked.Increment(ref charged[key]);
                }
            }
        });
        charged.ShouldAllBe(count => count == 1);
    }

    [Fact]
    public void The_key_not_used_for_longest_goes_first()
    {
        var zone = new RateZone(1);
        for (int key = 0; key < KeySets.Ways; key++)
        {
            zone.TryCharge(Hash(key), 1, 0, StartMs + key, out _).ShouldBeTrue();
        }

        // All are known; one more takes the place of the first.
        long nowMs = StartMs + 100;
        zone.TryCharge(Hash(1), 1, 0, nowMs, out _).ShouldBeFalse();
        zone.TryCharge(Hash(99), 1, 0, nowMs, out _).ShouldBeTrue();
        zone.TryCharge(Hash(1), 1, 0, nowMs, out _).ShouldBeFalse();
        zone.TryCharge(Hash(0), 1, 0, nowMs, out _).ShouldBeTrue();
    }

    [Fact]
    public void A_clock_that_is_behind_takes_nothing_away()
    {
        var zone = new RateZone(16);
        zone.TryCharge(Hash(1), 1_000, 1_000, StartMs, out _).ShouldBeTrue();
        zone.TryCharge(Hash(1), 1_000, 1_000, StartMs - 900, out long excess).ShouldBeTrue();
        excess.ShouldBe(1_000);
        zone.TryCharge(Hash(1), 1_000, 1_000, StartMs, out _).ShouldBeFalse();
    }

    [Fact]
    public void A_long_silence_empties_a_bucket_of_any_rate()
    {
        var zone = new RateZone(16);
        const long Year = 365L * 24 * 3_600 * 1_000;
        zone.TryCharge(Hash(1), 1_000_000_000, 0, StartMs, out _).ShouldBeTrue();
        zone.TryCharge(Hash(1), 1_000_000_000, 0, StartMs + Year, out long excess).ShouldBeTrue();
        excess.ShouldBe(0);
    }

    /// <summary>The example of the algorithm's authors.</summary>
    [Fact]
    public void Hashes_as_siphash_does() =>
        KeyHash.Of(
            [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14],
            0x0706050403020100,
            0x0F0E0D0C0B0A0908).ShouldBe(0xA129CA6149BE45E5);

    internal static ulong Hash(int key) => KeyHash.Of(BitConverter.GetBytes(key));

    internal static void RunOnThreads(int count, Action<int> action)
    {
        using var start = new Barrier(count);
        Thread[] threads =
        [
            .. Enumerable.Range(0, count).Select(i => new Thread(() =>
            {
                start.SignalAndWait();
                action(i);
            })),
        ];
        Array.ForEach(threads, t => t.Start());
        Array.ForEach(threads, t => t.Join());
    }
}
