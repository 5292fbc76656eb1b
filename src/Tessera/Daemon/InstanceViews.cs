using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using Tessera.Proxy;
using Tessera.Stack;
using Tessera.Stack.Discovery;
using Tessera.Stack.Routing;

namespace Tessera.Daemon;

/// <summary>What <c>ps</c> says of each instance, in Compose's words. Pure.</summary>
internal static class InstanceViews
{
    /// <summary>Instances of a project by service and slot, then its external endpoints.</summary>
    /// <param name="backends">What is applied in the balancer, of all projects.</param>
    public static ImmutableArray<InstanceView> Of(
        ProjectEntry entry, CatalogSnapshot catalog, ImmutableArray<BackendStatus> backends,
        ImmutableArray<ListenFailure> failures, DateTimeOffset now)
    {
        Dictionary<string, Routing> routings = entry.Project.Services.Values.ToDictionary(
            s => s.Name, s => RoutingOf(entry, s, backends, failures), StringComparer.Ordinal);
        return
        [
            .. catalog.Instances.Values
                .Where(i => i.Slot.Project == entry.Name)
                .OrderBy(i => i.Slot.Service, StringComparer.Ordinal)
                .ThenBy(i => i.Slot.Number).ThenBy(i => i.CreatedAt)
                .Select(i => View(
                    i, routings.GetValueOrDefault(i.Slot.Service, Routing.None), now)),
            .. entry.Project.Services.Values.Where(s => s.IsExternal)
                .SelectMany(s => External(entry.Name, s, routings[s.Name])),
        ];
    }

    /// <summary>How a service is reached.</summary>
    /// <param name="ListenFault">Why nobody can reach it; null when all can.</param>
    private sealed record Routing(
        ImmutableArray<PublisherView> Publishers,
        ImmutableArray<BackendStatus> Backends,
        string? ListenFault)
    {
        public static Routing None { get; } = new([], [], null);
    }

    private static Routing RoutingOf(
        ProjectEntry entry, Service service, ImmutableArray<BackendStatus> backends,
        ImmutableArray<ListenFailure> failures)
    {
        Publication[] published =
            [.. Publication.Of(entry).Where(p => p.Service.Name == service.Name)];
        HashSet<string> names =
        [
            .. published.SelectMany(p => p.Backends).Select(b => b.Name),
            .. FrontBuilder.BackendsOf(entry, service.Name),
        ];
        HashSet<IPEndPoint> own = [.. published.Select(p => p.Address)];
        ListenFailure? failure = failures.FirstOrDefault(f => own.Contains(f.Address));
        return new Routing(
            [
                .. service.Ports.Select(m => new PublisherView(
                    m.HostIp ?? "0.0.0.0", m.Target, entry.PublishedPort(service, m),
                    m.Protocol)),

                // Routes that none of its ports serves.
                .. published
                    .Where(p => service.Ports.All(
                        m => entry.PublishedPort(service, m) != p.Address.Port))
                    .DistinctBy(p => p.Address.Port)
                    .Select(p => new PublisherView(
                        p.Address.Address.ToString(), p.Targets.FirstOrDefault(),
                        p.Address.Port, "tcp")),
            ],
            [.. backends.Where(b => names.Contains(b.Backend))],
            failure is null ? null : $"cannot listen on {failure.Address}: {failure.Reason}");
    }

    private static InstanceView View(Instance instance, Routing routing, DateTimeOffset now)
    {
        Traffic traffic = Traffic.Of(instance, routing.Backends, routing.ListenFault);
        return new InstanceView(
            instance.Id, instance.Name, instance.Slot.Project, instance.Slot.Service,
            instance.Command, StateWord(instance), HealthWord(instance), Status(instance, now),
            traffic.Word, traffic.Reason, instance.IsAlive ? instance.Pid : null,
            instance.ExitCode, instance.Restarts, instance.Reason,
            instance.Addresses.IsEmpty ? "" : instance.Addresses.Values.First().ToString(),
            instance.CreatedAt, routing.Publishers, traffic.InFlight, traffic.Requests);
    }

    private static IEnumerable<InstanceView> External(
        string project, Service service, Routing routing)
    {
        for (int n = 1; n <= service.Options.Endpoints.Length; n++)
        {
            ExternalEndpoint endpoint = service.Options.Endpoints[n - 1];
            string address = $"{endpoint.Host}:{endpoint.Port}";
            Traffic traffic = Traffic.OfExternal(
                address, endpoint.Host, routing.Backends, routing.ListenFault);
            yield return new InstanceView(
                address, new SlotName(project, service.Name, n).ToString(), project,
                service.Name, "", InstanceStates.External, "", "External",
                traffic.Word, traffic.Reason, null, null, 0, "", address,
                DateTimeOffset.UnixEpoch, routing.Publishers, traffic.InFlight, traffic.Requests);
        }
    }

    private static string StateWord(Instance instance) => instance.State switch
    {
        InstanceState.Pending => instance.Restarts > 0
            ? InstanceStates.Restarting
            : InstanceStates.Created,
        InstanceState.Starting or InstanceState.Running => InstanceStates.Running,
        InstanceState.Draining or InstanceState.Stopping => InstanceStates.Stopping,
        InstanceState.Failed => InstanceStates.Fatal,
        // Until its supervisor has decided otherwise.
        InstanceState.Died => InstanceStates.Restarting,
        _ => instance.IsFinal ? InstanceStates.Exited : InstanceStates.Restarting,
    };

    private static string HealthWord(Instance instance) => !instance.IsAlive
        ? ""
        : instance.Health switch
        {
            InstanceHealth.Starting => "starting",
            InstanceHealth.Healthy => "healthy",
            InstanceHealth.Unhealthy => "unhealthy",
            _ => "",
        };

    /// <summary>As Docker words it: "Up 5 minutes (healthy)", "Exited (1) 3 seconds ago".</summary>
    private static string Status(Instance instance, DateTimeOffset now)
    {
        string health = HealthWord(instance);
        string suffix = health.Length == 0 ? "" : health == "starting"
            ? " (health: starting)"
            : $" ({health})";
        string code = instance.ExitCode?.ToString(CultureInfo.InvariantCulture) ?? "unknown";
        return instance.State switch
        {
            InstanceState.Pending when instance.Restarts > 0 => "Restarting",
            InstanceState.Pending => "Created",
            InstanceState.Died => $"Restarting ({code})",
            InstanceState.Exited when !instance.IsFinal => $"Restarting ({code})",
            InstanceState.Exited => $"Exited ({code}) {Age(instance.ExitedAt)} ago",
            InstanceState.Failed => "Fatal",
            _ => $"Up {Age(instance.StartedAt)}{suffix}",
        };

        string Age(DateTimeOffset? since) => AgeText.Of(since is { } begin ? now - begin : default);
    }
}
