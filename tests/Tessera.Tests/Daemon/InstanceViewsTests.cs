using System.Collections.Immutable;
using System.Net;
using Shouldly;
using Tessera.Daemon;
using Tessera.Proxy;
using Tessera.Stack;
using Tessera.Stack.Routing;
using Tessera.Stack.Discovery;
using Xunit;
using static Tessera.Tests.Stack.Planning.PlanFixture;

namespace Tessera.Tests.Daemon;

public class InstanceViewsTests
{
    private static readonly Service Web = Service("web") with
    {
        Ports = [new PortMapping { Target = 80, Published = 8_080 }],
        TargetPorts = [80],
    };

    private static ImmutableArray<InstanceView> Views(params Instance[] instances) =>
        Views(Entry(Web), instances);

    /// <summary>As the balancer would have applied it, changed by the test.</summary>
    private static ImmutableArray<InstanceView> Views(
        ProjectEntry entry, Instance[] instances,
        Func<EndpointStatus, EndpointStatus>? change = null, params ListenFailure[] failures)
    {
        Instance[] placed = [.. instances.Select(i => i with
        {
            Addresses = ImmutableSortedDictionary<int, IPEndPoint>.Empty
                .Add(80, new IPEndPoint(IPAddress.Loopback, 1_000 + i.Slot.Number)),
        })];
        var catalog = new CatalogSnapshot(placed.ToImmutableSortedDictionary(i => i.Id, i => i));
        ProxyConfig config = RouteBuilder.Build(
            [entry], catalog, host => host == "nowhere" ? [] : [IPAddress.Loopback], _ => "",
            () => []);
        ImmutableArray<BackendStatus> backends = [.. config.Backends.Select(b => new BackendStatus(
            b.Name, 0, [.. b.Endpoints.Select(e => new EndpointStatus(
                b.Name, e.Id, e.State, 2, 5, 0) { Weight = e.Weight })
                .Select(change ?? (status => status))])
        {
            UnavailableReason = b.UnavailableReason,
        })];
        return InstanceViews.Of(
            entry, catalog, backends, [.. failures], Start + TimeSpan.FromMinutes(5));
    }

    private static ProjectEntry Entry(Service web) => new()
    {
        Project = Project(web, Service("worker")),
        BaseEnvironment = ImmutableSortedDictionary<string, string>.Empty,
    };

    private static Service Weighing(params int[] weights) => Web with
    {
        Options = new ServiceOptions { Weights = [.. weights] },
    };

    [Fact]
    public void Counts_what_the_balancer_sent()
    {
        InstanceView view = Views(Instance("web")).Single();
        (view.InFlight, view.Requests).ShouldBe((2, 5));
    }

    [Fact]
    public void Says_that_an_instance_without_weight_is_out()
    {
        InstanceView view = Views(Entry(Weighing(0)), [Instance("web")]).Single();
        (view.Traffic, view.TrafficReason).ShouldBe(("out", "its weight is 0"));
    }

    [Fact]
    public void Says_held_beside_an_instance_without_weight()
    {
        Instance starting = Instance("web", 2, InstanceState.Starting);
        Views(Entry(Weighing(0, 1)), [Instance("web"), starting]).Last().Traffic.ShouldBe("held");
    }

    [Fact]
    public void Says_out_where_requests_are_answered_instead_of_held()
    {
        ProjectEntry going = Entry(Web) with
        {
            GoingAway = ImmutableSortedDictionary<string, string>.Empty.Add(
                "web", "web is stopped"),
        };
        InstanceView view = Views(
            going, [Instance("web", state: InstanceState.Starting)]).Single();
        (view.Traffic, view.TrafficReason).ShouldBe(("out", "web is stopped"));
    }

    [Fact]
    public void Says_that_an_instance_which_failed_lately_comes_after_the_others()
    {
        Instance[] both = [Instance("web"), Instance("web", 2)];
        ImmutableArray<InstanceView> views = Views(
            Entry(Web), both, e => e with { IsAvoided = e.Endpoint == both[0].Id });
        views.Select(v => v.Traffic).ShouldBe(["out", "active"]);
        views[0].TrafficReason.ShouldBe("it failed lately: others are tried first");

        InstanceView alone = Views(
            Entry(Web), [both[0]], e => e with { IsAvoided = true }).Single();
        (alone.Traffic, alone.TrafficReason).ShouldBe(("active", "it failed lately"));
    }

    [Fact]
    public void Says_why_nobody_reaches_a_ready_instance()
    {
        var failure = new ListenFailure(new IPEndPoint(IPAddress.Any, 8_080), "in use");
        InstanceView view = Views(Entry(Web), [Instance("web")], null, failure).Single();
        (view.Traffic, view.TrafficReason).ShouldBe(
            ("out", "cannot listen on 0.0.0.0:8080: in use"));
    }

    [Fact]
    public void Says_what_the_balancer_makes_of_external_servers()
    {
        Service external = Web with
        {
            Options = new ServiceOptions
            {
                Endpoints =
                [
                    new ExternalEndpoint("one", 80), new ExternalEndpoint("two", 80, 0),
                    new ExternalEndpoint("nowhere", 80), new ExternalEndpoint("three", 80),
                ],
            },
        };
        ImmutableArray<InstanceView> views = Views(
            Entry(external), [], e => e with { IsAvoided = e.Endpoint.StartsWith("three:") });
        views.Select(v => (v.Traffic, v.TrafficReason)).ShouldBe([
            ("active", ""), ("out", "its weight is 0"), ("out", "nowhere does not resolve"),
            ("out", "it failed lately: others are tried first")]);

        var failure = new ListenFailure(new IPEndPoint(IPAddress.Any, 8_080), "in use");
        Views(Entry(external), [], null, failure).ShouldAllBe(v => v.Traffic == "out");
    }

    [Fact]
    public void Says_that_one_which_died_is_not_being_stopped()
    {
        InstanceView view = Views(
            Instance("web", state: InstanceState.Died, exitCode: 1)).Single();
        (view.State, view.Status, view.Traffic).ShouldBe(
            ("restarting", "Restarting (1)", "held"));
    }

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
