using System.Collections.Immutable;
using Tessera.Stack;
using Tessera.Stack.Discovery;
using Tessera.Stack.Planning;

namespace Tessera.Daemon;

/// <summary>Words the walk through a plan for the person who waits for it. Pure.</summary>
internal static class PlanProgress
{
    /// <summary>Null for steps that are nobody's news.</summary>
    public static Progress? Of(StepReport report)
    {
        Operation operation = report.Step.Operation;
        if (operation is DefineService && report.Outcome != StepOutcome.Failed)
        {
            return null;
        }

        (string begun, string done) = Words(operation);
        return report.Outcome switch
        {
            StepOutcome.Begun => new Progress(ProgressKind.Started, operation.Subject, begun),
            StepOutcome.Done => new Progress(ProgressKind.Done, operation.Subject, done),
            StepOutcome.Failed =>
                new Progress(ProgressKind.Failed, operation.Subject, report.Error ?? "failed"),
            _ => null,
        };
    }

    /// <summary>Services of which the plan starts or replaces an instance.</summary>
    public static ImmutableSortedSet<string> Started(Plan plan) =>
        [.. plan.Steps.Select(s => s.Operation).Select(o => o switch
        {
            StartInstance start => start.Slot.Service,
            ReplaceInstance replace => replace.Slot.Service,
            _ => null,
        }).OfType<string>()];

    /// <summary>What a plan for some services leaves alone though it runs.</summary>
    public static IEnumerable<Instance> Unchanged(
        Plan plan, ImmutableArray<Instance> observed, ImmutableHashSet<string> services)
    {
        HashSet<string> touched = [.. plan.Steps.Select(s => s.Operation.Subject)];
        return observed.Where(i => i.IsAlive && services.Contains(i.Slot.Service)
            && !touched.Contains(i.Name));
    }

    /// <summary>Where the services of an <c>up</c> answer.</summary>
    public static IEnumerable<Progress> Published(
        ProjectEntry entry, ImmutableArray<string> services) =>
        Publication.Of(entry)
            .Where(p => services.IsEmpty || services.Contains(p.Service.Name))
            .Select(p => new Progress(
                ProgressKind.Done, p.Service.Name, $"listening on {p.AddressText}"))
            .Concat(
                from front in entry.Fronts
                where services.IsEmpty || services.Contains(front.Service)
                from served in front.ListenersOf(entry)
                select new Progress(
                    ProgressKind.Done,
                    front.Service.Length > 0 ? front.Service : Path.GetFileName(front.File),
                    $"listening on {Publication.TextOf(served.Address)}"))
            .Distinct();

    /// <exception cref="UserErrorException">Something failed, or the command was
    /// interrupted.</exception>
    public static void ThrowOnFailure(
        ImmutableArray<StepReport> reports, TimeSpan? waitTimeout, CancellationToken cancellation)
    {
        List<StepReport> failed = [.. reports.Where(r => r.Outcome == StepOutcome.Failed)];
        if (failed.Count > 0)
        {
            throw new UserErrorException(
                string.Join('\n', failed.Select(r => r.Error).Distinct()),
                    UserErrorException.Failed);
        }

        if (reports.Length > 0)
        {
            throw new UserErrorException(cancellation.IsCancellationRequested || waitTimeout is null
                ? $"interrupted: {reports.Length} of the steps were not begun"
                : $"not ready within {waitTimeout.Value.TotalSeconds:0.#} s (--wait-timeout)",
                UserErrorException.Failed);
        }
    }

    private static (string Begun, string Done) Words(Operation operation) => operation switch
    {
        StartInstance => ("starting", "started"),
        ReplaceInstance => ("replacing", "replaced"),
        StopInstance => ("stopping", "stopped"),
        RemoveInstance => ("removing", "removed"),
        SignalInstance signal => ("signalling", $"sent {signal.Signal}"),
        AwaitService => ("waiting", "reached"),
        _ => (operation.Verb, operation.Verb),
    };
}
