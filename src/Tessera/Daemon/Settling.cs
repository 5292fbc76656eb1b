using Tessera.Stack;
using Tessera.Stack.Discovery;

namespace Tessera.Daemon;

/// <summary>
/// The moment between "started" and "answers": an <c>up -d</c> that returned in it would leave its
/// user with a service that is there but whose first requests all wait.
/// </summary>
internal static class Settling
{
    /// <summary>Longer is left to <c>--wait</c>.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Waits until every instance whose readiness is its port is ready, or ended, or has failed
    /// once. Services with a healthcheck are not waited for: it may take long by design.
    /// </summary>
    /// <returns>Names of the instances that are not ready though the time is over.</returns>
    public static async Task<IReadOnlyList<string>> AwaitAsync(
        Catalog catalog, Project project, TimeProvider time, CancellationToken cancellation)
    {
        using var limit = new CancellationTokenSource(Limit, time);
        using var either =
            CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        try
        {
            await catalog.WaitAsync(s => !Unsettled(s, project).Any(), either.Token);
            return [];
        }
        catch (OperationCanceledException)
        {
            return [.. Unsettled(catalog.Current, project)];
        }
    }

    private static IEnumerable<string> Unsettled(CatalogSnapshot snapshot, Project project) =>
        snapshot.Instances.Values
            .Where(i => i.Slot.Project == project.Name
                && i.State == InstanceState.Starting && i.Restarts == 0
                && project.Services.GetValueOrDefault(i.Slot.Service) is { Healthcheck: null })
            .Select(i => i.Name);
}
