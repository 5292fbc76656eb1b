using System.Collections.Immutable;
using System.Net;
using Tessera.Proxy;
using Tessera.Stack;
using Tessera.Stack.Discovery;
using Tessera.Stack.Routing;

namespace Tessera.Daemon;

/// <summary>
/// What a project's files in nginx's language add to the configuration, with the instances of a
/// service in the place of its name. Pure.
/// </summary>
/// <param name="entry">Its fronts have been read.</param>
/// <param name="resolve">Addresses of an external endpoint's host; empty when it has none.</param>
internal sealed class FrontBuilder(
    ProjectEntry entry,
    ILookup<(string Project, string Service), Instance> instances,
    Func<string, ImmutableArray<IPAddress>> resolve)
{
    public IEnumerable<ListenerConfig> Listeners() =>
        from front in entry.Fronts
        from served in front.ListenersOf(entry)
        select served.Listener with { Address = served.Address, Scope = ScopeOf(entry, front) };

    /// <summary>At the addresses of the files.</summary>
    public IEnumerable<ListenerConfig> DatagramListeners() =>
        from front in entry.Fronts
        from listener in front.Config!.Proxy.DatagramListeners
        select listener with { Scope = ScopeOf(entry, front) };

    public IEnumerable<BackendConfig> Backends() =>
        from front in entry.Fronts
        from backend in front.Config!.Proxy.Backends
        select Build(backend, ScopeOf(entry, front));

    /// <summary>Names of the backends that a service's instances are behind.</summary>
    public static IEnumerable<string> BackendsOf(ProjectEntry entry, string service) =>
        from front in entry.Fronts
        from backend in front.Config!.Proxy.Backends
        where backend.Endpoints.Any(
            endpoint => endpoint.Address is HostEndPoint host && host.Host == service)
        select ScopeOf(entry, front).Qualify(backend.Name);

    /// <summary>Each file's names are its own.</summary>
    private static ScopeConfig ScopeOf(ProjectEntry entry, NginxFront front)
    {
        int number = entry.Fronts.IndexOf(front) + 1;
        return new ScopeConfig(
            number == 1 ? $"{entry.Name}/nginx" : $"{entry.Name}/nginx-{number}",
            front.Config!.Proxy.Variables);
    }

    private BackendConfig Build(BackendConfig backend, ScopeConfig scope)
    {
        BackendConfig named = backend with
        {
            Name = scope.Qualify(backend.Name),
            Label = backend.Label ?? backend.Name,
            Scope = scope,
        };
        BackendMember[] members =
        [
            .. backend.Endpoints.Select(endpoint => endpoint.Address).OfType<HostEndPoint>()
                .Select(MemberOf).DistinctBy(member => member.Service.Name),
        ];
        if (members.Length == 0)
        {
            return named;
        }

        var known = new HashSet<string>(StringComparer.Ordinal);
        bool isAllOurs = Array.TrueForAll(members, member => member.Service.HasInstances)
            && backend.Endpoints.All(endpoint => endpoint.Address is HostEndPoint);
        named = named with
        {
            Endpoints = [.. backend.Endpoints.SelectMany(line => EndpointsOf(line, known))],
            Places = [.. backend.Endpoints.Where(line => !line.IsBackup).SelectMany(PlacesOf)],
            UnavailableReason = isAllOurs
                ? RouteBuilder.UnavailableReason(
                    entry, new PublishedBackend(named.Name, [.. members]), instances)
                : null,
        };
        return Array.Exists(members, member => member.Service.HasInstances)
            ? Held(named, members[0].Service.Options)
            : named;
    }

    /// <summary>
    /// What this program starts and stops is waited for, as everywhere: nobody's request fails
    /// because an instance is replaced.
    /// </summary>
    private static BackendConfig Held(BackendConfig backend, ServiceOptions options) => backend with
    {
        IsManaged = true,
        LeavesFailedOut = false,
        Limits = backend.Limits.HoldQueueLength > 0
            ? backend.Limits
            : backend.Limits with
            {
                HoldQueueLength = options.HoldQueueLength,
                HoldTimeoutMs = RuleTranslation.Limits(options).HoldTimeoutMs,
            },
    };

    private BackendMember MemberOf(HostEndPoint host)
    {
        Service service = entry.Project.Services[host.Host];
        return new BackendMember(service, NginxFront.TargetOf(service, host.Port) ?? host.Port);
    }

    /// <summary>As many as the line stands for, each with its parameters.</summary>
    private IEnumerable<EndpointConfig> EndpointsOf(EndpointConfig line, HashSet<string> known)
    {
        if (line.Address is not HostEndPoint host)
        {
            return [line with { Place = line.IsBackup ? null : line.Id }];
        }

        BackendMember member = MemberOf(host);
        return member.Service.IsExternal
            ? ExternalEndpoints(line, member.Service)
            : InstanceEndpoints(line, member, known);
    }

    private IEnumerable<EndpointConfig> InstanceEndpoints(
        EndpointConfig line, BackendMember member, HashSet<string> known)
    {
        foreach (Instance instance in
            instances[(entry.Name, member.Service.Name)].Where(instance => instance.IsAlive))
        {
            // One line is enough for it, and the first port has its own name.
            string second = SecondId(instance.Id, member.Target);
            if (instance.Addresses.TryGetValue(member.Target, out IPEndPoint? address)
                && known.Add(second))
            {
                yield return line with
                {
                    Id = known.Add(instance.Id) ? instance.Id : second,
                    Address = address,
                    State = line.State == EndpointState.Active
                        ? RouteBuilder.TrafficOf(instance).State
                        : line.State,
                    Place = RouteBuilder.PlaceOf(
                        member.Service, instance.Slot.Number, isShared: true),
                };
            }
        }
    }

    /// <summary>Of an instance that is in one backend with several of its ports.</summary>
    public static string SecondId(string instance, int target) => $"{instance}@{target}";

    private IEnumerable<EndpointConfig> ExternalEndpoints(EndpointConfig line, Service service) =>
        from endpoint in service.Options.Endpoints
        from address in resolve(endpoint.Host)
        select line with
        {
            Id = $"{endpoint.Host}:{endpoint.Port}@{address}",
            Address = new IPEndPoint(address, endpoint.Port),
            Place = line.IsBackup ? null : $"{endpoint.Host}:{endpoint.Port}@{address}",
            State = endpoint.IsDown ? EndpointState.Out : line.State,
        };

    private IEnumerable<PlaceConfig> PlacesOf(EndpointConfig line)
    {
        if (line.Address is not HostEndPoint host)
        {
            return [new PlaceConfig(line.Id, line.Weight)];
        }

        Service service = MemberOf(host).Service;
        return service.IsExternal
            ? ExternalEndpoints(line, service).Select(
                endpoint => new PlaceConfig(endpoint.Id, line.Weight))
            : Enumerable.Range(1, Math.Max(service.Scale, 0)).Select(slot => new PlaceConfig(
                RouteBuilder.PlaceOf(service, slot, isShared: true), line.Weight));
    }
}
