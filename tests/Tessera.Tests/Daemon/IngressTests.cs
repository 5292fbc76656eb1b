using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Shouldly;
using Tessera.Daemon;
using Tessera.Proxy;
using Tessera.Stack;
using Tessera.Stack.Discovery;
using Tessera.Stack.Routing;
using Xunit;
using static Tessera.Tests.Stack.Planning.PlanFixture;

namespace Tessera.Tests.Daemon;

public sealed class IngressTests : IAsyncLifetime
{
    private readonly ConcurrentQueue<string> _log = new();
    private readonly Catalog _catalog = new();
    private readonly ProxyServer _proxy = new(new ProxyOptions { Reactors = 1 });
    private readonly Ingress _ingress;

    public IngressTests() => _ingress = new Ingress(
        _proxy, _catalog, _ => "/dev/null", () => [], _log.Enqueue, TimeProvider.System);

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await _ingress.DisposeAsync();
        await _proxy.DisposeAsync();
    }

    [Fact]
    public void Refuses_routes_that_cannot_be_built_and_keeps_what_was_in_force()
    {
        ProjectEntry good = Entry("127.0.0.1");
        _ingress.Set(good).ShouldBeEmpty();

        Should.Throw<FormatException>(() => _ingress.Set(Entry("no address")));

        _ingress.Projects["shop"].ShouldBe(good);
        _ingress.Failures.ShouldBeEmpty();
        _proxy.GetStatus().ShouldHaveSingleItem().Backend.ShouldBe("shop/web:80");

        // Observers act on what is in force, not on what was refused.
        _catalog.Report(Instance("web"));
        _log.ShouldBeEmpty();
    }

    [Fact]
    public void Returns_addresses_that_are_taken()
    {
        using var taken = new Socket(
            AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        taken.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        taken.Listen();
        var address = (IPEndPoint)taken.LocalEndPoint!;

        _ingress.Set(Entry("127.0.0.1", address.Port)).ShouldHaveSingleItem()
            .Address.ShouldBe(address);
    }

    [Fact]
    public async Task An_instance_is_behind_every_backend_that_has_it_until_its_requests_end()
    {
        ProjectEntry entry = Entry("127.0.0.1");
        var shared = new ServiceOptions
        {
            Routes = [new RouteOptions { Hosts = ["a"], Port = 80, Backend = "all" }],
        };
        Service web = entry.Project.Services["web"] with { Options = shared };
        _ingress.Set(entry with
        {
            Project = Project(web, Service("api") with { TargetPorts = [80], Options = shared })
                with { Listen = ["127.0.0.1:0"] },
        });
        Instance instance = Instance("web") with
        {
            Addresses = ImmutableSortedDictionary<int, IPEndPoint>.Empty
                .Add(80, new IPEndPoint(IPAddress.Loopback, 9)),
        };
        _catalog.Report(instance);
        _proxy.BackendsOf(instance.Id).Order().ShouldBe(["shop/all", "shop/web:80"]);
        (await _ingress.DrainAsync(
            instance, TimeSpan.Zero, TestContext.Current.CancellationToken)).ShouldBe(0);
        _proxy.BackendsOf("nobody").ShouldBeEmpty();
    }

    private static ProjectEntry Entry(string hostIp, int? port = null)
    {
        var mapping = new PortMapping { Target = 80, Published = port, HostIp = hostIp };
        return new ProjectEntry
        {
            Project = Project(Service("web") with { Ports = [mapping], TargetPorts = [80] }),
            BaseEnvironment = ImmutableSortedDictionary<string, string>.Empty,
        };
    }
}
