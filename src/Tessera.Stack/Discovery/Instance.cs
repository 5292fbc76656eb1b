using System.Collections.Immutable;
using System.Net;

namespace Tessera.Stack.Discovery;

/// <summary>
/// The life of an instance, in order: a state never goes back, and a restart is a new instance in
/// the same slot.
/// </summary>
public enum InstanceState
{
    /// <summary>
    /// Waiting for its start: for a dependency, or for the back-off after a failure.
    /// </summary>
    Pending,

    /// <summary>The process runs, but is not ready yet.</summary>
    Starting,

    /// <summary>
    /// The process runs and was ready once. Whether it is ready now says <see
    /// cref="InstanceHealth"/>.
    /// </summary>
    Running,

    /// <summary>Unrouted; what is in flight may finish.</summary>
    Draining,

    /// <summary>Signalled; its end is awaited.</summary>
    Stopping,

    /// <summary>
    /// Its process ended without being told to: what it left is cleaned up, and its supervisor is
    /// about to decide what follows.
    /// </summary>
    Died,

    /// <summary>Ended, by itself or because it was told to; nothing of it is left.</summary>
    Exited,

    /// <summary>
    /// Could not be started, or was given up (<c>FATAL</c>); nothing will restart it.
    /// </summary>
    Failed,
}

/// <summary>What the healthcheck, or the readiness probe in its place, last said.</summary>
public enum InstanceHealth
{
    /// <summary>Nothing checks it.</summary>
    None,
    Starting,
    Healthy,
    Unhealthy,
}

/// <summary>Names a slot: the n-th instance of a service, 1 or more.</summary>
public readonly record struct SlotName(string Project, string Service, int Number)
{
    public override string ToString() => $"{Project}-{Service}-{Number}";
}

/// <summary>
/// One process (later also container or task) as the catalog knows it. Immutable: each change of
/// its life is a new record with the same <see cref="Id"/>.
/// </summary>
public sealed record Instance
{
    /// <summary>Unique among all instances that ever were in this state folder.</summary>
    public required string Id { get; init; }

    public required SlotName Slot { get; init; }

    /// <summary>Compose's name, <c>project-service-n</c>.</summary>
    public string Name => Slot.ToString();

    public required InstanceState State { get; init; }

    public InstanceHealth Health { get; init; }

    /// <summary>
    /// Why it is in this state, in words for a person; empty when there is nothing to say.
    /// </summary>
    public string Reason { get; init; } = "";

    public required DateTimeOffset CreatedAt { get; init; }

    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>When <see cref="State"/> or <see cref="Health"/> last changed.</summary>
    public required DateTimeOffset ChangedAt { get; init; }

    public DateTimeOffset? ExitedAt { get; init; }

    /// <summary>0 to 255, or 128 + signal; null while it runs, or when nobody can know.</summary>
    public int? ExitCode { get; init; }

    public int? Pid { get; init; }

    /// <summary>Private address by target port: where the balancer reaches it.</summary>
    public ImmutableSortedDictionary<int, IPEndPoint> Addresses { get; init; } =
        ImmutableSortedDictionary<int, IPEndPoint>.Empty;

    /// <summary>Restarts of its slot after an end nobody asked for.</summary>
    public int Restarts { get; init; }

    /// <summary><see cref="Service.ProcessHash"/> of what it runs.</summary>
    public required string ProcessHash { get; init; }

    /// <summary>The command line it runs, for people.</summary>
    public string Command { get; init; } = "";

    /// <summary>
    /// For an instance that ended: nothing follows it in its slot until a command says so. False
    /// while a restart is on its way, so that requests wait for it instead of failing.
    /// </summary>
    public bool IsFinal { get; init; }

    public bool IsAlive => State is InstanceState.Starting or InstanceState.Running
        or InstanceState.Draining or InstanceState.Stopping;

    /// <summary>It may get new requests.</summary>
    public bool IsReady => State == InstanceState.Running
        && Health is (InstanceHealth.None or InstanceHealth.Healthy);
}
