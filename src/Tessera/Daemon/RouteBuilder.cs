using System.Collections.Immutable;
using System.Net;
using Tessera.Proxy;
using Tessera.Stack;
using Tessera.Stack.Discovery;
using Tessera.Stack.Routing;

namespace Tessera.Daemon;

/// <summary>
/// The one seam between what runs and what is routed: (projects, catalog) →
/// <see cref="ProxyConfig"/>. Pure: equal input gives an equal configuration.
/// </summary>
internal static class RouteBuilder
{
    /// <summary>Services of one backend whose troubles one answer tells.</summary>
    private const int MaxReasons = 3;

    /// <param name="resolve">
    /// Addresses of an external endpoint's host; empty when it has none.
    /// </param>
    /// <param name="accessLogOf">Path of a project's access log.</param>
    /// <param name="stickyKey">
    /// Signs the cookies of sticky services; asked when there is one.
    /// </param>
    public static ProxyConfig Build(
        IEnumerable<ProjectEntry> projects,
        CatalogSnapshot catalog,
        Func<string, ImmutableArray<IPAddress>> resolve,
        Func<string, string> accessLogOf,
        Func<ImmutableArray<byte>> stickyKey)
    {
        ILookup<(string, string), Instance> instances = catalog.Instances.Values
            .OrderBy(i => i.Slot.Number).ThenBy(i => i.CreatedAt)
            .ToLookup(i => (i.Slot.Project, i.Slot.Service));
        var listeners = new List<ListenerConfig>();
        var places = new Dictionary<IPEndPoint, int>();
        var datagrams = new Dictionary<IPEndPoint, ListenerConfig>();
        var backends = new Dictionary<string, BackendConfig>(StringComparer.Ordinal);
        var served = new Dictionary<(IPEndPoint, string), Service>();
        foreach (ProjectEntry entry in projects)
        {
            var fronts = new FrontBuilder(entry, instances, resolve);
            foreach (BackendConfig backend in fronts.Backends())
            {
                backends.Add(backend.Name, backend);
            }

            foreach (ListenerConfig listener in fronts.DatagramListeners())
            {
                datagrams.TryAdd(listener.Address, listener);
            }

            foreach (ListenerConfig listener in fronts.Listeners())
            {
                if (places.TryAdd(listener.Address, listeners.Count))
                {
                    listeners.Add(listener);
                }
            }

            foreach (Publication published in Publication.Of(entry))
            {
                foreach (PublishedBackend backend in published.Backends)
                {
                    if (!backends.ContainsKey(backend.Name))
                    {
                        backends.Add(backend.Name,
                            BuildBackend(entry, backend, instances, resolve, stickyKey));
                    }
                }

                ListenerConfig listener = BuildListener(entry, published, served, accessLogOf);
                if (places.TryAdd(listener.Address, listeners.Count))
                {
                    listeners.Add(listener);
                }
                else
                {
                    int place = places[listener.Address];
                    listeners[place] = Merge(listeners[place], listener);
                }
            }
        }

        return new ProxyConfig
        {
            Listeners = [.. listeners],
            DatagramListeners = [.. datagrams.Values],
            Backends = [.. backends.Values],
        };
    }

    /// <summary>
    /// What <paramref name="instance"/> gets from the balancer, and why not more.
    /// </summary>
    public static (EndpointState State, string Reason) TrafficOf(Instance instance) =>
        instance.State switch
        {
            InstanceState.Running when instance.IsReady => (EndpointState.Active, ""),
            InstanceState.Running => (EndpointState.Out, Because("unhealthy", instance)),
            InstanceState.Draining or InstanceState.Stopping =>
                (EndpointState.Draining, Because("stopping", instance)),
            InstanceState.Starting => (EndpointState.Out, Because("not ready yet", instance)),
            InstanceState.Pending => (EndpointState.Out, Because("not started", instance)),
            InstanceState.Failed => (EndpointState.Out, Because("failed", instance)),
            _ => (EndpointState.Out,
                Because($"exited ({instance.ExitCode?.ToString() ?? "unknown"})", instance)),
        };

    private static string Because(string what, Instance instance) =>
        instance.Reason.Length == 0 ? what : $"{what}: {instance.Reason}";

