using System.Collections.Immutable;
using Tessera.Stack;
using Tessera.Stack.Discovery;
using Tessera.Stack.Engines;

namespace Tessera;

/// <summary>
/// Everything a person can ask of a daemon. Implemented by the daemon itself (<c>Controller</c>)
/// and
/// by the client of its control socket (<c>RemoteController</c>). Commands that change something
/// yield what happens as it happens and throw <see cref="UserErrorException"/> at their end when
/// they
/// failed.
/// </summary>
public interface IController
{
    /// <summary>Loads nothing: the project is resolved. Observe, plan, execute.</summary>
    IAsyncEnumerable<Progress> UpAsync(UpRequest request, CancellationToken cancellation);

    IAsyncEnumerable<Progress> DownAsync(DownRequest request, CancellationToken cancellation);

    /// <summary><c>start</c>, <c>stop</c>, <c>restart</c>, <c>kill</c> and <c>scale</c>.</summary>
    IAsyncEnumerable<Progress> ChangeAsync(ChangeRequest request, CancellationToken cancellation);

    /// <summary>
    /// Instances of one project, or of all when <paramref name="project"/> is null.
    /// </summary>
    Task<ImmutableArray<InstanceView>> ListAsync(string? project, CancellationToken cancellation);

    IAsyncEnumerable<LogLine> LogsAsync(LogQuery query, CancellationToken cancellation);

    /// <summary>Life-cycle events of one project, or of all, from now on.</summary>
    IAsyncEnumerable<InstanceEvent> EventsAsync(string? project, CancellationToken cancellation);

    Task<DaemonView> GetDaemonAsync(CancellationToken cancellation);

    /// <summary>
    /// Ends the daemon; with <paramref name="keepInstances"/> the instances run on.
    /// </summary>
    IAsyncEnumerable<Progress> StopDaemonAsync(bool keepInstances, CancellationToken cancellation);
}

/// <param name="CanonicalProject">
/// The resolved project as <c>ComposeLoader</c> prints it (JSON).
/// </param>
/// <param name="BaseEnvironment">What native instances inherit below their own environment.</param>
/// <param name="Services">
/// Services named on the command line, with their dependencies; empty is all.
/// </param>
/// <param name="Scale">Overrides of the number of instances, by service.</param>
/// <param name="Wait">Done only when every service is ready.</param>
/// <param name="DryRun">Yields the plan's lines and changes nothing.</param>
/// <param name="Settle">
/// Done only when what is probed by its port is ready, or ended, or ten seconds have passed.
/// </param>
/// <param name="WaitTimeout">
/// Limit of <paramref name="Wait"/>; null waits as long as it takes.
/// </param>
/// <param name="Timeout">
/// Overrides each service's <c>stop_grace_period</c> where one is replaced.
/// </param>
public sealed record UpRequest(
    string CanonicalProject,
    ImmutableSortedDictionary<string, string> BaseEnvironment,
    ImmutableArray<string> Services,
    ImmutableSortedDictionary<string, int> Scale,
    bool Wait = false,
    bool DryRun = false,
    bool RemoveOrphans = false,
    bool ForceRecreate = false,
    bool NoRecreate = false,
    bool NoDeps = false,
    TimeSpan? WaitTimeout = null,
    TimeSpan? Timeout = null,
    bool Settle = false);

/// <param name="Timeout">Overrides each service's <c>stop_grace_period</c>.</param>
public sealed record DownRequest(
    string Project, ImmutableArray<string> Services, TimeSpan? Timeout = null, bool DryRun = false);

public enum ChangeKind
{
    Start,
    Stop,
    Restart,
    Kill,
    Scale,
}

/// <param name="Signal">
/// For <see cref="ChangeKind.Kill"/>; as in signal(7), SIGKILL when null.
/// </param>
/// <param name="Scale">For <see cref="ChangeKind.Scale"/>.</param>
/// <param name="Timeout">Overrides each service's <c>stop_grace_period</c>.</param>
public sealed record ChangeRequest(
    ChangeKind Kind,
    string Project,
    ImmutableArray<string> Services,
    ImmutableSortedDictionary<string, int> Scale,
    string? Signal = null,
    TimeSpan? Timeout = null,
    bool NoDeps = false,
    bool DryRun = false);

public enum ProgressKind
{
    /// <summary>An operation began.</summary>
    Started,

    /// <summary>An operation ended well.</summary>
    Done,

    /// <summary>An operation failed.</summary>
    Failed,

    /// <summary>Something a person should know; nothing failed.</summary>
    Warning,

    /// <summary>One line of a plan that is only printed.</summary>
    Plan,
}

/// <param name="Subject">An instance's or service's name; empty for a message as such.</param>
/// <param name="Text">What is done to it ("starting", "started"), or the message.</param>
public sealed record Progress(ProgressKind Kind, string Subject, string Text);

/// <summary>One instance as <c>ps</c> shows it.</summary>
/// <param name="State">
/// Compose's word: created, running, restarting, stopping, exited, fatal.
/// </param>
/// <param name="Health">starting, healthy, unhealthy, or empty.</param>
/// <param name="Status">For people: "Up 5 minutes (healthy)", "Exited (1) 3 seconds ago".</param>
/// <param name="Traffic">
/// active, draining, held, out, or empty where nothing is routed to it.
/// </param>
/// <param name="TrafficReason">Why, where it is not active.</param>
/// <param name="Address">Where the balancer reaches it; empty without a port.</param>
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
    ImmutableArray<PublisherView> Publishers);

/// <param name="Url">Listening address, empty for every address (Compose prints 0.0.0.0).</param>
public sealed record PublisherView(string Url, int TargetPort, int PublishedPort, string Protocol);

/// <param name="Action">
/// create, start, ready, unhealthy, healthy, drain, stop, die, fail, destroy.
/// </param>
public sealed record InstanceEvent(
    DateTimeOffset Time,
    string Action,
    string Id,
    SlotName Slot,
    ImmutableSortedDictionary<string, string> Attributes);

/// <param name="OnDemand">Started by a command; ends when no project is left.</param>
public sealed record DaemonView(
    string Version,
    int Pid,
    DateTimeOffset StartedAt,
    string Home,
    bool OnDemand,
    int Reactors,
    ImmutableArray<string> Projects);
