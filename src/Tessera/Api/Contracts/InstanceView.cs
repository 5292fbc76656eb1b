using System.Collections.Immutable;

namespace Tessera.Api.Contracts;

/// <summary>One instance as <c>ps</c> shows it.</summary>
/// <param name="State">
/// Compose's word: created, running, restarting, stopping, exited, fatal.
/// </param>
/// <param name="Health">starting, healthy, unhealthy, or empty.</param>
/// <param name="Status">For people: "Up 5 minutes (healthy)", "Exited (1) 3 seconds ago".</param>
/// <param name="Traffic">
/// active, draining, held, out, or empty where nothing is routed to it.
/// </param>
/// <param name="TrafficReason">Why, where it is not plainly active.</param>
/// <param name="Address">Where the balancer reaches it; empty without a port.</param>
/// <param name="InFlight">Requests that the balancer has sent it and that have not ended.</param>
/// <param name="Requests">Requests that the balancer sent it so far.</param>
public sealed record InstanceView(
    string Id,
    string Name,
    string Project,
    string Service,
    string Command,
    string State,
    string Health,
    string Status,
    string Traffic,
    string TrafficReason,
    int? Pid,
    int? ExitCode,
    int Restarts,
    string Reason,
    string Address,
    DateTimeOffset CreatedAt,
    ImmutableArray<PublisherView> Publishers,
    int InFlight = 0,
    long Requests = 0);

/// <summary>A published port as <c>ps</c> shows it.</summary>
/// <param name="Url">Listening address; 0.0.0.0 stands for every address.</param>
public sealed record PublisherView(string Url, int TargetPort, int PublishedPort, string Protocol);
