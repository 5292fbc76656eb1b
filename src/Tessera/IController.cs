using System.Collections.Immutable;
using Tessera.Stack;
using Tessera.Stack.Engines;

namespace Tessera;

/// <summary>
/// Everything a person can ask of a daemon. Implemented by the daemon itself (<c>Controller</c>)
/// and by the client of its control socket (<c>RemoteController</c>). Commands that change
/// something yield what happens as it happens and throw <see cref="UserErrorException"/> at their
/// end when they failed.
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

    /// <summary>What the balancer has counted, in Prometheus' text format 0.0.4.</summary>
    Task<string> GetMetricsAsync(CancellationToken cancellation);

    /// <summary>
    /// Ends the daemon; with <paramref name="keepInstances"/> the instances run on.
    /// </summary>
    IAsyncEnumerable<Progress> StopDaemonAsync(bool keepInstances, CancellationToken cancellation);
}
