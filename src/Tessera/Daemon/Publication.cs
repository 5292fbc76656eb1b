using System.Collections.Immutable;
using System.Net;
using Tessera.Proxy;
using Tessera.Stack;
using Tessera.Stack.Routing;

namespace Tessera.Daemon;

/// <param name="Options">With a port, unless it needs none.</param>
/// <param name="Backend">Null for a route that answers without anybody to forward to.</param>
internal sealed record PublishedRoute(RouteOptions Options, PublishedBackend? Backend);

/// <summary>What one service serves on one public address. Pure.</summary>
/// <param name="Routes">At least one.</param>
internal sealed record Publication(
    Service Service,
    IPEndPoint Address,
    ListenerProtocol Protocol,
    ImmutableArray<PublishedRoute> Routes)
{
    /// <summary>
    /// Everything that a project publishes. A route is served on the ports that its service
    /// publishes for the route's target; when it publishes none, on the addresses of
    /// <see cref="Project.Listen"/>. A published port that no route names is served whole.
    /// </summary>
    public static IEnumerable<Publication> Of(ProjectEntry entry)
    {
        Dictionary<string, PublishedBackend> shared = PublishedBackend.SharedOf(entry.Project);
        foreach (Service service in entry.Project.Services.Values)
        {
            ImmutableArray<RouteOptions> routes = [.. RoutesOf(service)];
            var served = new HashSet<int>();
            foreach (PortMapping mapping in service.Ports.Where(
                port => port.Protocol == "tcp" && !service.IsFront))
            {
                // A port that the file leaves open is for whoever asks for it, and not for routes.
                ImmutableArray<RouteOptions> own = mapping.Published is null
                    ? []
                    : [.. routes.Where(route => route.Port == mapping.Target)];
                if (!own.IsEmpty)
                {
                    served.Add(mapping.Target);
                }

                int port = entry.PublishedPort(service, mapping);
                foreach (IPAddress address in AddressesOf(mapping.HostIp))
                {
                    yield return new Publication(
                        service,
                        new IPEndPoint(address, port),
                        ProtocolOf(mapping),
                        Led(own.IsEmpty
                            ? [RouteOptions.Everything with { Port = mapping.Target }]
                            : own, service));
                }
            }

            ImmutableArray<RouteOptions> left =
                [.. routes.Where(route => !served.Contains(route.Port ?? 0))];
            if (!left.IsEmpty)
            {
                foreach (IPEndPoint address in ListenOf(entry.Project))
                {
                    yield return new Publication(
                        service, address, ListenerProtocol.Http, Led(left, service));
                }
            }
        }

        ImmutableArray<PublishedRoute> Led(ImmutableArray<RouteOptions> routes, Service service) =>
            [.. routes.Select(route =>
                new PublishedRoute(route, BackendOf(entry.Name, route, service, shared)))];
    }

    /// <summary>
    /// As the file has them; one without a port of its own has the service's first.
    /// </summary>
    public static IEnumerable<RouteOptions> RoutesOf(Service service) =>
        service.Options.Routes.Select(
            route => route.Port is not null || service.TargetPorts.IsEmpty
                ? route
                : route with { Port = service.TargetPorts[0] });

    /// <summary>An address that is not given is every IPv4 and every IPv6 address.</summary>
    public static ImmutableArray<IPAddress> AddressesOf(string? address) => address is null
        ? System.Net.Sockets.Socket.OSSupportsIPv6
            ? [IPAddress.Any, IPAddress.IPv6Any]
            : [IPAddress.Any]
        : [IPAddress.Parse(address)];

    /// <summary>The keys of requests that are served, one for each route and host.</summary>
    public IEnumerable<string> Keys =>
        Routes.SelectMany(route => RouteKey.Of(route.Options));

    /// <summary>Target ports that requests go to; none when the routes answer alone.</summary>
    public IEnumerable<int> Targets =>
        Routes.Select(route => TargetOf(route.Options, Service)).OfType<int>().Distinct();

    public IEnumerable<PublishedBackend> Backends =>
        Routes.Select(route => route.Backend).OfType<PublishedBackend>()
            .DistinctBy(backend => backend.Name);

    /// <summary>For people: every address of the machine is <c>localhost</c>.</summary>
    public string AddressText => TextOf(Address);

    /// <inheritdoc cref="AddressText"/>
    public static string TextOf(IPEndPoint address) =>
        address.Address.Equals(IPAddress.Any) || address.Address.Equals(IPAddress.IPv6Any)
            ? $"localhost:{address.Port}"
            : address.ToString();

    /// <summary>
    /// Null for a route of a service that answers without anybody to forward to. An external
    /// service's endpoints have ports of their own: any will do.
    /// </summary>
    private static int? TargetOf(RouteOptions route, Service service) =>
        service.IsExternal || service.HasInstances
            || !route.Rules.Over(service.Options.Rules).Answers
            ? route.Port ?? 0
            : null;

    private static IEnumerable<IPEndPoint> ListenOf(Project project)
    {
        foreach (string text in project.Listen)
        {
            int colon = text.LastIndexOf(':');
            string? address = colon < 0 ? null : text[..colon].Trim('[', ']');
            int port = int.Parse(
                text.AsSpan(colon + 1), System.Globalization.CultureInfo.InvariantCulture);
            foreach (IPAddress each in AddressesOf(address))
            {
                yield return new IPEndPoint(each, port);
            }
        }
    }

    private static PublishedBackend? BackendOf(
        string project, RouteOptions route, Service service,
        Dictionary<string, PublishedBackend> shared) =>
        TargetOf(route, service) is not { } target ? null
        : route.Backend is { } name && shared.TryGetValue(name, out PublishedBackend? backend)
            ? backend
        : PublishedBackend.Own(project, service, target);

    private static ListenerProtocol ProtocolOf(PortMapping mapping) => mapping.AppProtocol switch
    {
        "http" => ListenerProtocol.Http,
        "tcp" => ListenerProtocol.Tcp,
        _ => ListenerProtocol.Auto,
    };
}
