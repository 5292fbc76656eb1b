using Shouldly;
using Tessera.Proxy.Flow;
using Xunit;

namespace Tessera.Tests.Proxy.Flow;

public sealed class ConnectionZoneTests
{
    [Fact]
    public void Counts_each_key_on_its_own_and_frees_what_leaves()
    {
        var zone = new ConnectionZone(64);
        zone.TryEnter(Key(1), 2, out int first).ShouldBeTrue();
        zone.TryEnter(Key(1), 2, out int second).ShouldBeTrue();
        zone.TryEnter(Key(1), 2, out _).ShouldBeFalse();
        zone.TryEnter(Key(2), 2, out _).ShouldBeTrue();
        zone.Leave(first);
        zone.TryEnter(Key(1), 2, out _).ShouldBeTrue();
        zone.TryEnter(Key(1), 2, out _).ShouldBeFalse();
        zone.Leave(second);
    }

    [Fact]
    public void Refuses_new_keys_when_it_is_full_and_takes_them_when_one_left()
    {
        var zone = new ConnectionZone(1);
        int[] slots = new int[KeySets.Ways];
        for (int key = 0; key < KeySets.Ways; key++)
        {
            zone.TryEnter(Key(key), 9, out slots[key]).ShouldBeTrue();
        }

        zone.TryEnter(Key(99), 9, out _).ShouldBeFalse();
        zone.TryEnter(Key(3), 9, out int again).ShouldBeTrue();
        zone.Leave(slots[3]);
        zone.TryEnter(Key(99), 9, out _).ShouldBeFalse();
        zone.Leave(again);
        zone.TryEnter(Key(99), 9, out _).ShouldBeTrue();
    }

    [Fact]
    public void Many_threads_never_exceed_a_limit_and_leave_nothing_behind()
    {
        // So few slots that keys come and go in the same ones all the time.
        const int Keys = 8;
        const int Max = 2;
        var zone = new ConnectionZone(1);
        int[] inside = new int[Keys];
        int tooMany = 0;
        int entered = 0;
        RateZoneTests.RunOnThreads(4, thread =>
        {
            var random = new Random(thread);
            for (int i = 0; i < 50_000; i++)
            {
                int key = random.Next(Keys);
                if (zone.TryEnter(Key(key), Max, out int slot))
                {
                    Interlocked.Increment(ref entered);
                    if (Interlocked.Increment(ref inside[key]) > Max)
                    {
                        Interlocked.Increment(ref tooMany);
                    }

                    Interlocked.Decrement(ref inside[key]);
                    zone.Leave(slot);
                }
            }
        });
        tooMany.ShouldBe(0);
        entered.ShouldBeGreaterThan(50_000);
        for (int key = 0; key < Keys; key++)
        {
            zone.TryEnter(Key(key), Max, out _).ShouldBeTrue();
            zone.TryEnter(Key(key), Max, out _).ShouldBeTrue();
        }
    }

    private static ulong Key(int key) => RateZoneTests.Hash(key);
}
