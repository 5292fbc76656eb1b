using Shouldly;
using Tessera.Linux;
using Tessera.Proxy.Reactors;
using Xunit;

namespace Tessera.Tests.Proxy.Reactor;

public sealed class BusyPollingTests : IDisposable
{
    private readonly ManualClock _clock = new();
    private readonly BusyPolling _busyPolling;
    private readonly ScriptedPoller _poller;

    public BusyPollingTests()
    {
        _busyPolling = new BusyPolling(mayAsk: true, _clock);
        _poller = new ScriptedPoller(_clock);
    }

    public void Dispose() => _poller.Dispose();

    [Fact]
    public void Sleeps_at_once_when_nothing_is_known()
    {
        WaitFor(20).ShouldBe(20);
        _poller.Timeouts.ShouldBe([100]);
        _busyPolling.AskedTicks.ShouldBe(0);
    }

    [Fact]
    public void Asks_again_and_again_after_eight_short_waits()
    {
        WaitsUntilItAsks(20).ShouldBe(8);
        WaitFor(3).ShouldBe(3);
        _poller.Timeouts.ShouldBe([0, 0, 0]);
        _busyPolling.AskedTicks.ShouldBe(20 + 3);
    }

    [Fact]
    public void Sleeps_in_the_end_when_nothing_comes()
    {
        WaitsUntilItAsks(20);
        WaitFor(70).ShouldBe(70);
        _poller.Timeouts.Count(t => t == 0).ShouldBe(50);
        _poller.Timeouts[^1].ShouldBe(100);
    }

    [Fact]
    public void Spends_a_ninth_of_the_waits_in_vain_at_most()
    {
        WaitsUntilItAsks(20);
        for (int wait = 0; wait < 100; wait++)
        {
            WaitFor(20);
        }

        WaitFor(70);
        WaitFor(70);
        Asked(() => WaitFor(70)).ShouldBeFalse("two in vain use up the longest habit");
        WaitsUntilItAsks(20).ShouldBe(8);
    }

    [Fact]
    public void Gives_up_where_what_it_waits_for_comes_late()
    {
        WaitsUntilItAsks(20);
        int asked = 0;
        for (int wait = 0; wait < 1_000; wait++)
        {
            // Found by asking; asleep, its waking would make it a long wait.
            asked += Asked(() => WaitFor(45, wakingMicroseconds: 20)) ? 1 : 0;
        }

        asked.ShouldBeLessThanOrEqualTo(9);
    }

    [Fact]
    public void Never_asks_when_it_may_not_or_need_not_wait()
    {
        WaitsUntilItAsks(20);
        _poller.Timeouts.Clear();
        _poller.ReadyAtTicks = _clock.Now + 1_000;
        _busyPolling.Wait(_poller, timeoutMs: 0);
        _poller.Timeouts.ShouldBe([0]);
        var never = new BusyPolling(mayAsk: false, _clock);
        for (int wait = 0; wait < 20; wait++)
        {
            _poller.Timeouts.Clear();
            _poller.ReadyAtTicks = _clock.Now + 5;
            never.Wait(_poller, timeoutMs: 100);
            _poller.Timeouts.ShouldBe([100]);
        }
    }

    /// <summary>The waits that were slept before the first that asked.</summary>
    private int WaitsUntilItAsks(int microseconds)
    {
        int waits = 0;
        while (!Asked(() => WaitFor(microseconds)))
        {
            waits++;
            waits.ShouldBeLessThan(1_000);
        }

        return waits;
    }

    private bool Asked(Action wait)
    {
        wait();
        return _poller.Timeouts[0] == 0;
    }

    /// <summary>One wait for what comes after so many microseconds; each ask takes one.</summary>
    private long WaitFor(int microseconds, int wakingMicroseconds = 0)
    {
        _poller.Timeouts.Clear();
        _poller.ReadyAtTicks = _clock.Now + microseconds;
        _poller.WakingTicks = wakingMicroseconds;
        return _busyPolling.Wait(_poller, timeoutMs: 100);
    }

    /// <summary>Ticks are microseconds.</summary>
    private sealed class ManualClock : TimeProvider
    {
        public long Now { get; set; }

        public override long TimestampFrequency => 1_000_000;

        public override long GetTimestamp() => Now;
    }

    /// <summary>Finds something from a time on; to ask takes a tick, to sleep until then.</summary>
    private sealed class ScriptedPoller(ManualClock clock) : IPoller
    {
        public List<int> Timeouts { get; } = [];

        public long ReadyAtTicks { get; set; }

        public long WakingTicks { get; set; }

        public bool HasWork => throw new NotSupportedException();

        public bool Wait(int timeoutMs)
        {
            Timeouts.Add(timeoutMs);
            clock.Now = timeoutMs == 0 ? clock.Now + 1 : ReadyAtTicks + WakingTicks;
            return clock.Now >= ReadyAtTicks;
        }

        public SyscallResult Add(IoHandle handle) => throw new NotSupportedException();

        public void Close(IoHandle handle) => throw new NotSupportedException();

        public void Release(IoHandle handle) => throw new NotSupportedException();

        public bool TryStart(IoOperation operation) => throw new NotSupportedException();

        public void Abandon(IoOperation operation) => throw new NotSupportedException();

        public void Dispatch() => throw new NotSupportedException();

        public void Wake() => throw new NotSupportedException();

        public void Dispose()
        {
        }
    }
}
