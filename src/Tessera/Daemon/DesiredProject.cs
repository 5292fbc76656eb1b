using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Tessera.Proxy;
using Tessera.Stack;
using Tessera.Stack.Compose;
using Tessera.Stack.Discovery;
using Tessera.Stack.Planning;
using Tessera.Stack.Routing;

namespace Tessera.Daemon;

/// <summary>
/// From what was asked for to what shall be in force, or a refusal that says why.
/// </summary>
internal static class DesiredProject
{
    private const int MaxScale = 10_000;

    /// <summary>
    /// The project of a request with its scale; refuses what no engine here can run.
    /// </summary>
    public static Project FromRequest(UpRequest request)
    {
        Project project = WithScale(ComposeLoader.Bind(request.CanonicalProject), request.Scale);
        project.Require(request.Services);
        foreach (Service service in project.Services.Values.Where(
            s => request.Services.IsEmpty || request.Services.Contains(s.Name)))
        {
            if (service is { ContainerKey: { } key, IsFront: false })
            {
                throw new UserErrorException(
                    $"service {service.Name} has `{key}`: it needs a container engine, and this "
                    + "version runs native processes only. Remove the key and give it a `command`, "
                    + "or name the services to start.");
            }

            RefuseScale(service);
            foreach (PortMapping mapping in service.Ports.Where(
                m => m.HostIp is not null && !IPAddress.TryParse(m.HostIp, out _)))
            {
                throw new UserErrorException($"service {service.Name}: \"{mapping.HostIp}\" in "
                    + "ports is not an IP address");
            }
        }

        return project;
    }

    private static void RefuseScale(Service service)
    {
        if (service.Options.FixedPort is { } port && service.Scale > 1)
        {
            throw new UserErrorException(
                $"service {service.Name} always listens on port {port} (x-tessera.port), so it "
                + $"cannot be scaled to {service.Scale}: start it with $$PORT to have more.");
        }

        if (service.Scale is < 0 or > MaxScale)
        {
            throw new UserErrorException(
                $"cannot scale {service.Name} to {service.Scale}: give 0 to {MaxScale}");
        }
    }

    /// <summary>What a project asks for that is not done, though everything else is.</summary>
    public static IEnumerable<string> Warnings(
        Project project, ImmutableArray<NginxFront> fronts) =>
        UnservedPorts(project).Concat(UnservedRoutes(project))
            .Concat(fronts.SelectMany(front => front.Config!.Warnings));

    private static IEnumerable<string> UnservedRoutes(Project project) =>
        from service in project.Services.Values
        where service.HasInstances && service.TargetPorts.IsEmpty
        from route in service.Options.Routes
        where !route.Rules.Over(service.Options.Rules).Answers
        select $"service {service.Name}: nobody answers for route {route.Name}, because no port "
            + "of the service is known: start it with $$PORT, or name its port in `expose`";

    private static IEnumerable<string> UnservedPorts(Project project) =>
        from service in project.Services.Values
        from port in service.Ports
        where port.Protocol != "tcp"
        select $"service {service.Name}: port {port.Target}/{port.Protocol} is not published: the "
            + "balancer carries TCP only";

    public static Project WithScale(
        Project project, ImmutableSortedDictionary<string, int> scale)
    {
        project.Require(scale.Keys);
        foreach ((string name, int count) in scale)
        {
            Service service = project.Services[name];
            if (!service.HasInstances)
            {
                throw new UserErrorException(service.IsFront
                    ? $"service {name} is a front (x-tessera.nginx): it cannot be scaled"
                    : service.IsExternal
                    ? $"service {name} is external (x-tessera.endpoints): it cannot be scaled"
                    : $"service {name} has no command: it cannot be scaled");
            }

            Service scaled = service with { Scale = count };
            RefuseScale(scaled);
            project = project with { Services = project.Services.SetItem(name, scaled) };
        }

        return project;
    }

    /// <summary>
    /// Services that were not named keep the definition that is in force; open ports keep what was
    /// chosen for them, and new ones get a free port.
    /// </summary>
    public static ProjectEntry Merge(Project project, ProjectEntry? previous, UpRequest request)
    {
        if (!request.Services.IsEmpty && previous is not null)
        {
            HashSet<string> named = [.. ServiceGraph.InOrder(
                project, request.Services, withDependencies: !request.NoDeps).Select(s => s.Name)];
            project = project with
            {
                Services = project.Services.SetItems(previous.Project.Services
                    .Where(s => project.Services.ContainsKey(s.Key) && !named.Contains(s.Key))),
            };
        }

        var entry =
            new ProjectEntry { Project = project, BaseEnvironment = request.BaseEnvironment };
        var ports = ImmutableSortedDictionary.CreateBuilder<string, int>(StringComparer.Ordinal);
        foreach ((Service service, PortMapping mapping) in entry.Published)
        {
            if (mapping.Published is null)
            {
                string key = ProjectEntry.PortKey(service, mapping);
                ports[key] = previous?.AssignedPorts.GetValueOrDefault(key) is int chosen and > 0
                    ? chosen
                    : FreePort();
            }
        }

        return entry with { AssignedPorts = ports.ToImmutable() };
    }

