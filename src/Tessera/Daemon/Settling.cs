using System.Collections.Immutable;
using System.Globalization;
using Tessera.Stack;
using Tessera.Stack.Discovery;

namespace Tessera.Daemon;

/// <summary>
/// The moment between "started" and "answers": an <c>up -d</c> that returned in it would leave its
/// user with a service that is there but whose first requests all wait, or that ends again and
/// again. Follows the catalog from its making on, so that no end is missed; one use by one command.
/// </summary>
internal sealed class Settling : IDisposable
{
    /// <summary>Longer is left to <c>--wait</c>.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    /// <summary>
    /// A program without a port that lives so long after its start has found what it needs.
    /// </summary>
    private static readonly TimeSpan Trial = TimeSpan.FromMilliseconds(300);

    /// <summary>Ends of one slot after which no more are waited for.</summary>
    private const int EnoughEnds = 2;

    private readonly Catalog _catalog;
    private readonly Project _project;
    private readonly ImmutableHashSet<string> _services;
    private readonly TimeProvider _time;
    private readonly CatalogSubscription _subscription;
    private readonly Dictionary<SlotName, Unsettled> _ends = [];

    /// <param name="services">Those that the command is about.</param>
    public Settling(
        Catalog catalog, Project project, ImmutableHashSet<string> services, TimeProvider time)
    {
        _catalog = catalog;
        _project = project;
        _services = services;
        _time = time;
        _subscription = catalog.Subscribe();
    }

    /// <summary>
    /// Waits until every instance without a healthcheck is ready (one without a port: has lived for
    /// a moment), has ended for good, or has ended twice. Services with a healthcheck are not
    /// waited for: it may take long by design.
    /// </summary>
    /// <returns>
    /// The slots that are not ready though the time is over, or whose instances ended.
    /// </returns>
    public async Task<IReadOnlyList<Unsettled>> AwaitAsync(CancellationToken cancellation)
    {
        long begin = _time.GetTimestamp();
        TimeSpan left;
        while ((left = Limit - _time.GetElapsedTime(begin)) > TimeSpan.Zero)
        {
            CountEnds();
            List<Instance> waiting = [.. Current().Where(IsOpen)];
            if (waiting.Count == 0)
            {
                break;
            }

            bool isTrial = waiting.TrueForAll(instance => instance.IsReady);
            using var limit = new CancellationTokenSource(isTrial && left > Trial
                ? Trial
                : left, _time);
            using var either =
                CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
            Task change = _subscription.Changes.WaitToReadAsync(either.Token).AsTask();
            await change.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (change.IsFaulted || cancellation.IsCancellationRequested)
            {
                break;
            }
        }

        return [.. Current().Select(Judge).OfType<Unsettled>()];
    }

    public void Dispose() => _subscription.Dispose();

    /// <summary>The newest instance of each slot that is looked at.</summary>
    private IEnumerable<Instance> Current() => _catalog.Current.Instances.Values
        .Where(i => i.Slot.Project == _project.Name && _services.Contains(i.Slot.Service)
            && _project.Services.GetValueOrDefault(i.Slot.Service) is { Healthcheck: null })
        .GroupBy(i => i.Slot).Select(slot => slot.MaxBy(i => i.CreatedAt)!);

    private void CountEnds()
    {
        while (_subscription.Changes.TryRead(out CatalogChange? change))
        {
            // Ends that nobody asked for pass through Died, and nothing else does.
            if (change is { After: { State: InstanceState.Died } died }
                && change.Before?.State != InstanceState.Died)
            {
                int ends = _ends.GetValueOrDefault(died.Slot)?.Ends ?? 0;
                _ends[died.Slot] = new Unsettled(died.Slot, ends + 1, died.ExitCode);
            }
        }
    }

    private bool IsOpen(Instance instance) =>
        (_ends.GetValueOrDefault(instance.Slot)?.Ends ?? 0) < EnoughEnds
        && instance.State switch
        {
            InstanceState.Starting or InstanceState.Died => true,
            InstanceState.Pending => _ends.ContainsKey(instance.Slot),
            InstanceState.Running => instance.Addresses.IsEmpty
                && _time.GetUtcNow() - instance.StartedAt < Trial,
            _ => false,
        };

    private Unsettled? Judge(Instance instance)
    {
        if (_ends.GetValueOrDefault(instance.Slot) is not { } ended)
        {
            // Some wait for their next try since long before the command.
            return instance switch
            {
                { State: InstanceState.Starting } => new Unsettled(instance.Slot, 0, null),
                { State: InstanceState.Pending, Restarts: > 0 } =>
                    new Unsettled(instance.Slot, 0, null) { Reason = instance.Reason },
                _ => null,
            };
        }

        // A start that failed first and then went well is no news, nor is a job that is done.
        bool isWell = ended.Ends < EnoughEnds && instance.IsReady;
        return isWell || instance is { IsFinal: true, ExitCode: 0 }
            ? null
            : ended with { IsOver = instance.IsFinal };
    }
}

/// <summary>A slot that a command leaves in a state that its user should know.</summary>
/// <param name="Ends">Ends that nobody asked for since the command began.</param>
/// <param name="ExitCode">Of the last of them; null when unknown.</param>
/// <param name="IsOver">Nothing restarts it.</param>
internal sealed record Unsettled(SlotName Slot, int Ends, int? ExitCode, bool IsOver = false)
{
    private const int MaxLineLength = 200;

    /// <summary>What the instance itself says of its state; may be empty.</summary>
    public string Reason { get; init; } = "";

    /// <param name="lastLine">The last line that it wrote; may be empty.</param>
    public string Describe(string lastLine)
    {
        if (Ends == 0)
        {
            return Reason.Length > 0
                ? $"{Slot}: {Reason}"
                : $"{Slot} is not ready yet; requests wait for it";
        }

        string code = ExitCode?.ToString(CultureInfo.InvariantCulture) ?? "unknown";
        string line = lastLine.Length <= MaxLineLength
            ? lastLine
            : lastLine[..MaxLineLength] + "…";
        string cause = $"(exit {code}{(line.Length == 0 ? "" : ": " + line)})";
        return IsOver ? $"{Slot} has ended {cause}"
            : Ends == 1 ? $"{Slot} has ended {cause} and is started again"
            : $"{Slot} ends again and again {cause}";
    }
}
