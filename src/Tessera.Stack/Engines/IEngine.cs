using System.Collections.Immutable;
using Tessera.Stack.Discovery;
using Tessera.Stack.Planning;

namespace Tessera.Stack.Engines;

/// <summary>
/// Runs instances: native processes today, containers and Swarm tasks later. It reports every
/// change of an instance's life to the <see cref="Catalog"/> it was made with, and knows nothing of
/// routes: whoever must act before an instance is stopped is asked through a
/// <see cref="DrainInstance"/>.
/// </summary>
public interface IEngine
{
    /// <summary>
    /// What exists of a project, in the order of slots: as reported to the catalog, once every end
    /// that has happened but was not noticed yet is in it. Alive and ended instances alike; each
    /// slot's newest instance last.
    /// </summary>
    Task<ImmutableArray<Instance>> ObserveAsync(string project, CancellationToken cancellation);

    /// <summary>
    /// What a project's instances inherit: the environment of the client that asked for it, never
    /// the daemon's. Holds for instances that are started from now on. Not kept on disk here.
    /// </summary>
    void SetBaseEnvironment(
        string project, ImmutableSortedDictionary<string, string> environment);

    /// <summary>
    /// Forgets what was set and defined for a project of which no instance is left.
    /// </summary>
    void Forget(string project);

    /// <summary>
    /// Carries out one operation of a plan. Returns when it is done; throws
    /// <see cref="OperationFailedException"/> when it cannot be, with what was restored.
    /// </summary>
    Task ExecuteAsync(Operation operation, CancellationToken cancellation);

    /// <summary>
    /// Lines that instances wrote, merged by time; with <see cref="LogQuery.Follow"/> without end.
    /// </summary>
    IAsyncEnumerable<LogLine> LogsAsync(LogQuery query, CancellationToken cancellation);
}

/// <summary>
/// Takes an instance out of rotation and waits until nothing is in flight on it, at most
/// <paramref name="timeout"/>. Called before every stop; returns what was still in flight.
/// </summary>
public delegate Task<int> DrainInstance(
    Instance instance, TimeSpan timeout, CancellationToken cancellation);

/// <summary>
/// An operation that could not be carried out; the message says why and what was done about it.
/// </summary>
public sealed class OperationFailedException(string message) : Exception(message);

/// <param name="Services">Empty means every service of the project.</param>
/// <param name="Tail">Last lines per instance; null means all.</param>
public sealed record LogQuery(
    string Project,
    ImmutableArray<string> Services,
    bool Follow = false,
    int? Tail = null,
    DateTimeOffset? Since = null,
    DateTimeOffset? Until = null);

/// <param name="Text">Without its line end.</param>
public sealed record LogLine(SlotName Slot, DateTimeOffset Time, string Text);