    /// <summary>
    /// Services of several projects may share an address as long as each request is for one of
    /// them.
    /// </summary>
    public static void RefuseClaimedAddresses(
        ProjectEntry desired, IEnumerable<ProjectEntry> others)
    {
        ILookup<IPEndPoint, Publication> wanted =
            Publication.Of(desired).ToLookup(published => published.Address);
        HashSet<IPEndPoint> fronted = [.. FrontsOf(desired)];
        foreach (ProjectEntry other in others.Where(o => o.Name != desired.Name))
        {
            IPEndPoint? taken = Ingress.Listeners(other).FirstOrDefault(fronted.Contains)
                ?? FrontsOf(other).FirstOrDefault(wanted.Contains);
            if (taken is not null)
            {
                throw new UserErrorException(
                    $"{taken} is already listened on for project {other.Name}. Nothing was "
                    + "changed. Listen on another port, or take that project down.",
                    UserErrorException.Failed);
            }

            foreach (Publication earlier in Publication.Of(other))
            {
                foreach (Publication later in wanted[earlier.Address])
                {
                    RefuseClash(earlier, other.Name, later);
                }
            }
        }
    }

    private static IEnumerable<IPEndPoint> FrontsOf(ProjectEntry entry) =>
        entry.Fronts.SelectMany(front => front.ListenersOf(entry))
            .Select(served => served.Address);

    /// <summary>An address of one file is nobody else's in the project.</summary>
    private static void RefuseClaimedFronts(ProjectEntry desired)
    {
        HashSet<IPEndPoint> taken = [.. Publication.Of(desired).Select(p => p.Address)];
        foreach (NginxFront front in desired.Fronts)
        {
            foreach ((IPEndPoint address, _) in front.ListenersOf(desired))
            {
                if (!taken.Add(address))
                {
                    throw new UserErrorException(
                        $"{address}, which {front.File} listens on, is published elsewhere in "
                        + "the project. Nothing was changed. Take one of the two away.",
                        UserErrorException.InvalidInput);
                }
            }
        }
    }

    /// <summary>Refuses what the data plane cannot do, before anything is changed.</summary>
    public static void RefuseProblems(ProjectEntry desired)
    {
        RefuseClaimedFronts(desired);
        // The loader refuses what one file says; here services of several times may have met.
        string[] conflicts =
        [
            .. SharedBackend.Conflicts(desired.Project.Services.Values.SelectMany(
                service => Publication.RoutesOf(service).Select(route => new BackendShare(
                    service.Name, service.Options, route, route.Port ?? 0))))
                .Select(conflict => conflict.Describe(_ => "")),
        ];
        if (conflicts.Length > 0)
        {
            throw new UserErrorException(
                string.Join('\n', conflicts) + "\nNothing was changed.",
                UserErrorException.InvalidInput);
        }

        ProxyConfig config = RouteBuilder.Build(
            [desired], new CatalogSnapshot(ImmutableSortedDictionary<string, Instance>.Empty),
            _ => [], _ => "access.log", () => []);
        string[] problems = [.. ProxyServer.FindProblems(config).Distinct()];
        if (problems.Length > 0)
        {
            throw new UserErrorException(
                string.Join('\n', problems) + "\nNothing was changed.",
                UserErrorException.InvalidInput);
        }
    }

    private static void RefuseClash(Publication earlier, string project, Publication later)
    {
        bool areHttp = earlier.Protocol != ListenerProtocol.Tcp
            && later.Protocol != ListenerProtocol.Tcp;
        string? key = later.Keys.Intersect(earlier.Keys).FirstOrDefault();
        if (areHttp && key is null)
        {
            return;
        }

        string what = areHttp && key != RouteKey.Everything
            ? $", and {later.Service.Name} asks for the same requests ({key})"
            : "";
        throw new UserErrorException(
            $"port {earlier.Address.Port} is already published by service {earlier.Service.Name} "
            + $"of project {project}{what}. Nothing was changed. Publish another port, give both "
            + "services routes that differ (x-tessera.routes), or take that project down.",
            UserErrorException.Failed);
    }

    private static int FreePort()
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Any, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }
}
