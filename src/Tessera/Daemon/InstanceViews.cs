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
    public static ImmutableArray<InstanceView> Of(
        ProjectEntry entry, CatalogSnapshot catalog, ImmutableArray<BackendStatus> backends,
        ImmutableArray<ListenFailure> failures, DateTimeOffset now)
    {
        List<Instance> instances = [.. catalog.Instances.Values
            .Where(i => i.Slot.Project == entry.Name)
            .OrderBy(i => i.Slot.Service, StringComparer.Ordinal)
            .ThenBy(i => i.Slot.Number).ThenBy(i => i.CreatedAt)];
        HashSet<string> served = [.. instances.Where(i => i.IsReady).Select(i => i.Slot.Service)];
        return
        [
            .. instances.Select(
                i => View(entry, i, served.Contains(i.Slot.Service), failures, now)),
            .. entry.Project.Services.Values.Where(s => s.IsExternal)
                .SelectMany(s => External(entry, s, backends)),
        ];
    }

    private static InstanceView View(
        ProjectEntry entry, Instance instance, bool isServed,
            ImmutableArray<ListenFailure> failures,
        DateTimeOffset now)
    {
        Service? service = entry.Project.Services.GetValueOrDefault(instance.Slot.Service);
        ImmutableArray<PublisherView> publishers = service is null ? []
            : Publishers(entry, service);
        (string traffic, string reason) = publishers.IsEmpty
            ? ("", "")
            : Traffic(instance, isServed, ListenFault(entry, service!, failures));
        return new InstanceView(
            instance.Id, instance.Name, instance.Slot.Project, instance.Slot.Service,
            instance.Command, StateWord(instance), HealthWord(instance), Status(instance, now),
            traffic, reason, instance.IsAlive ? instance.Pid : null, instance.ExitCode,
            instance.Restarts, instance.Reason,
            instance.Addresses.IsEmpty ? "" : instance.Addresses.Values.First().ToString(),
            instance.CreatedAt, publishers);
    }

    private static (string Traffic, string Reason) Traffic(
        Instance instance, bool isServed, string? listenFault)
    {
        (EndpointState state, string reason) = RouteBuilder.Verdict(instance);
        return state switch
        {
            EndpointState.Active when listenFault is not null => ("out", listenFault),
            EndpointState.Active => ("active", ""),
            EndpointState.Draining => ("draining", reason),
            // Nothing of the service is ready, but this one will be: requests wait for it.
            _ when !isServed && !instance.IsFinal => ("held", reason),
            _ => ("out", reason),
        };
    }

    private static string? ListenFault(
        ProjectEntry entry, Service service, ImmutableArray<ListenFailure> failures)
    {
        HashSet<IPEndPoint> own = [.. Publication.Of(entry)
            .Where(p => p.Service.Name == service.Name).Select(p => p.Address)];
        ListenFailure? failure = failures.FirstOrDefault(f => own.Contains(f.Address));
        return failure is null ? null : $"cannot listen on {failure.Address}: {failure.Reason}";
    }

    private static ImmutableArray<PublisherView> Publishers(ProjectEntry entry, Service service) =>
    [
        .. service.Ports.Select(m => new PublisherView(
            m.HostIp ?? "0.0.0.0", m.Target, entry.PublishedPort(service, m), m.Protocol)),

        // Routes that none of its ports serves.
        .. Publication.Of(entry)
            .Where(p => p.Service.Name == service.Name
                && service.Ports.All(m => entry.PublishedPort(service, m) != p.Address.Port))
            .DistinctBy(p => p.Address.Port)
            .Select(p => new PublisherView(
                p.Address.Address.ToString(), p.Targets.FirstOrDefault(), p.Address.Port, "tcp")),
    ];

    private static IEnumerable<InstanceView> External(
        ProjectEntry entry, Service service, ImmutableArray<BackendStatus> backends)
    {
        ImmutableArray<PublisherView> publishers = Publishers(entry, service);
        for (int n = 1; n <= service.Options.Endpoints.Length; n++)
        {
            ExternalEndpoint endpoint = service.Options.Endpoints[n - 1];
            string address = $"{endpoint.Host}:{endpoint.Port}";
            bool isKnown = backends.Any(b => b.Endpoints.Any(e =>
                e.Endpoint.StartsWith(address + "@", StringComparison.Ordinal)));
            yield return new InstanceView(
                address, new SlotName(entry.Name, service.Name, n).ToString(), entry.Name,
                service.Name, "", "external", "", "External",
                publishers.IsEmpty ? "" : isKnown ? "active" : "out",
                publishers.IsEmpty || isKnown ? "" : $"{endpoint.Host} does not resolve",
                null, null, 0, "", address, DateTimeOffset.UnixEpoch, publishers);
        }
    }

    private static string StateWord(Instance instance) => instance.State switch
    {
        InstanceState.Pending => instance.Restarts > 0 ? "restarting" : "created",
        InstanceState.Starting or InstanceState.Running => "running",
        InstanceState.Draining or InstanceState.Stopping => "stopping",
        InstanceState.Failed => "fatal",
        _ => instance.IsFinal ? "exited" : "restarting",
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
            InstanceState.Exited when !instance.IsFinal => $"Restarting ({code})",
            InstanceState.Exited => $"Exited ({code}) {Ago(now - instance.ExitedAt)} ago",
            InstanceState.Failed => "Fatal",
            _ => $"Up {Ago(now - instance.StartedAt)}{suffix}",
        };
    }

    private static string Ago(TimeSpan? time)
    {
        double seconds = Math.Max(0, time?.TotalSeconds ?? 0);
        (double amount, string unit) = seconds switch
        {
            < 1 => (0, "less than a second"),
            < 60 => (seconds, "second"),
            < 3_600 => (seconds / 60, "minute"),
            < 48 * 3_600 => (seconds / 3_600, "hour"),
            _ => (seconds / 86_400, "day"),
        };
        int whole = (int)amount;
        return whole switch
        {
            0 => "Less than a second",
            1 => $"1 {unit}",
            _ => $"{whole} {unit}s",
        };
    }
}
