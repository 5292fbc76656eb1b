using System.Collections.Immutable;
using Tessera.Stack.Discovery;

namespace Tessera.Stack.Planning;

/// <param name="Desired">What the file says, with the scale that was asked for.</param>
/// <param name="Previous">What was in force before; null for a project that is new.</param>
/// <param name="Observed">What exists, as the engine read it back.</param>
/// <param name="Services">Limits the plan to these; empty means all.</param>
public sealed record PlanRequest(
    Project Desired,
    Project? Previous,
    ImmutableArray<Instance> Observed,
    ImmutableArray<string> Services)
{
    /// <summary>Dependencies of <see cref="Services"/> are left as they are.</summary>
    public bool NoDeps { get; init; }

    /// <summary>Instances are replaced though nothing has changed.</summary>
    public bool ForceRecreate { get; init; }

    /// <summary>Running instances are left alone though their definition has changed.</summary>
    public bool NoRecreate { get; init; }

    /// <summary>
    /// Instances of services that the file no longer names are removed, not only reported.
    /// </summary>
    public bool RemoveOrphans { get; init; }

    /// <summary>The plan ends by waiting until every service is ready.</summary>
    public bool Wait { get; init; }

    /// <summary>Overrides each service's <c>stop_grace_period</c>.</summary>
    public TimeSpan? GracePeriod { get; init; }
}

/// <summary>
/// Desired × observed → <see cref="Plan"/>. Pure: it reads nothing and does nothing, and equal
/// input gives an equal plan.
/// </summary>
public static class Planner
{
    /// <summary>
    /// <c>up</c> and <c>scale</c>: the difference between what is wanted and what is there.
    /// </summary>
    public static Plan Up(PlanRequest request)
    {
        var builder = new PlanBuilder();
        var steps = new Dictionary<string, List<int>>(StringComparer.Ordinal);
        List<Service> services =
            ServiceGraph.InOrder(request.Desired, request.Services, !request.NoDeps);
        foreach (Service service in services)
        {
            steps[service.Name] = PlanService(request, service, steps, builder);
        }

        PlanOrphans(request, builder);
        if (request.Wait)
        {
            foreach (Service service in services.Where(s => s.HasInstances && s.Scale > 0))
            {
                var ready = new AwaitService(request.Desired.Name, service,
                    DependencyCondition.ServiceHealthy, "asked to wait for it");
                builder.Add(ready, steps[service.Name]);
            }
        }

        return builder.Build();
    }

    /// <summary><c>down</c>: everything goes, dependents before what they depend on.</summary>
    /// <param name="project">Null when only instances are left and no definition.</param>
    public static Plan Down(
        string name, Project? project, ImmutableArray<Instance> observed,
        ImmutableArray<string> services, TimeSpan? gracePeriod) =>
        InReverse(project, observed, services, "down",
            (instance, cause) => new RemoveInstance(instance.Slot, cause, gracePeriod));

    /// <summary><c>stop</c>: everything ends and stays listed, dependents first.</summary>
    public static Plan Stop(PlanRequest request) =>
        InReverse(request.Desired, [.. request.Observed.Where(i => !IsEnded(i))], request.Services,
            "stop", (instance, cause) =>
                new StopInstance(instance.Slot, cause, request.GracePeriod));

    /// <summary>
    /// What a killed daemon left undone of services that it had begun: missing slots are started,
    /// superfluous ones removed. What exists is left as it is, running or not.
    /// </summary>
    public static Plan Complete(Project project, ImmutableArray<Instance> observed)
    {
        var builder = new PlanBuilder();
        foreach (Service service in project.Services.Values.Where(s => s.HasInstances))
        {
            List<Instance> existing = NewestOf(observed, service.Name);
            HashSet<int> slots = [.. existing.Select(i => i.Slot.Number)];
            for (int number = 1; number <= service.Scale && slots.Count > 0; number++)
            {
                if (!slots.Contains(number))
                {
                    var slot = new SlotName(project.Name, service.Name, number);
                    builder.Add(
                        new StartInstance(slot, service, "its daemon did not come to it"), []);
                }
            }

            foreach (Instance surplus in existing.Where(i => i.Slot.Number > service.Scale))
            {
                builder.Add(new RemoveInstance(surplus.Slot, "its daemon did not come to it"), []);
            }
        }

        return builder.Build();
    }

    /// <summary>
    /// The end of the daemon: as <c>stop</c>, but the next daemon starts it all again.
    /// </summary>
    public static Plan Shutdown(Project project, ImmutableArray<Instance> observed) =>
        InReverse(project, [.. observed.Where(i => !IsEnded(i))], [], "the daemon ends",
            (instance, cause) => new StopInstance(instance.Slot, cause, ReturnsWithDaemon: true));

