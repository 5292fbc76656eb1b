using System.Collections.Immutable;
using System.Net;
using Tessera.Proxy;
using Tessera.Stack;
using Tessera.Stack.Discovery;

namespace Tessera.Daemon;

/// <summary>
/// The one seam between what runs and what is routed: (projects, catalog) →
/// <see cref="ProxyConfig"/>. Pure: equal input gives an equal configuration.
/// </summary>
internal static class RouteBuilder
{
    /// <param name="resolve">
    /// Addresses of an external endpoint's host; empty when it has none.
    /// </param>
    /// <param name="accessLogOf">Path of a project's access log.</param>
    public static ProxyConfig Build(
        IEnumerable<ProjectEntry> projects,
        CatalogSnapshot catalog,
        Func<string, ImmutableArray<IPAddress>> resolve,
        Func<string, string> accessLogOf)
    {
        ILookup<(string, string), Instance> instances = catalog.Instances.Values
            .OrderBy(i => i.Slot.Number).ThenBy(i => i.CreatedAt)
            .ToLookup(i => (i.Slot.Project, i.Slot.Service));
        var listeners = ImmutableArray.CreateBuilder<ListenerConfig>();
        var backends = new Dictionary<string, BackendConfig>(StringComparer.Ordinal);
        foreach (ProjectEntry entry in projects)
        {
            foreach ((Service service, PortMapping mapping) in entry.Published)
            {
                string backend = BackendName(entry.Name, service.Name, mapping.Target);
                backends.TryAdd(backend, BuildBackend(entry, service, mapping.Target,
                    [.. instances[(entry.Name, service.Name)]], resolve));
                foreach (IPAddress address in ListenAddresses(mapping))
                {
                    listeners.Add(new ListenerConfig
                    {
                        Address = new IPEndPoint(address, entry.PublishedPort(service, mapping)),
                        Protocol = ProtocolOf(mapping),
                        Routes = [new RouteConfig { Backend = backend }],
                        AccessLog = new AccessLogConfig { Path = accessLogOf(entry.Name) },
                    });
                }
            }
        }

        return new ProxyConfig
        {
            Listeners = listeners.ToImmutable(),
            Backends = [.. backends.Values],
        };
    }

    public static string BackendName(string project, string service, int targetPort) =>
        $"{project}/{service}:{targetPort}";

    /// <summary>
    /// A mapping without an address listens on every IPv4 and every IPv6 address.
    /// </summary>
    public static ImmutableArray<IPAddress> ListenAddresses(PortMapping mapping) =>
        mapping.HostIp is null
            ? System.Net.Sockets.Socket.OSSupportsIPv6
                ? [IPAddress.Any, IPAddress.IPv6Any]
                : [IPAddress.Any]
            : [IPAddress.Parse(mapping.HostIp)];

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

    private static BackendConfig BuildBackend(
        ProjectEntry entry, Service service, int targetPort, List<Instance> instances,
        Func<string, ImmutableArray<IPAddress>> resolve)
    {
        ServiceOptions options = service.Options;
        return new BackendConfig
        {
            Name = BackendName(entry.Name, service.Name, targetPort),
            Algorithm = options.Balance switch
            {
                "least_conn" => BalanceAlgorithm.LeastConnections,
                "ip_hash" => BalanceAlgorithm.IpHash,
                _ => BalanceAlgorithm.RoundRobin,
            },
            Endpoints = service.IsExternal
                ? [.. options.Endpoints.SelectMany(e => ExternalEndpoints(e, resolve))]
                : [.. instances.Where(i => i.IsAlive).SelectMany(
                    i => InstanceEndpoints(i, service, targetPort))],
            Places = service.IsExternal
                ? []
                : [.. Enumerable.Range(1, Math.Max(service.Scale, 0)).Select(
                    slot => new PlaceConfig(PlaceOf(slot), WeightOf(service, slot)))],
            IsManaged = !service.IsExternal,
            UnavailableReason = UnavailableReason(entry, service, instances),
            Limits = BackendLimits.Default with
            {
                ConnectTimeoutMs = Milliseconds(options.ConnectTimeout),
                ReadTimeoutMs = Milliseconds(options.ReadTimeout),
                HoldTimeoutMs = Milliseconds(options.HoldTimeout),
                HoldQueueLength = options.HoldQueueLength,
            },
        };
    }

    private static IEnumerable<EndpointConfig> InstanceEndpoints(
        Instance instance, Service service, int targetPort)
    {
        if (instance.Addresses.TryGetValue(targetPort, out IPEndPoint? address))
        {
            yield return new EndpointConfig
            {
                Id = instance.Id,
                Address = address,
                Weight = WeightOf(service, instance.Slot.Number),
                State = TrafficOf(instance).State,
                Place = PlaceOf(instance.Slot.Number),
            };
        }
    }

    private static IEnumerable<EndpointConfig> ExternalEndpoints(
        ExternalEndpoint endpoint, Func<string, ImmutableArray<IPAddress>> resolve) =>
        resolve(endpoint.Host).Select(address => new EndpointConfig
        {
            Id = $"{endpoint.Host}:{endpoint.Port}@{address}",
            Address = new IPEndPoint(address, endpoint.Port),
            Weight = endpoint.Weight,
        });

    /// <summary>
    /// The hash algorithms choose a slot, so that whoever runs in it next gets its clients, and
    /// those of the other slots stay where they are.
    /// </summary>
    private static string PlaceOf(int slot) => $"slot-{slot}";

    private static int WeightOf(Service service, int slot)
    {
        ImmutableArray<int> weights = service.Options.Weights;
        return weights.IsEmpty ? 1 : weights[Math.Min(slot, weights.Length) - 1];
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

    private static ListenerProtocol ProtocolOf(PortMapping mapping) => mapping.AppProtocol switch
    {
        "http" => ListenerProtocol.Http,
        "tcp" => ListenerProtocol.Tcp,
        _ => ListenerProtocol.Auto,
    };

    private static int Milliseconds(TimeSpan time) =>
        (int)Math.Clamp(time.TotalMilliseconds, 0, int.MaxValue);
}