    private static ListenerConfig BuildListener(
        ProjectEntry entry, Publication published,
        Dictionary<(IPEndPoint, string), Service> served, Func<string, string> accessLogOf)
    {
        Service service = published.Service;
        return new ListenerConfig
        {
            Address = published.Address,
            Protocol = published.Protocol,
            Routes =
            [
                .. published.Routes.SelectMany((route, i) => Unserved(route, published, served)
                    .SelectMany(options => RuleTranslation.Routes(
                        options, service, RouteName(entry, service, route),
                        $"{entry.Name}/{service.Name}/{i}", route.Backend?.Name))),
            ],
            AccessLog = BuildAccessLog(service, accessLogOf(entry.Name)),
        };
    }

    /// <summary>
    /// Requests that several services behind one backend take are one route: the first service's,
    /// as far as it goes.
    /// </summary>
    private static IEnumerable<RouteOptions> Unserved(
        PublishedRoute route, Publication published,
        Dictionary<(IPEndPoint, string), Service> served)
    {
        if (route.Backend is not { IsShared: true })
        {
            return [route.Options];
        }

        // A host is a route of its own; so is none.
        IEnumerable<RouteOptions> hosts = route.Options.Hosts.IsEmpty
            ? [route.Options]
            : route.Options.Hosts.Distinct().Select(host => route.Options with { Hosts = [host] });
        return [.. hosts.Where(IsFirst)];

        bool IsFirst(RouteOptions host)
        {
            (IPEndPoint, string) place = (published.Address, RouteKey.Of(host).Single());
            return served.TryAdd(place, published.Service)
                || served[place] == published.Service;
        }
    }

    /// <summary>One that is shared is named by its backend: it is no service's own.</summary>
    private static string RouteName(ProjectEntry entry, Service service, PublishedRoute route)
    {
        string owner = route.Backend is { IsShared: true } shared
            ? shared.Name
            : $"{entry.Name}/{service.Name}";
        return route.Options.Name.Length == 0 ? owner : $"{owner}/{route.Options.Name}";
    }

    /// <summary>One file has one format: a service with its own has a file of its own.</summary>
    private static AccessLogConfig? BuildAccessLog(Service service, string path) =>
        service.Options.AccessLog switch
        {
            null => new AccessLogConfig { Path = path },
            { IsOn: false } => null,
            { Format: AccessLogConfig.CombinedFormat } => new AccessLogConfig { Path = path },
            { Format: var format } => new AccessLogConfig
            {
                Path = Path.Combine(
                    Path.GetDirectoryName(path) ?? "", $"access-{service.Name}.log"),
                Format = format,
            },
        };

    /// <summary>Several services behind one address: only HTTP tells them apart.</summary>
    private static ListenerConfig Merge(ListenerConfig earlier, ListenerConfig later) =>
        earlier with
        {
            Protocol = ListenerProtocol.Http,
            Routes = [.. earlier.Routes, .. later.Routes],
        };

    private static BackendConfig BuildBackend(
        ProjectEntry entry, PublishedBackend published,
        ILookup<(string, string), Instance> instances,
        Func<string, ImmutableArray<IPAddress>> resolve, Func<ImmutableArray<byte>> stickyKey)
    {
        // The members have these options alike.
        Service first = published.Members[0].Service;
        ServiceOptions options = first.Options;
        var backend = new BackendConfig
        {
            Name = published.Name,
            Algorithm = RuleTranslation.Algorithm(options.Balance),
            Endpoints =
            [
                .. published.Members.SelectMany(member => member.Service.IsExternal
                    ? member.Service.Options.Endpoints.SelectMany(
                        e => ExternalEndpoints(e, member.Service.Options, resolve))
                    : instances[(entry.Name, member.Service.Name)].Where(i => i.IsAlive)
                        .SelectMany(i => InstanceEndpoints(i, member, published.IsShared))),
            ],
            Places = first.IsExternal
                ? []
                : [.. published.Members.SelectMany(
                    member => PlacesOf(member.Service, published.IsShared))],
            IsManaged = !first.IsExternal,
            UnavailableReason = UnavailableReason(entry, published, instances),
            Limits = RuleTranslation.Limits(options),
            Sticky = options.Sticky is { } sticky
                ? RuleTranslation.Sticky(sticky, stickyKey())
                : null,
            Probe = options.Probe is { } probe ? RuleTranslation.Probe(probe) : null,
            Outlier = options.Outlier is { } outlier ? RuleTranslation.Outlier(outlier) : null,
            Retry = options.Rules.Retry is { } retry
                ? RuleTranslation.Retry(retry)
                : RetryConfig.Default,
        };
        return options.HashKey is { } key ? backend with { HashKey = key } : backend;
    }

