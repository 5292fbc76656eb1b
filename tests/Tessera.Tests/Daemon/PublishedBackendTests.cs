using System.Collections.Immutable;
using System.Net;
using Shouldly;
using Tessera.Daemon;
using Tessera.Proxy;
using Tessera.Stack;
using Tessera.Stack.Discovery;
using Tessera.Stack.Routing;
using Xunit;
using static Tessera.Tests.Stack.Planning.PlanFixture;

namespace Tessera.Tests.Daemon;

/// <summary>Several services behind one backend.</summary>
public class PublishedBackendTests
{
    private static Service Tomcat(string name, int port = 80, int weight = 1) =>
        Service(name) with
        {
            TargetPorts = [port],
            Options = new ServiceOptions
            {
                Weights = [weight],
                EndpointLimits = new EndpointLimits { MaxConnections = weight },
                Routes =
                [
                    new RouteOptions
                    {
                        Name = "r",
                        Hosts = ["tomcat.ir", "b"],
                        Backend = "tomcat.ir",
                    },
                ],
            },
        };

    private static Instance At(int target, int port, Instance instance) => instance with
    {
        Addresses = ImmutableSortedDictionary<int, IPEndPoint>.Empty
            .Add(target, new IPEndPoint(IPAddress.Loopback, port)),
    };

    private static ProjectEntry Entry(params Service[] services) => new()
    {
        Project = Project(services) with { Listen = ["127.0.0.1:81"] },
        BaseEnvironment = ImmutableSortedDictionary<string, string>.Empty,
    };

    private static ProxyConfig Build(ProjectEntry entry, params Instance[] instances) =>
        RouteBuilder.Build([entry], Catalog(instances), _ => [], _ => "/log/access.log", () => []);

    private static CatalogSnapshot Catalog(params Instance[] instances) =>
        new(instances.ToImmutableSortedDictionary(i => i.Id, i => i));

    [Fact]
    public void One_route_leads_to_the_instances_of_all_each_as_its_service_says()
    {
        ProxyConfig config = Build(
            Entry(Tomcat("one"), Tomcat("two", port: 90, weight: 3)),
            At(80, 1, Instance("one")), At(90, 2, Instance("two")));
        BackendConfig backend = config.Backends.ShouldHaveSingleItem();
        backend.Name.ShouldBe("shop/tomcat.ir");
        backend.Endpoints.Select(e => (e.Address.Port, e.Weight, e.MaxConnections)).ShouldBe(
            [(1, 1, 1), (2, 3, 3)]);
        backend.Places.Select(p => (p.Name, p.Weight)).ShouldBe(
            [("one/slot-1", 1), ("two/slot-1", 3)]);
        backend.Endpoints.Select(e => e.Place).ShouldBe(backend.Places.Select(p => p.Name));
        config.Listeners.ShouldHaveSingleItem().Routes.Select(r => (r.Name, r.Host, r.Backend))
            .ShouldBe([
                ("shop/tomcat.ir/r", "tomcat.ir", "shop/tomcat.ir"),
                ("shop/tomcat.ir/r", "b", "shop/tomcat.ir")]);
        ProxyServer.FindProblems(config).ShouldBeEmpty();
    }

    [Fact]
    public void A_name_that_no_other_service_has_is_the_services_own_backend()
    {
        ProxyConfig config = Build(Entry(Tomcat("one"), Service("two")));
        config.Backends.ShouldHaveSingleItem().Name.ShouldBe("shop/one:80");
        config.Listeners.ShouldHaveSingleItem().Routes[0].Name.ShouldBe("shop/one/r");
    }

    [Fact]
    public void A_port_of_one_service_stays_its_own()
    {
        Service one = Tomcat("one") with { Ports = [new PortMapping { Target = 80 }] };
        ProjectEntry entry = Entry(one, Tomcat("two"));
        entry = entry with { AssignedPorts = entry.AssignedPorts.Add("one::80/tcp", 4_000) };
        ProxyConfig config = Build(entry, At(80, 1, Instance("one")), At(80, 2, Instance("two")));
        config.Backends.Select(b => (b.Name, b.Endpoints.Length)).ShouldBe(
            [("shop/one:80", 1), ("shop/tomcat.ir", 2)]);
        config.Listeners.Where(l => l.Address.Port == 4_000).ShouldAllBe(
            l => l.Routes.Single().Backend == "shop/one:80");
    }

    [Fact]
    public void Requests_wait_while_any_of_the_services_will_answer()
    {
        ProjectEntry entry = Entry(Tomcat("one"), Tomcat("two"));
        Reason(entry).ShouldBe("one has no instance; two has no instance");
        Reason(entry with { Expected = ["two"] }).ShouldBeNull();
        Reason(entry, Instance("one", state: InstanceState.Exited, exitCode: 1)).ShouldBe(
            $"{Instance("one").Name}: exited (1); two has no instance");
        Reason(entry, Instance("one", state: InstanceState.Starting)).ShouldBeNull();
        Reason(entry with
        {
            GoingAway = entry.GoingAway.Add("one", "one is stopped"),
        }, Instance("one"), Instance("two")).ShouldBeNull();
    }

    [Fact]
    public void Says_of_each_instance_what_it_gets()
    {
        ProjectEntry entry = Entry(Tomcat("one"), Tomcat("two"));
        Instance[] instances =
        [
            At(80, 1, Instance("one")), At(80, 2, Instance("two", state: InstanceState.Starting)),
        ];
        Views(entry, instances).ShouldBe(["one 5 active", "two 5 out"]);
        instances[0] = At(80, 1, Instance("one", state: InstanceState.Starting));
        Views(entry, instances).ShouldBe(["one 5 held", "two 5 held"]);
    }

    [Fact]
    public void Services_of_several_times_that_differ_are_refused()
    {
        Service two = Tomcat("two");
        two = two with { Options = two.Options with { Balance = "ip_hash" } };
        Should.Throw<UserErrorException>(
            () => DesiredProject.RefuseProblems(Entry(Tomcat("one"), two)))
            .Message.ShouldStartWith("backend \"tomcat.ir\" is shared by service \"one\" and by "
                + "service \"two\", whose \"balance\" differs");
        DesiredProject.RefuseProblems(Entry(Tomcat("one"), Tomcat("two")));
    }

    private static string? Reason(ProjectEntry entry, params Instance[] instances) =>
        Build(entry, instances).Backends.Single().UnavailableReason;

    private static IEnumerable<string> Views(ProjectEntry entry, Instance[] instances) =>
        InstanceViews.Of(
            entry, Catalog(instances),
            [.. Build(entry, instances).Backends.Select(b => new BackendStatus(b.Name, 0,
                [.. b.Endpoints.Select(e => new EndpointStatus(b.Name, e.Id, e.State, 0, 5, 0))])
                {
                    UnavailableReason = b.UnavailableReason,
                })],
            [], Start).Select(view => $"{view.Service} {view.Requests} {view.Traffic}");
}
