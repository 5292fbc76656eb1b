using System.Collections.Immutable;
using Tessera.Stack.Discovery;
using Tessera.Stack.Planning;

namespace Tessera.Stack.Engines;

/// <summary>
/// Runs instances: native processes, containers, or Swarm tasks. An engine reports every change of
/// an instance's life to the <see cref="Catalog"/> it was made with, and knows nothing of routes:
/// whoever must act before an instance is stopped is asked through a <see cref="DrainInstance"/>.
/// </summary>
public interface IEngine
{
    /// <summary>
    /// What really exists of a project, read back from the system, in the order of slots. Alive and
    /// ended instances alike; each slot's newest instance last.
    /// </summary>
    Task<ImmutableArray<Instance>> ObserveAsync(string project, CancellationToken cancellation);

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
