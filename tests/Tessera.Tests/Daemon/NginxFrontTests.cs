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

public sealed class NginxFrontTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("tessera-front-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Each_instance_takes_the_place_of_its_services_name_with_the_lines_parameters()
    {
        BackendConfig backend = Build(
            "upstream app { server web:80 weight=3 max_conns=7; server 127.0.0.9:81 backup; }"
                + "server { listen 8081; location / { proxy_pass http://app; } }",
            At(80, 1_001, Instance("web", 1)),
            At(80, 1_002, Instance("web", 2, InstanceState.Starting)))
            .Backends.ShouldHaveSingleItem();

        backend.Name.ShouldBe("shop/nginx/app");
        backend.Label.ShouldBe("app");
        backend.IsManaged.ShouldBeTrue();
        backend.Limits.HoldQueueLength.ShouldBe(BackendLimits.Default.HoldQueueLength);
        backend.Endpoints.Select(e => (e.Address.Port, e.State, e.Weight, e.MaxConnections))
            .ShouldBe([
                (1_001, EndpointState.Active, 3, 7), (1_002, EndpointState.Out, 3, 7),
                (81, EndpointState.Active, 1, 0)]);
        backend.Endpoints.Select(e => e.IsBackup).ShouldBe([false, false, true]);
        backend.Places.ShouldBe(
            [new PlaceConfig("web/slot-1", 3), new PlaceConfig("web/slot-2", 3)]);
        backend.UnavailableReason.ShouldBeNull();
    }

    [Fact]
    public void An_instance_is_one_endpoint_though_two_lines_name_it()
    {
        BackendConfig backend = Build(
            "upstream app { server web:80; server web:80; server web:81; }"
                + "server { listen 8081; location / { proxy_pass http://app; } }",
            At(81, 1_081, At(80, 1_080, Instance("web", 1)))).Backends.ShouldHaveSingleItem();

        string id = backend.Endpoints[0].Id;
        backend.Endpoints.Select(e => (e.Id, e.Address.Port)).ShouldBe(
            [(id, 1_080), (FrontBuilder.SecondId(id, 81), 1_081)]);
    }

    [Fact]
    public void A_stopped_services_requests_are_not_held_in_vain()
    {
        Build("server { listen 8081; location / { proxy_pass http://web; } }",
            At(80, 1, Instance("web", 1, InstanceState.Exited)))
            .Backends.ShouldHaveSingleItem().UnavailableReason.ShouldNotBeNull();
    }

    [Fact]
    public void A_port_that_the_service_does_not_have_is_told_of()
    {
        Should.Throw<UserErrorException>(() => Build(
            "server { listen 8081; location / { proxy_pass http://web:82; } }"))
            .Message.ShouldStartWith(
                "nginx: [emerg] service web has no port 82, only 80, 81: name it in `expose` in "
                + $"{_folder}/nginx.conf:1");
    }

    [Fact]
    public void Directives_of_the_process_are_overlooked_and_its_blocks_may_be_left_out()
    {
        ProjectEntry entry = Read(
            "user nobody; pid /nowhere/x.pid; daemon on; worker_processes 7;"
            + "http { server { listen 8081; return 204; } }");
        entry.Fronts.ShouldHaveSingleItem().Config!.Warnings.ShouldBeEmpty();
        Read("server { listen 8081; return 204; }").Fronts.ShouldHaveSingleItem()
            .Config!.Proxy.Listeners.ShouldHaveSingleItem();
        Should.Throw<UserErrorException>(() => Read("serve { }"))
            .Message.ShouldContain("unknown directive \"serve\"");
    }

    [Fact]
    public void Published_ports_of_a_front_are_where_it_listens()
    {
        Service front = Service("front") with
        {
            Command = [],
            Ports =
            [
                new PortMapping { Target = 80, Published = 8_082, HostIp = "127.0.0.1" },
                new PortMapping { Target = 80, Published = 8_083, HostIp = "127.0.0.1" },
            ],
            Options = ServiceOptions.Default with { NginxFiles = [_folder + "/nginx.conf"] },
        };
        File.WriteAllText(
            _folder + "/nginx.conf",
            "server { listen 80; listen [::]:80; listen 127.0.0.1:90; return 204; }");
        ProjectEntry entry = EntryOf(Project(front));
        entry = entry with { Fronts = NginxFront.ReadAll(entry.Project, "/log/nginx.log") };

        Ingress.Listeners(entry).Select(address => address.ToString()).ShouldBe(
            ["127.0.0.1:8082", "127.0.0.1:8083", "127.0.0.1:90"]);
        front.HasInstances.ShouldBeFalse();
        Publication.Of(entry).ShouldBeEmpty();
    }

    [Fact]
    public void What_was_read_is_read_again_without_the_disk()
    {
        Directory.CreateDirectory(_folder + "/more");
        File.WriteAllText(_folder + "/more/a.conf", "server { listen 8081; return 204; }");
        File.WriteAllText(_folder + "/more/.b.conf", "rubbish");
        ProjectEntry entry = Read("events { } http { include more/*.conf; }");
        Directory.Delete(_folder + "/more", recursive: true);
        File.Delete(_folder + "/nginx.conf");

        NginxFront front = entry.Fronts.ShouldHaveSingleItem() with { Config = null };
        front.Texts.Keys.ShouldBe([_folder + "/more/a.conf", _folder + "/nginx.conf"]);
        front.Restore(entry.Project, "/log/nginx.log").Config!.Proxy.Listeners
            .ShouldHaveSingleItem().Address.Port.ShouldBe(8_081);
    }

    private ProxyConfig Build(string text, params Instance[] instances) => RouteBuilder.Build(
        [Read(text)],
        new CatalogSnapshot(instances.ToImmutableSortedDictionary(i => i.Id, i => i)),
        _ => [], _ => "/log/access.log", () => []);

    private ProjectEntry Read(string text)
    {
        File.WriteAllText(_folder + "/nginx.conf", text);
        ProjectEntry entry = EntryOf(Project(Service("web") with
        {
            TargetPorts = [80, 81], Scale = 2,
        }) with { NginxFiles = [_folder + "/nginx.conf"] });
        return entry with { Fronts = NginxFront.ReadAll(entry.Project, "/log/nginx.log") };
    }

    private static ProjectEntry EntryOf(Project project) => new()
    {
        Project = project,
        BaseEnvironment = ImmutableSortedDictionary<string, string>.Empty,
    };

    private static Instance At(int target, int port, Instance instance) => instance with
    {
        Addresses = instance.Addresses.SetItem(target, new IPEndPoint(IPAddress.Loopback, port)),
    };
}
