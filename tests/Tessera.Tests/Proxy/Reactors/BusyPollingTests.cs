using Shouldly;
using Tessera.Linux;
using Tessera.Proxy.Reactors;
using Xunit;

namespace Tessera.Tests.Proxy.Reactor;

public sealed class BusyPollingTests : IDisposable
{
    private readonly BusyPolling _busyPolling = new();
    private readonly ScriptedPoller _poller = new();

    public void Dispose() => _poller.Dispose();

    [Fact]
    public void Sleeps_at_once_when_nothing_is_known()
    {
        _busyPolling.Wait(_poller, timeoutMs: 100);
        _poller.Timeouts.ShouldBe([100]);
    }

    [Fact]
    public void Asks_again_and_again_while_waits_are_short()
    {
        ShouldFormAHabit();
        _poller.ReadyAt = 3;
        _busyPolling.Wait(_poller, timeoutMs: 100);
        _poller.Timeouts.ShouldBe([0, 0, 0]);
    }

    [Fact]
    public void Sleeps_in_the_end_when_nothing_comes()
    {
        ShouldFormAHabit();
        _poller.ReadyAt = int.MaxValue;
        long ticks = _busyPolling.Wait(_poller, timeoutMs: 100);
        _poller.Timeouts[0].ShouldBe(0);
        _poller.Timeouts[^1].ShouldBe(100);
        _poller.Timeouts.Count(t => t != 0).ShouldBe(1);
        ticks.ShouldBeGreaterThan(0);
    }

    [Fact]
    public void Gives_the_habit_up_when_it_asks_in_vain()
    {
        ShouldFormAHabit();
        _poller.ReadyAt = int.MaxValue;
        for (int wait = 0; wait < 2; wait++)
        {
            _busyPolling.Wait(_poller, timeoutMs: 100);
        }

        _poller.Timeouts.Clear();
        _busyPolling.Wait(_poller, timeoutMs: 100);
        _poller.Timeouts.ShouldBe([100]);
    }

    /// <summary>A stalled machine makes short waits long: tried for as long as it takes.</summary>
    private void ShouldFormAHabit()
    {
        _poller.ReadyAt = 1;
        for (int wait = 0; wait < 100_000; wait++)
        {
            _poller.Timeouts.Clear();
            _busyPolling.Wait(_poller, timeoutMs: 100);
            if (_poller.Timeouts is [0])
            {
                _poller.Timeouts.Clear();
                return;
            }
        }

        Assert.Fail("it never began to ask again");
    }

    /// <summary>Finds something at the n-th time it is asked; sleeping takes no time.</summary>
    private sealed class ScriptedPoller : IPoller
    {
        public List<int> Timeouts { get; } = [];

        public int ReadyAt { get; set; } = 1;

        public bool Wait(int timeoutMs)
        {
            Timeouts.Add(timeoutMs);
            return Timeouts.Count >= ReadyAt;
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
