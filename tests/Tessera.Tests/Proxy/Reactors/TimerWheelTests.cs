using Shouldly;
using Tessera.Proxy.Reactors;
using Xunit;

namespace Tessera.Tests.Proxy.Reactor;

public sealed class TimerWheelTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(20)]
    [InlineData(1_000)]
    [InlineData(20_479)]
    [InlineData(20_480)]
    [InlineData(75_000)]
    [InlineData(3_600_000)]
    public void Expires_never_early_and_at_most_a_tick_late(int delayMs)
    {
        long now = 123_457;
        var wheel = new TimerWheel(now);
        var entry = new Entry();
        wheel.Arm(entry, now + delayMs);
        long deadline = now + delayMs;
        while (entry.Expiries == 0)
        {
            wheel.DelayMs(now).ShouldBeGreaterThanOrEqualTo(0);
            now += Math.Max(1, Math.Min(wheel.DelayMs(now), 7_000));
            wheel.Advance(now);
            if (now < deadline)
            {
                entry.Expiries.ShouldBe(0);
            }
        }

        (now - deadline).ShouldBeInRange(0, (2 * TimerWheel.TickMs) + (delayMs == 0 ? 1 : 0));
        wheel.Advance(now + 10_000_000);
        entry.Expiries.ShouldBe(1);
        wheel.DelayMs(now).ShouldBe(-1);
    }

    [Fact]
    public void Moves_a_deadline_later_and_earlier()
    {
        var wheel = new TimerWheel(0);
        var later = new Entry();
        var earlier = new Entry();
        wheel.Arm(later, 100);
        wheel.Arm(earlier, 5_000);
        wheel.Arm(later, 5_000);
        wheel.Arm(earlier, 100);
        wheel.Advance(200);
        earlier.Expiries.ShouldBe(1);
        later.Expiries.ShouldBe(0);
        wheel.Advance(5_100);
        later.Expiries.ShouldBe(1);
    }

    [Fact]
    public void Does_not_expire_what_was_disarmed_or_removed()
    {
        var wheel = new TimerWheel(0);
        var disarmed = new Entry();
        var removed = new Entry();
        wheel.Arm(disarmed, 100);
        wheel.Arm(removed, 100);
        TimerWheel.Disarm(disarmed);
        wheel.Remove(removed);
        wheel.Advance(1_000);
        (disarmed.Expiries + removed.Expiries).ShouldBe(0);
    }

    [Fact]
    public void Lets_entries_arm_and_remove_each_other_while_they_expire()
    {
        var wheel = new TimerWheel(0);
        var victim = new Entry();
        var again = new Entry();
        var first = new Entry();
        first.OnExpire = () =>
        {
            wheel.Remove(victim);
            wheel.Arm(again, 0);
        };
        wheel.Arm(victim, 100);
        wheel.Arm(first, 100);
        wheel.Advance(100);
        victim.Expiries.ShouldBe(0);
        wheel.Advance(200);
        again.Expiries.ShouldBe(1);
    }

    [Fact]
    public void Goes_on_behind_an_entry_that_threw()
    {
        var wheel = new TimerWheel(0);
        var other = new Entry();
        var thrower = new Entry { OnExpire = () => throw new InvalidOperationException() };
        wheel.Arm(other, 100);
        wheel.Arm(thrower, 100);
        Should.Throw<InvalidOperationException>(() => wheel.Advance(100));
        other.Expiries.ShouldBe(0);
        wheel.Advance(100);
        other.Expiries.ShouldBe(1);
        thrower.Expiries.ShouldBe(1);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Agrees_with_a_sorted_list(int seed)
    {
        var random = new Random(seed);
        long now = 1_000;
        var wheel = new TimerWheel(now);
        Entry[] entries = [.. Enumerable.Range(0, 200).Select(_ => new Entry())];
        var deadlines = new long?[entries.Length];
        for (int step = 0; step < 5_000; step++)
        {
            int i = random.Next(entries.Length);
            if (random.Next(4) == 0)
            {
                wheel.Remove(entries[i]);
                deadlines[i] = null;
            }
            else
            {
                deadlines[i] = now + random.Next(40_000);
                wheel.Arm(entries[i], deadlines[i]!.Value);
            }

            now += random.Next(60);
            wheel.Advance(now);
            for (int e = 0; e < entries.Length; e++)
            {
                if (entries[e].Take())
                {
                    deadlines[e].ShouldNotBeNull($"seed {seed}");
                    deadlines[e]!.Value.ShouldBeLessThanOrEqualTo(now, $"seed {seed}");
                    deadlines[e] = null;
                }
                else if (deadlines[e] is { } due)
                {
                    due.ShouldBeGreaterThan(now - (2 * TimerWheel.TickMs), $"seed {seed}");
                }
            }
        }
    }

    private sealed class Entry : TimerEntry
    {
        public int Expiries { get; private set; }

        public Action? OnExpire { get; set; }

        public bool Take()
        {
            bool hasExpired = Expiries > 0;
            Expiries = 0;
            return hasExpired;
        }

        protected internal override void Expire()
        {
            Expiries++;
            OnExpire?.Invoke();
        }
    }
}
