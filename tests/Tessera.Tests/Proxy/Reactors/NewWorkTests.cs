using Shouldly;
using Tessera.Proxy.Reactors;
using Xunit;

namespace Tessera.Tests.Proxy.Reactor;

public sealed class NewWorkTests
{
    private readonly NewWork _work = new();

    [Fact]
    public void Gives_a_little_each_turn_in_the_order_of_arrival()
    {
        IoHandle[] handles = [.. Enumerable.Range(1, 40).Select(NewHandle)];
        Array.ForEach(handles, _work.Add);
        _work.TryTake(out _).ShouldBeFalse("no turn has begun");
        List<IoHandle> taken = [];
        for (int turn = 0; turn < 3; turn++)
        {
            _work.BeginTurn();
            int before = taken.Count;
            while (_work.TryTake(out IoHandle? handle))
            {
                taken.Add(handle);
            }

            (taken.Count - before).ShouldBe(Math.Min(NewWork.PerTurn, 40 - before));
        }

        taken.ShouldBe(handles);
        _work.IsEmpty.ShouldBeTrue();
    }

    [Fact]
    public void Holds_a_socket_once_and_forgets_closed_ones()
    {
        IoHandle open = NewHandle(1);
        IoHandle closed = NewHandle(2);
        _work.Add(closed);
        _work.Add(open);
        _work.Add(open);
        closed.Descriptor = -1;
        _work.BeginTurn();
        _work.TryTake(out IoHandle? first).ShouldBeTrue();
        first.ShouldBe(open);
        _work.TryTake(out _).ShouldBeFalse();
        _work.Add(open);
        _work.TryTake(out IoHandle? again).ShouldBeTrue("it was ready once more");
        again.ShouldBe(open);
    }

    private static IoHandle NewHandle(int descriptor) => new(null!, descriptor);
}
