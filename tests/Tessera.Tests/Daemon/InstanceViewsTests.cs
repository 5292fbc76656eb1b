using System.Collections.Immutable;
using Shouldly;
using Tessera.Daemon;
using Tessera.Stack;
using Tessera.Stack.Discovery;
using Xunit;
using static Tessera.Tests.Stack.Planning.PlanFixture;

namespace Tessera.Tests.Daemon;

public class InstanceViewsTests
{
    private static readonly Service Web = Service("web") with
    {
        Ports = [new PortMapping { Target = 80, Published = 8_080 }],
    };

    private static ImmutableArray<InstanceView> Views(params Instance[] instances) =>
        InstanceViews.Of(
            new ProjectEntry
            {
                Project = Project(Web, Service("worker")),
                BaseEnvironment = ImmutableSortedDictionary<string, string>.Empty,
            },
            new CatalogSnapshot(1, instances.ToImmutableSortedDictionary(i => i.Id, i => i)),
            [], [], Start + TimeSpan.FromMinutes(5));

    [Fact]
    public void Says_that_a_ready_instance_is_active()
    {
        InstanceView view = Views(Instance("web", health: InstanceHealth.Healthy)).Single();
        view.Traffic.ShouldBe("active");
        view.State.ShouldBe("running");
        view.Status.ShouldBe("Up 5 minutes (healthy)");
        view.Publishers.Single().ShouldBe(new PublisherView("0.0.0.0", 80, 8_080, "tcp"));
    }

    [Fact]
    public void Says_held_while_nothing_of_the_service_is_ready_and_out_when_others_are()
    {
        Instance starting = Instance("web", 2, InstanceState.Starting) with { Reason = "port 1" };
        Views(starting).Single().Traffic.ShouldBe("held");
        InstanceView beside = Views(Instance("web"), starting).Last();
        beside.Traffic.ShouldBe("out");
        beside.TrafficReason.ShouldBe("not ready yet: port 1");
    }

    [Fact]
    public void Says_why_a_failed_or_unhealthy_instance_is_out()
    {
        InstanceView failed = Views(Instance("web", state: InstanceState.Failed) with
        {
            Reason = "FATAL: gave up",
        }).Single();
        (failed.State, failed.Traffic, failed.TrafficReason)
            .ShouldBe(("fatal", "out", "failed: FATAL: gave up"));
        Views(Instance("web"), Instance("web", 2, health: InstanceHealth.Unhealthy)).Last()
            .TrafficReason.ShouldBe("unhealthy");
    }

    [Fact]
    public void Shows_no_traffic_for_a_service_that_publishes_nothing()
    {
        InstanceView view = Views(Instance("worker")).Single();
        view.Traffic.ShouldBeEmpty();
        view.Publishers.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(0, "Exited (0) 5 minutes ago")]
    [InlineData(null, "Exited (unknown) 5 minutes ago")]
    public void Words_an_end_as_docker_does(int? code, string expected)
    {
        Instance ended = Instance("web", state: InstanceState.Exited, exitCode: code) with
        {
            ExitedAt = Start,
        };
        Views(ended).Single().Status.ShouldBe(expected);
        Views(ended with { IsFinal = false }).Single().State.ShouldBe("restarting");
    }
}