    /// <summary><c>start</c>: what exists and has ended runs again, dependencies first.</summary>
    public static Plan Start(PlanRequest request)
    {
        var builder = new PlanBuilder();
        var steps = new Dictionary<string, List<int>>(StringComparer.Ordinal);
        foreach (Service service in ServiceGraph.InOrder(request.Desired, request.Services, false))
        {
            steps[service.Name] = [];
            List<int>? after = null;
            foreach (Instance instance in NewestOf(request.Observed, service.Name).Where(IsEnded))
            {
                after ??= AwaitDependencies(request, service, steps, builder);
                var start = new StartInstance(instance.Slot, service, $"it is {Words(instance)}");
                steps[service.Name].Add(builder.Add(start, after));
            }
        }

        return builder.Build();
    }

    /// <summary><c>restart</c>: one instance of a service at a time, dependencies first.</summary>
    public static Plan Restart(PlanRequest request)
    {
        var builder = new PlanBuilder();
        var steps = new Dictionary<string, List<int>>(StringComparer.Ordinal);
        List<string> named = request.NoDeps || request.Services.IsEmpty
            ? [.. request.Services]
            : ServiceGraph.WithRestartedDependents(request.Desired, request.Services);
        foreach (Service service in ServiceGraph.InOrder(request.Desired, named, false))
        {
            List<int> after = AwaitDependencies(request, service, steps, builder);
            steps[service.Name] = [];
            foreach (Instance instance in NewestOf(request.Observed, service.Name))
            {
                Operation operation = IsEnded(instance)
                    ? new StartInstance(instance.Slot, service, $"it is {Words(instance)}")
                    : new ReplaceInstance(
                        instance.Slot, service, "restart", request.GracePeriod);
                int step = builder.Add(operation, after);
                steps[service.Name].Add(step);
                after = [step];
            }
        }

        return builder.Build();
    }

    /// <summary><c>kill</c>: a signal to everything that runs, in no order.</summary>
    public static Plan Kill(PlanRequest request, string signal)
    {
        var builder = new PlanBuilder();
        foreach (Service service in ServiceGraph.InOrder(request.Desired, request.Services, false))
        {
            foreach (Instance instance in NewestOf(request.Observed, service.Name))
            {
                if (instance.IsAlive)
                {
                    builder.Add(new SignalInstance(instance.Slot, signal, "kill"), []);
                }
            }
        }

        return builder.Build();
    }

    private static List<int> PlanService(
        PlanRequest request, Service service, Dictionary<string, List<int>> steps,
        PlanBuilder builder)
    {
        var own = new List<int>();
        Service? previous = request.Previous?.Services.GetValueOrDefault(service.Name);
        if (previous is null || previous.DefinitionHash != service.DefinitionHash
            || previous.Scale != service.Scale)
        {
            string cause = previous is null ? "new service"
                : previous.DefinitionHash != service.DefinitionHash ? "its definition has changed"
                : $"its scale has changed from {previous.Scale} to {service.Scale}";
            own.Add(builder.Add(new DefineService(request.Desired.Name, service, cause), []));
        }

        if (!service.HasInstances)
        {
            return own;
        }

        List<Instance> observed = NewestOf(request.Observed, service.Name);
        Dependency? replaced = service.DependsOn.FirstOrDefault(
            d => d.Restart && builder.Replaces(d.Service));
        List<Operation> changes = PlanSlots(request, service, observed, replaced?.Service);
        List<int> after = changes.Exists(c => c is not RemoveInstance)
            ? [.. own, .. AwaitDependencies(request, service, steps, builder)]
            : [.. own];
        foreach (Operation change in changes)
        {
            int step = builder.Add(change, after);
            own.Add(step);
            if (change is ReplaceInstance)
            {
                // One at a time: the next is touched only when this one's successor is ready.
                after = [.. after, step];
            }
        }

        return own;
    }

    /// <summary>First what is missing, then what must be replaced, then what is too many.</summary>
    private static List<Operation> PlanSlots(
        PlanRequest request, Service service, List<Instance> observed, string? replacedDependency)
    {
        var starts = new List<Operation>();
        var replaces = new List<Operation>();
        var bySlot = observed.ToDictionary(i => i.Slot.Number);
        for (int number = 1; number <= service.Scale; number++)
        {
            var slot = new SlotName(request.Desired.Name, service.Name, number);
            if (!bySlot.Remove(number, out Instance? instance))
            {
                starts.Add(new StartInstance(slot, service, "there is none yet"));
            }
            else if (IsEnded(instance))
            {
                starts.Add(new StartInstance(slot, service, $"it is {Words(instance)}"));
            }
            else if (request.ForceRecreate)
            {
                replaces.Add(new ReplaceInstance(
                    slot, service, "asked to recreate", request.GracePeriod));
            }
            else if (instance.ProcessHash != service.ProcessHash && !request.NoRecreate)
            {
                replaces.Add(new ReplaceInstance(
                    slot, service, "its definition has changed", request.GracePeriod));
            }
            else if (replacedDependency is not null && !request.NoRecreate)
            {
                replaces.Add(new ReplaceInstance(
                    slot, service, $"{replacedDependency}, which it depends on, is replaced",
                    request.GracePeriod));
            }
        }

        string tooMany = $"scale {observed.Count} -> {service.Scale}";
        IEnumerable<Operation> removes = bySlot.Values.OrderByDescending(i => i.Slot.Number)
            .Select(i => new RemoveInstance(i.Slot, tooMany, request.GracePeriod));
        return [.. starts, .. replaces, .. removes];
    }

