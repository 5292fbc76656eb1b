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
            host => [IPAddress.Parse(host)],
            project => $"/log/{project}/access.log", () => [.. new byte[32]]);

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
    public void Serves_routes_where_their_target_is_published_or_where_the_project_listens()
    {
        Service web = Web(new PortMapping { Target = 80, Published = 8_080 }) with
        {
            TargetPorts = [80, 90],
            Options = new ServiceOptions
            {
                Routes =
                [
                    new RouteOptions { Name = "a", Hosts = ["a", "b"], Port = 80 },
                    new RouteOptions
                    {
                        Name = "c",
                        Path = new(RoutePathKind.Exact, "/c"),
                        Port = 90,
                    },
                ],
            },
        };
        ProjectEntry entry = Entry(web);
        ProxyConfig config = Build(entry with
        {
            Project = entry.Project with { Listen = ["127.0.0.1:81"] },
        });
        config.Listeners.Where(l => l.Address.Port == 8_080).ShouldAllBe(
            l => l.Routes.Select(r => r.Host).SequenceEqual(new[] { "a", "b" }));
        ListenerConfig entryPoint = config.Listeners.Single(l => l.Address.Port == 81);
        entryPoint.Routes.ShouldHaveSingleItem().Path.ShouldBe(
            new PathMatch(PathMatchKind.Exact, "/c"));
        entryPoint.Routes[0].Backend.ShouldBe("shop/web:90");
        config.Backends.Select(b => b.Name).ShouldBe(["shop/web:80", "shop/web:90"]);
    }

    [Fact]
    public void Services_of_one_address_share_its_listener()
    {
        Service api = Web() with
        {
            Name = "api",
            Options = new ServiceOptions
            {
                Routes =
                    [new RouteOptions { Path = new(RoutePathKind.Segments, "/api"), Port = 80 }],
            },
        };
        ProxyConfig config = RouteBuilder.Build(
            [Entry(api), Entry(Web())],
            new CatalogSnapshot(ImmutableSortedDictionary<string, Instance>.Empty),
            _ => [], _ => "/log/access.log", () => []);
        config.Listeners.Select(l => l.Address).ShouldBeUnique();
        config.Listeners.ShouldAllBe(l => l.Protocol == ListenerProtocol.Http);
        config.Listeners[0].Routes.Select(r => (r.Path.Text, r.Backend)).ShouldBe(
            [("/api", "shop/api:80"), ("/", "shop/web:80")]);
    }

    [Fact]
    public void Says_every_rule_in_the_words_of_the_data_plane()
    {
        Service web = Stack.Compose.ProjectFolder.Bind("""
            command: x
            ports: ["8080:80"]
            x-tessera:
              balance: hash_consistent
              hash_key: $$arg_user
              sticky: { name: s, lifetime: 1h, secure: true }
              health: /healthz
              outlier: true
              retry: { on: [error, http_5xx], tries: 2 }
              send_timeout: 3s
              max_fails: 0
              access: { allow: [10.0.0.0/8], deny: 10.0.0.13 }
              limits:
                { rate: { requests: 60/m, burst: 5, nodelay: true }, connections: 9, body: 1m }
              headers: { response: { Server: "", X-A: b }, add: { Link: l } }
              routes: { slow: { path: /slow, read_timeout: 9s, limits: {} } }
            """);
        ProxyConfig config = Build(web);
        BackendConfig backend = config.Backends.ShouldHaveSingleItem();
        (backend.Algorithm, backend.HashKey).ShouldBe(
            (BalanceAlgorithm.ConsistentHash, "$arg_user"));
        backend.Sticky!.LifetimeSeconds.ShouldBe(3_600);
        backend.Sticky.Key.Length.ShouldBe(32);
        backend.Probe!.Path.ShouldBe("/healthz");
        backend.Outlier.ShouldBe(new OutlierConfig());
        backend.Retry.On.ShouldBe(RetryConditions.Error | RetryConditions.Http500
            | RetryConditions.Http502 | RetryConditions.Http503 | RetryConditions.Http504);
        RouteConfig route = config.Listeners[0].Routes.ShouldHaveSingleItem();
        route.Name.ShouldBe("shop/web/slow");
        (route.Limits!.ReadTimeoutMs, route.Limits.SendTimeoutMs).ShouldBe((9_000, 3_000));
        route.Access!.Addresses.Select(a => (a.IsAllowed, a.Network?.ToString())).ShouldBe(
            [(false, "10.0.0.13/32"), (true, "10.0.0.0/8"), (false, null)]);
        route.Flow!.RateLimits.ShouldBeEmpty("a route's own rule takes the place of the service's");
        route.ResponseHeaders.Select(h => h.ToString()).ShouldBe(
        [
            new FieldConfig("Server", "").ToString(), new FieldConfig("X-A", "").ToString(),
            new FieldConfig("X-A", "b").ToString(), new FieldConfig("Link", "l").ToString(),
        ]);
        FlowConfig flow = Build(web with { Options = web.Options with { Routes = [] } })
            .Listeners[0].Routes[0].Flow!;
        flow.RateLimits.ShouldHaveSingleItem().ShouldBe(new RateLimitConfig
        {
            Zone = "shop/web/0/0",
            RequestsPerSecond = 1,
            Burst = 5,
            BurstWithoutDelay = int.MaxValue,
        });
        (flow.ConnectionLimits[0].Max, flow.ConnectionLimits[0].Zone, flow.MaxBodyBytes)
            .ShouldBe((9, "shop/web/0/1", 1_048_576));
    }

    [Fact]
    public void Unknown_variables_and_claimed_requests_are_refused_before_anything_changes()
    {
        Service bad = Web() with
        {
            Options = new ServiceOptions
            {
                Rules = new RouteRules { Redirect = new RedirectOptions("http://$nothing") },
            },
        };
        Should.Throw<UserErrorException>(() => DesiredProject.RefuseProblems(Entry(bad)))
            .Message.ShouldContain("$nothing");
        ProjectEntry other = Entry(Web());
        other = other with { Project = other.Project with { Name = "other" } };
        Should.Throw<UserErrorException>(
            () => DesiredProject.RefuseClaimedAddresses(Entry(Web()), [other]))
            .Message.ShouldStartWith("port 8080 is already published by service web of project");
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
