using System.Collections.Immutable;
using System.Net;
using Shouldly;
using Tessera.Daemon;
using Tessera.Proxy;
using Tessera.Stack;
using Tessera.Stack.Discovery;
using Xunit;
using static Tessera.Tests.Stack.Planning.PlanFixture;

namespace Tessera.Tests.Daemon;

public class RouteBuilderTests
{
    private static Service Web(params PortMapping[] ports) => Service("web") with
    {
        Ports = [.. ports.DefaultIfEmpty(new PortMapping { Target = 80, Published = 8_080 })],
        TargetPorts = [80],
    };

    private static Instance At(int port, Instance instance) => instance with
    {
        Addresses = ImmutableSortedDictionary<int, IPEndPoint>.Empty
            .Add(80, new IPEndPoint(IPAddress.Loopback, port)),
    };

    private static ProxyConfig Build(Service service, params Instance[] instances) =>
        Build(Entry(service), instances);

    private static ProxyConfig Build(ProjectEntry entry, params Instance[] instances) =>
        RouteBuilder.Build([entry],
            new CatalogSnapshot(instances.ToImmutableSortedDictionary(i => i.Id, i => i)),
            host => [IPAddress.Parse(host)], project => $"/log/{project}");

    private static ProjectEntry Entry(Service service) => new()
    {
        Project = Project(service),
        BaseEnvironment = ImmutableSortedDictionary<string, string>.Empty,
    };

    [Fact]
    public void Gives_traffic_to_ready_instances_only()
    {
        ProxyConfig config = Build(Web(),
            At(1, Instance("web", 1)),
            At(2, Instance("web", 2, InstanceState.Starting)),
            At(3, Instance("web", 3, health: InstanceHealth.Unhealthy)),
            At(4, Instance("web", 4, InstanceState.Draining)),
            At(5, Instance("web", 5, InstanceState.Exited)));
        config.Backends.ShouldHaveSingleItem().Endpoints
            .Select(e => (e.Address.Port, e.State)).ShouldBe([
                (1, EndpointState.Active), (2, EndpointState.Out), (3, EndpointState.Out),
                (4, EndpointState.Draining)]);
    }

    [Fact]
    public void Keeps_the_place_of_a_slot_while_nothing_lives_in_it()
    {
        Service web = Web() with { Scale = 3 };
        BackendConfig whole = Build(web,
            At(1, Instance("web", 1)), At(2, Instance("web", 2)), At(3, Instance("web", 3)))
            .Backends[0];
        BackendConfig crashed = Build(web,
            At(1, Instance("web", 1)),
            At(2, Instance("web", 2, InstanceState.Exited)),
            At(3, Instance("web", 3))).Backends[0];
        crashed.Places.ShouldBe(whole.Places);
        whole.Places.Select(p => p.Name).ShouldBe(whole.Endpoints.Select(e => e.Place));
        crashed.Endpoints.Select(e => e.Place)
            .ShouldBe([whole.Endpoints[0].Place, whole.Endpoints[2].Place]);
    }

    [Fact]
    public void Holds_requests_while_a_restart_is_on_its_way()
    {
        Instance crashed = Instance("web", state: InstanceState.Exited, exitCode: 1);
        Build(Web(), crashed with { IsFinal = false }).Backends[0].UnavailableReason.ShouldBeNull();
        Build(Web(), crashed).Backends[0].UnavailableReason!.ShouldContain("exited (1)");
    }

    [Fact]
    public void Holds_requests_for_a_first_instance_only_while_one_is_expected()
    {
        Build(Entry(
            Web()) with { Expected = ["web"] }).Backends[0].UnavailableReason.ShouldBeNull();
        Build(Web()).Backends[0].UnavailableReason.ShouldBe("web has no instance");
    }

    [Fact]
    public void Answers_at_once_when_a_command_takes_the_service_away()
    {
        ProjectEntry entry = Entry(Web()) with
        {
            GoingAway = ImmutableSortedDictionary<string, string>.Empty.Add(
                "web", "web is stopped"),
        };
        Build(entry, At(1, Instance("web"))).Backends[0].UnavailableReason.ShouldBe(
            "web is stopped");
    }

    [Fact]
    public void Listens_on_the_given_address_or_on_every_one()
    {
        var local = new PortMapping
        {
            Target = 80,
            Published = 8_081,
            HostIp = "127.0.0.1",
            AppProtocol = "tcp",
        };
        ProxyConfig config = Build(Web(local, new PortMapping { Target = 80, Published = 8_080 }));
        config.Listeners[0].Address.ShouldBe(new IPEndPoint(IPAddress.Loopback, 8_081));
        config.Listeners[0].Protocol.ShouldBe(ListenerProtocol.Tcp);
        config.Listeners.Skip(1).ShouldAllBe(l => l.Address.Port == 8_080
            && l.Protocol == ListenerProtocol.Auto);
        config.Backends.Length.ShouldBe(1, "two ports of one target share a backend");
    }

    [Fact]
    public void Balances_external_servers_as_they_are()
    {
        Service external = Web() with
        {
            Options = new ServiceOptions
            {
                Balance = "ip_hash",
                Endpoints =
                    [new ExternalEndpoint("10.0.0.1", 80, 3), new ExternalEndpoint("10.0.0.2", 80)],
            },
        };
        BackendConfig backend = Build(external).Backends[0];
        backend.Algorithm.ShouldBe(BalanceAlgorithm.IpHash);
        backend.IsManaged.ShouldBeFalse();
        backend.Endpoints.Select(e => e.Weight).ShouldBe([3, 1]);
    }
}