    /// <summary>
    /// Waits for what a service depends on, and returns the steps that its own must follow. A
    /// dependency that is not part of this plan and already satisfied needs no step.
    /// </summary>
    private static List<int> AwaitDependencies(
        PlanRequest request, Service service, Dictionary<string, List<int>> steps,
        PlanBuilder builder)
    {
        var after = new List<int>();
        foreach (Dependency dependency in service.DependsOn)
        {
            List<int> theirs = steps.GetValueOrDefault(dependency.Service, []);
            after.AddRange(theirs);
            if (request.NoDeps
                || dependency.Condition == DependencyCondition.ServiceStarted
                || !request.Desired.Services.TryGetValue(dependency.Service, out Service? target)
                || !target.HasInstances
                || (theirs.Count == 0
                    && IsSatisfied(dependency, NewestOf(request.Observed, target.Name))))
            {
                continue;
            }

            var wait = new AwaitService(request.Desired.Name, target, dependency.Condition,
                $"{service.Name} depends on it");
            after.Add(builder.Add(wait, theirs));
        }

        return after;
    }

    private static bool IsSatisfied(Dependency dependency, List<Instance> instances) =>
        instances.Count > 0 && instances.TrueForAll(i =>
            dependency.Condition == DependencyCondition.ServiceHealthy
                ? i.IsReady
                : i is { State: InstanceState.Exited, ExitCode: 0 });

    private static void PlanOrphans(PlanRequest request, PlanBuilder builder)
    {
        var orphans = request.Observed
            .Where(i => !request.Desired.Services.ContainsKey(i.Slot.Service))
            .DistinctBy(i => i.Slot).OrderBy(i => i.Name, StringComparer.Ordinal).ToList();
        if (request.RemoveOrphans)
        {
            foreach (Instance orphan in orphans)
            {
                builder.Add(new RemoveInstance(orphan.Slot, "the file no longer has its service",
                    request.GracePeriod), []);
            }
        }
        else if (orphans.Count > 0)
        {
            builder.Warnings.Add(
                $"Found orphan instances ({string.Join(", ", orphans.Select(o => o.Name))}) of "
                + "services that the file no longer has. Run up with --remove-orphans to remove "
                + "them.");
        }
    }

    private static Plan InReverse(
        Project? project, ImmutableArray<Instance> observed, ImmutableArray<string> services,
        string cause, Func<Instance, string, Operation> operation)
    {
        var builder = new PlanBuilder();
        var steps = new Dictionary<string, List<int>>(StringComparer.Ordinal);
        List<Service> ordered = project is null ? [] : ServiceGraph.InOrder(project, [], false);
        IEnumerable<string> names = observed.Select(i => i.Slot.Service).Distinct()
            .Where(name => services.IsEmpty || services.Contains(name))
            .OrderByDescending(name => ordered.FindIndex(s => s.Name == name))
            .ThenBy(name => name, StringComparer.Ordinal);
        foreach (string name in names)
        {
            var dependents = ordered.Where(s => s.DependsOn.Any(d => d.Service == name))
                .SelectMany(s => steps.GetValueOrDefault(s.Name, [])).ToList();
            steps[name] = [.. NewestOf(observed, name)
                .Select(instance => builder.Add(operation(instance, cause), dependents))];
        }

        return builder.Build();
    }

    /// <summary>The newest instance of each slot of a service, by slot.</summary>
    private static List<Instance> NewestOf(ImmutableArray<Instance> observed, string service) =>
        [.. observed.Where(i => i.Slot.Service == service)
            .GroupBy(i => i.Slot.Number).OrderBy(g => g.Key).Select(g => g.Last())];

    /// <summary>Ended, and nothing brings it back unless a command does.</summary>
    private static bool IsEnded(Instance instance) =>
        instance.State is InstanceState.Exited or InstanceState.Failed
        || (instance.State == InstanceState.Pending && instance.StartedAt is null
            && instance.Restarts == 0);

    private static string Words(Instance instance) => instance.State switch
    {
        InstanceState.Failed => "failed",
        InstanceState.Exited => $"exited ({instance.ExitCode?.ToString() ?? "unknown"})",
        _ => "created",
    };
}
