using Shouldly;
using Tessera.Daemon;
using Tessera.Stack.Discovery;
using Xunit;
using static Tessera.Tests.Stack.Planning.PlanFixture;

namespace Tessera.Tests.Daemon;

public class InstanceEventsTests
{
    [Theory]
    [InlineData("die", InstanceState.Died, InstanceState.Exited)]
    [InlineData("drain stop die", InstanceState.Draining, InstanceState.Stopping,
        InstanceState.Exited)]
    [InlineData("fail", InstanceState.Died, InstanceState.Failed)]
    public void Names_the_steps_to_an_end(string expected, params InstanceState[] states)
    {
        Instance before = Instance("web");
        var named = new List<string>();
        foreach (InstanceState state in states)
        {
            Instance after = before with { State = state };
            named.AddRange(InstanceEvents.Of(new CatalogChange(before, after), Start)
                .Select(news => news.Action));
            before = after;
        }

        string.Join(' ', named).ShouldBe(expected);
    }
}
