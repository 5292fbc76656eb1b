using System.Collections.Immutable;
using Tessera.Stack.Discovery;
using Tessera.Stack.Engines;

namespace Tessera.Stack.Planning;

/// <param name="Error">
/// Why it failed; null for a step that has ended well, and at its begin.
/// </param>
public sealed record StepReport(PlanStep Step, StepOutcome Outcome, string? Error = null);

public enum StepOutcome
{
    Begun,
    Done,
    Failed,

    /// <summary>Never begun, because a step before it failed or the plan was cancelled.</summary>
    Skipped,
}

/// <summary>
/// Walks a plan's graph: each step begins when all before it have ended well. It decides nothing; a
/// failed step keeps those after it from beginning and no others.
/// </summary>
public sealed class PlanExecutor(IEngine engine, Catalog catalog, TimeProvider time)
{
    /// <summary>Operations under way at once; waits are not counted.</summary>
    public const int MaxConcurrentOperations = 32;

    /// <summary>
    /// Runs the plan to its end. <paramref name="report"/> is called for every step, never for two
    /// at once. A cancellation lets running operations finish and begins no new ones.
    /// </summary>
    /// <returns>The failures, in the order of the plan; empty when all went well.</returns>
    public async Task<ImmutableArray<StepReport>> ExecuteAsync(
        Plan plan, Action<StepReport> report, CancellationToken cancellation)
    {
        using var slots = new SemaphoreSlim(MaxConcurrentOperations);
        var reporting = new Lock();
        var outcomes = new Dictionary<int, Task<StepReport>>();
        foreach (PlanStep step in plan.Steps)
        {
            Task<StepReport>[] before = [.. step.After.Select(number => outcomes[number])];
            outcomes[step.Number] = RunStepAsync(step, before);
        }

        StepReport[] all = await Task.WhenAll(outcomes.Values);
        return [.. all.Where(r => r.Outcome != StepOutcome.Done).OrderBy(r => r.Step.Number)];

        async Task<StepReport> RunStepAsync(PlanStep step, Task<StepReport>[] before)
        {
            // A plan may hold steps that end at once; the graph must be complete before they do.
            await Task.Yield();
            StepReport[] earlier = await Task.WhenAll(before);
            StepReport end = Array.TrueForAll(earlier, r => r.Outcome == StepOutcome.Done)
                ? await CarryOutAsync(step, slots, Tell, cancellation)
                : new StepReport(step, StepOutcome.Skipped);
            Tell(end);
            return end;
        }

        void Tell(StepReport step)
        {
            lock (reporting)
            {
                report(step);
            }
        }
    }

    private async Task<StepReport> CarryOutAsync(
        PlanStep step, SemaphoreSlim slots, Action<StepReport> tell, CancellationToken cancellation)
    {
        bool isCounted = step.Operation is not AwaitService;
        try
        {
            if (isCounted)
            {
                await slots.WaitAsync(cancellation);
            }
        }
        catch (OperationCanceledException)
        {
            return new StepReport(step, StepOutcome.Skipped);
        }

        try
        {
            cancellation.ThrowIfCancellationRequested();
            tell(new StepReport(step, StepOutcome.Begun));
            await (step.Operation is AwaitService wait
                ? AwaitServiceAsync(wait, cancellation)
                : engine.ExecuteAsync(step.Operation, cancellation));
            return new StepReport(step, StepOutcome.Done);
        }
        catch (OperationCanceledException)
        {
            return new StepReport(step, StepOutcome.Skipped);
        }
        catch (Exception e) when (e is OperationFailedException or UserErrorException)
        {
            return new StepReport(step, StepOutcome.Failed, e.Message);
        }
        catch (Exception e)
        {
            return new StepReport(step, StepOutcome.Failed,
                $"{step.Operation.Verb} {step.Operation.Subject}: {e.GetType().Name}: {e.Message}");
        }
        finally
        {
            if (isCounted)
            {
                slots.Release();
            }
        }
    }

    private async Task AwaitServiceAsync(AwaitService wait, CancellationToken cancellation)
    {
        // A job may take as long as it takes. Readiness without a healthcheck has no verdict of its
        // own that ends the wait, so the service's start time-out does.
        bool isLimited = wait.Condition != DependencyCondition.ServiceCompletedSuccessfully
            && wait.Service.Healthcheck is null;
        using var timeout = new CancellationTokenSource(
            isLimited ? wait.Service.Options.StartTimeout : Timeout.InfiniteTimeSpan, time);
        using var limit =
            CancellationTokenSource.CreateLinkedTokenSource(cancellation, timeout.Token);
        try
        {
            await catalog.WaitAsync(snapshot => IsReached(wait, snapshot), limit.Token);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new OperationFailedException(
                $"{wait.Service.Name} was not ready within "
                + $"{wait.Service.Options.StartTimeout.TotalSeconds:0.#} s "
                + "(x-tessera.start_timeout)");
        }
    }

    /// <exception cref="OperationFailedException">It never will be.</exception>
    private static bool IsReached(AwaitService wait, CatalogSnapshot snapshot)
    {
        List<Instance> newest = [.. snapshot.Instances.Values
            .Where(i => i.Slot.Project == wait.Project && i.Slot.Service == wait.Service.Name)
            .GroupBy(i => i.Slot).Select(g => g.MaxBy(i => i.CreatedAt)!)];
        if (newest.Find(i => HasFailed(i, wait)) is { } failed)
        {
            string reason = failed.Reason.Length > 0 ? $": {failed.Reason}" : "";
            string state = failed.State == InstanceState.Exited
                ? $"exited ({failed.ExitCode?.ToString() ?? "unknown"})"
                : failed.State == InstanceState.Failed ? "failed" : "is unhealthy";
            throw new OperationFailedException($"{failed.Name} {state}{reason}");
        }

        return newest.Count >= Math.Min(wait.Service.Scale, 1) && newest.TrueForAll(
            i => wait.Condition switch
            {
                DependencyCondition.ServiceStarted => i.StartedAt is not null,
                DependencyCondition.ServiceCompletedSuccessfully => IsCompleted(i),
                _ => i.IsReady || (IsCompleted(i) && wait.Service.Healthcheck is null),
            });
    }

    private static bool HasFailed(Instance instance, AwaitService wait) => instance.State switch
    {
        InstanceState.Failed => true,
        InstanceState.Exited => instance.IsFinal && !IsCompleted(instance),
        _ => wait.Condition == DependencyCondition.ServiceHealthy
            && instance.Health == InstanceHealth.Unhealthy,
    };

    private static bool IsCompleted(Instance instance) =>
        instance is { State: InstanceState.Exited, ExitCode: 0 };
}