    private static IEnumerable<PlaceConfig> PlacesOf(Service service, bool isShared) =>
        Enumerable.Range(1, Math.Max(service.Scale, 0)).Select(slot => new PlaceConfig(
            PlaceOf(service, slot, isShared), WeightOf(service, slot)));

    private static IEnumerable<EndpointConfig> InstanceEndpoints(
        Instance instance, BackendMember member, bool isShared)
    {
        (Service service, int slot) = (member.Service, instance.Slot.Number);
        if (instance.Addresses.TryGetValue(member.Target, out IPEndPoint? address))
        {
            var endpoint = new EndpointConfig
            {
                Id = instance.Id,
                Address = address,
                Weight = WeightOf(service, slot),
                State = TrafficOf(instance).State,
                Place = PlaceOf(service, slot, isShared),
            };
            yield return RuleTranslation.Limited(endpoint, service.Options.EndpointLimits);
        }
    }

    private static IEnumerable<EndpointConfig> ExternalEndpoints(
        ExternalEndpoint endpoint, ServiceOptions options,
        Func<string, ImmutableArray<IPAddress>> resolve) =>
        resolve(endpoint.Host).Select(address => RuleTranslation.Limited(
            new EndpointConfig
            {
                Id = $"{endpoint.Host}:{endpoint.Port}@{address}",
                Address = new IPEndPoint(address, endpoint.Port),
                Weight = endpoint.Weight,
                IsBackup = endpoint.IsBackup,
                State = endpoint.IsDown ? EndpointState.Out : EndpointState.Active,
            },
            endpoint.Limits ?? options.EndpointLimits));

    /// <summary>
    /// The hash algorithms choose a slot, so that whoever runs in it next gets its clients, and
    /// those of the other slots stay where they are.
    /// </summary>
    public static string PlaceOf(Service service, int slot, bool isShared) =>
        isShared ? $"{service.Name}/slot-{slot}" : $"slot-{slot}";

    private static int WeightOf(Service service, int slot)
    {
        ImmutableArray<int> weights = service.Options.Weights;
        return weights.IsEmpty ? 1 : weights[Math.Min(slot, weights.Length) - 1];
    }

    /// <summary>While any of the services will answer, waiting is worth it.</summary>
    public static string? UnavailableReason(
        ProjectEntry entry, PublishedBackend backend,
        ILookup<(string, string), Instance> instances)
    {
        List<string> reasons = [];
        foreach (BackendMember member in backend.Members)
        {
            if (UnavailableReason(entry, member.Service,
                [.. instances[(entry.Name, member.Service.Name)]]) is not { } reason)
            {
                return null;
            }

            reasons.Add(reason);
        }

        return reasons.Count > MaxReasons
            ? $"{string.Join("; ", reasons.Take(MaxReasons))} …"
            : string.Join("; ", reasons);
    }

    private static string? UnavailableReason(
        ProjectEntry entry, Service service, List<Instance> instances)
    {
        if (entry.GoingAway.TryGetValue(service.Name, out string? reason))
        {
            return reason;
        }

        if (service.IsExternal)
        {
            return null;
        }

        if (service.Scale == 0)
        {
            return $"{service.Name} is scaled to 0";
        }

        // The newest of each slot decides; while any of them runs or will run, waiting is worth it.
        List<Instance> newest = [.. instances.GroupBy(i => i.Slot).Select(g => g.Last())];
        if (newest.Count == 0)
        {
            return entry.Expected.Contains(service.Name) ? null : $"{service.Name} has no instance";
        }

        if (!newest.TrueForAll(i => i.IsFinal))
        {
            return null;
        }

        return $"{newest[0].Name}: {TrafficOf(newest[0]).Reason}";
    }
}
