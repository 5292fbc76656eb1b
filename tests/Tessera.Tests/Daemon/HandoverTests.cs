using Shouldly;
using Tessera.Daemon;
using Xunit;

namespace Tessera.Tests.Daemon;

public sealed class HandoverTests
{
    [Fact]
    public void A_fault_while_letting_go_is_told_and_stops_nothing()
    {
        var log = new List<string>();
        bool isLeft = false;
        Handover.LetGo(
            [() => throw new IOException("the disk is gone"), () => isLeft = true], log.Add);
        isLeft.ShouldBeTrue();
        log.ShouldHaveSingleItem().ShouldContain("the disk is gone");
    }
}
