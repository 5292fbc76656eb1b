using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Tessera.Metrics;
using Tessera.Proxy;
using Tessera.Stack;
using Tessera.Stack.Compose;
using Tessera.Stack.Discovery;
using Tessera.Stack.Engines;
using Tessera.Stack.Planning;

namespace Tessera.Daemon;

/// <summary>
/// What a daemon does on request: observe, plan, execute. One command at a time changes a project;
/// the next waits. Safe from any thread.
/// </summary>
internal sealed class Controller : IController, IDisposable
{
    private readonly IEngine _engine;
    private readonly Catalog _catalog;
    private readonly Ingress _ingress;
    private readonly ProxyServer _proxy;
    private readonly ProjectStore _store;
    private readonly DaemonShutdown _shutdown;
    private readonly Troubles _troubles;
    private readonly TimeProvider _time;
    private readonly Func<DaemonView> _describe;
    private readonly PlanExecutor _executor;
    private readonly CommandQueue _commands;

    public Controller(
        IEngine engine, Catalog catalog, Ingress ingress, ProxyServer proxy, ProjectStore store,
        DaemonShutdown shutdown, Troubles troubles, TimeProvider time, Func<DaemonView> describe)
    {
        _engine = engine;
        _catalog = catalog;
        _ingress = ingress;
        _proxy = proxy;
        _store = store;
        _shutdown = shutdown;
        _troubles = troubles;
        _time = time;
        _describe = describe;
        _executor = new PlanExecutor(engine, catalog, time);
        _commands = new CommandQueue(() => shutdown.EndWhenIdle(
            () => ingress.Projects.IsEmpty && troubles.All.All(trouble => !trouble.IsUnreadable)));
    }

    public IAsyncEnumerable<Progress> UpAsync(UpRequest request, CancellationToken cancellation)
    {
        Project project = DesiredProject.FromRequest(request);
        return _commands.RunAsync(project.Name,
            (tell, token) => UpAsync(project, request, tell, token), cancellation);
    }

    public IAsyncEnumerable<Progress> DownAsync(
        DownRequest request, CancellationToken cancellation) =>
        _commands.RunAsync(request.Project,
            (tell, token) => DownAsync(request, tell, token), cancellation);

    /// <summary>A kill does not wait for its turn: it may be what cuts a long stop short.</summary>
    public IAsyncEnumerable<Progress> ChangeAsync(
        ChangeRequest request, CancellationToken cancellation) =>
        _commands.RunAsync(request.Kind == ChangeKind.Kill ? null : request.Project,
            (tell, token) => ChangeAsync(request, tell, token), cancellation);

    public Task<ImmutableArray<InstanceView>> ListAsync(
        string? project, CancellationToken cancellation)
    {
        _troubles.RefuseUnreadable(project);
        ImmutableArray<BackendStatus> backends = _proxy.GetStatus();
        CatalogSnapshot snapshot = _catalog.Current;
        return Task.FromResult<ImmutableArray<InstanceView>>([.. _ingress.Projects.Values
            .Where(p => project is null || p.Name == project)
            .SelectMany(p => InstanceViews.Of(
                p, snapshot, backends, _ingress.Failures, _time.GetUtcNow()))]);
    }

    public IAsyncEnumerable<LogLine> LogsAsync(LogQuery query, CancellationToken cancellation)
    {
        Require(query.Project).Project.Require(query.Services);
        return _engine.LogsAsync(query, cancellation);
    }

    public async IAsyncEnumerable<InstanceEvent> EventsAsync(
        string? project, [EnumeratorCancellation] CancellationToken cancellation)
    {
        using CatalogSubscription subscription = _catalog.Subscribe();
        await foreach (CatalogChange change in subscription.Changes.ReadAllAsync(cancellation))
        {
            if (project is not null && change.Subject.Slot.Project != project)
            {
                continue;
            }

            foreach (InstanceEvent news in InstanceEvents.Of(change, _time.GetUtcNow()))
            {
                yield return news;
            }
        }
    }

    public Task<DaemonView> GetDaemonAsync(CancellationToken cancellation) =>
        Task.FromResult(_describe());

    public Task<string> GetMetricsAsync(CancellationToken cancellation) =>
        Task.FromResult(MetricsPage.Write(_proxy.GetMetrics()));

    public async IAsyncEnumerable<Progress> StopDaemonAsync(
        bool keepInstances, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var told = Channel.CreateUnbounded<Progress>();
        told.Writer.TryWrite(new Progress(ProgressKind.Started, "", "stopping the daemon"));
        Task ending = EndAsync(keepInstances, p => told.Writer.TryWrite(p))
            .ContinueWith(end => told.Writer.TryComplete(end.Exception?.InnerException),
                CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously,
                TaskScheduler.Default);
        await foreach (Progress progress in told.Reader.ReadAllAsync(cancellation))
        {
            yield return progress;
        }

        await ending;
    }

    /// <summary>
    /// Lets commands under way end and no other begin, stops every instance (unless they are to
    /// live on), then lets the daemon end, also when an instance could not be stopped.
    /// </summary>
    public async Task EndAsync(bool keepInstances, Action<Progress> tell)
    {
        try
        {
            await _commands.EndAsync();
            if (!keepInstances)
            {
                await Task.WhenAll(_ingress.Projects.Values.Select(p => StopAllAsync(p, tell)));
            }
        }
        finally
        {
            _shutdown.Begin(keepInstances);
        }
    }

    /// <summary>Ends a daemon that was started for a command which never came.</summary>
    public void NoteIdle() => _commands.NoteIdle();

    /// <summary>
    /// Finishes what a daemon that was killed had begun: starts slots that it did not come to, and
    /// removes those that it was about to. What a person stopped stays stopped.
    /// </summary>
    public async Task CompleteAsync(Action<string> log)
    {
        foreach (ProjectEntry entry in _ingress.Projects.Values)
        {
            await foreach (
                Progress progress in _commands.RunAsync(entry.Name, async (tell, token) =>
            {
                ImmutableArray<Instance> observed =
                    await _engine.ObserveAsync(entry.Name, token);
                await ExecuteAsync(Planner.Complete(entry.Project, observed), tell, token);
            }, CancellationToken.None))
            {
                log($"completing {entry.Name}: {progress.Subject} {progress.Text}");
            }
        }
    }

    public void Dispose() => _commands.Dispose();

    private async Task StopAllAsync(ProjectEntry entry, Action<Progress> tell)
    {
        ImmutableArray<Instance> observed =
            await _engine.ObserveAsync(entry.Name, CancellationToken.None);
        await TakeAwayAsync(entry, [], "goes away with the daemon",
            Planner.Shutdown(entry.Project, observed), tell, CancellationToken.None);
    }

    private async Task UpAsync(
        Project project, UpRequest request, Action<Progress> tell, CancellationToken cancellation)
    {
        ProjectEntry? previous = _ingress.Projects.GetValueOrDefault(project.Name);
        ProjectEntry desired = ReadFronts(DesiredProject.Merge(project, previous, request));
        DesiredProject.RefuseProblems(desired);
        DesiredProject.RefuseClaimedAddresses(desired, _ingress.Projects.Values);
        ImmutableArray<Instance> observed = await _engine.ObserveAsync(project.Name, cancellation);
        var planRequest = new PlanRequest(
            desired.Project, previous?.Project, observed, request.Services)
        {
            NoDeps = request.NoDeps,
            ForceRecreate = request.ForceRecreate,
            NoRecreate = request.NoRecreate,
            RemoveOrphans = request.RemoveOrphans,
            Wait = request.Wait,
            GracePeriod = request.Timeout,
        };
        IEnumerable<string> taken = request.DryRun
            ? PortCheck.FindTaken(desired, _ingress.Projects.Values) : [];
        foreach (string warning in DesiredProject.Warnings(project, desired.Fronts)
            .Concat(taken))
        {
            tell(new Progress(ProgressKind.Warning, "", warning));
        }

        Plan plan = Planner.Up(planRequest);
        if (Announce(plan, request.DryRun, tell))
        {
            return;
        }

        // Listen first: an address that is taken must be known before anything is started. Until
        // the first instance is there, requests are held for it.
        NginxFront.OpenLogs(desired.Fronts);
        await _ingress.ResolveAsync(desired);
        await _ingress.WhenFreeAsync(cancellation);
        PutInForce(desired with { Expected = PlanProgress.Started(plan) }, previous);
        _troubles.Clear(desired.Name);
        await _ingress.WhenFreeAsync(cancellation);
        _engine.SetBaseEnvironment(desired.Name, desired.BaseEnvironment);
        ImmutableHashSet<string> scope = [.. ServiceGraph.InOrder(
            desired.Project, request.Services, withDependencies: !request.NoDeps)
            .Select(service => service.Name)];
        foreach (Instance instance in PlanProgress.Unchanged(plan, observed, scope))
        {
            tell(new Progress(ProgressKind.Done, instance.Name, "running"));
        }

        using var settling = new Settling(_catalog, desired.Project, scope, _time);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        if (request.WaitTimeout is { } timeout)
        {
            limit.CancelAfter(timeout);
        }

        ImmutableArray<StepReport> failures = await ExecuteAsync(plan, tell, limit.Token);
        _ingress.Set(desired);
        await KeepOldDefinitionsAsync(desired, previous, failures, cancellation);
        PlanProgress.ThrowOnFailure(failures, request.WaitTimeout, cancellation);
        foreach (Progress published in PlanProgress.Published(desired, request.Services))
        {
            tell(published);
        }

        if (request.Settle)
        {
            await SettleAsync(settling, tell, cancellation);
        }
    }

    private ProjectEntry ReadFronts(ProjectEntry entry) => entry with
    {
        Fronts = NginxFront.ReadAll(
            entry.Project, NginxFront.AccessLogIn(_store.FolderOf(entry.Name))),
    };

    private async Task DownAsync(
        DownRequest request, Action<Progress> tell, CancellationToken cancellation)
    {
        ProjectEntry? entry = _ingress.Projects.GetValueOrDefault(request.Project);
        entry?.Project.Require(request.Services);
        ImmutableArray<Instance> observed = await _engine.ObserveAsync(
            request.Project, cancellation);
        Plan plan = Planner.Down(
            request.Project, entry?.Project, observed, request.Services, request.Timeout);
        if (Announce(plan, request.DryRun, tell))
        {
            return;
        }

        if (entry is null && plan.Steps.IsEmpty)
        {
            tell(new Progress(ProgressKind.Warning, "",
                $"No resource found to remove for project \"{request.Project}\"."));
        }

        await TakeAwayAsync(
            entry, request.Services, "is being taken down", plan, tell, cancellation);
        if (request.Services.IsEmpty)
        {
            _ingress.Remove(request.Project);
            _engine.Forget(request.Project);
            _troubles.Clear(request.Project);
            _store.Delete(request.Project);
            await _ingress.WhenFreeAsync(cancellation);
        }
        else if (entry is not null)
        {
            _ingress.Set(entry);
        }
    }

    private async Task ChangeAsync(
        ChangeRequest request, Action<Progress> tell, CancellationToken cancellation)
    {
        ProjectEntry entry = Require(request.Project);
        entry.Project.Require(request.Services);
        ImmutableArray<Instance> observed = await _engine.ObserveAsync(entry.Name, cancellation);
        ProjectEntry desired = request.Kind == ChangeKind.Scale
            ? entry with { Project = DesiredProject.WithScale(entry.Project, request.Scale) }
            : entry;
        var planRequest = new PlanRequest(
            desired.Project, entry.Project, observed, request.Services)
        {
            NoDeps = request.NoDeps,
            GracePeriod = request.Timeout,
        };
        Plan plan = request.Kind switch
        {
            ChangeKind.Start => Planner.Start(planRequest),
            ChangeKind.Stop => Planner.Stop(planRequest),
            ChangeKind.Restart => Planner.Restart(planRequest),
            ChangeKind.Kill => Planner.Kill(planRequest, request.Signal ?? "SIGKILL"),
            _ => Planner.Up(
                planRequest with { Services = [.. request.Scale.Keys], NoRecreate = true }),
        };
        if (Announce(plan, request.DryRun, tell))
        {
            return;
        }

        if (request.Kind == ChangeKind.Stop)
        {
            await TakeAwayAsync(entry, request.Services, "is stopped", plan, tell, cancellation);
            _ingress.Set(entry);
            return;
        }

        if (request.Kind is ChangeKind.Start or ChangeKind.Scale)
        {
            ProjectEntry expecting = desired with { Expected = PlanProgress.Started(plan) };
            if (request.Kind == ChangeKind.Scale)
            {
                PutInForce(expecting, entry);
            }
            else
            {
                _ingress.Set(expecting);
            }
        }

        using var settling = new Settling(
            _catalog, desired.Project, [.. ServiceGraph.InOrder(desired.Project,
                request.Kind == ChangeKind.Scale ? [.. request.Scale.Keys] : request.Services,
                withDependencies: !request.NoDeps).Select(service => service.Name)], _time);
        ImmutableArray<StepReport> failures = await ExecuteAsync(plan, tell, cancellation);
        _ingress.Set(desired);
        PlanProgress.ThrowOnFailure(failures, null, cancellation);
        if (request.Kind is ChangeKind.Start or ChangeKind.Scale)
        {
            await SettleAsync(settling, tell, cancellation);
        }
    }

    /// <summary>What did not settle is a warning: the command itself succeeded.</summary>
    private async Task SettleAsync(
        Settling settling, Action<Progress> tell, CancellationToken cancellation)
    {
        foreach (Unsettled unsettled in await settling.AwaitAsync(cancellation))
        {
            string last = unsettled.Ends == 0
                ? ""
                : await ReadLastLineAsync(unsettled.Slot, cancellation);
            tell(new Progress(ProgressKind.Warning, "", unsettled.Describe(last)));
        }
    }

    private async Task<string> ReadLastLineAsync(SlotName slot, CancellationToken cancellation)
    {
        string last = "";
        var query = new LogQuery(slot.Project, [slot.Service], Tail: 1);
        await foreach (LogLine line in _engine.LogsAsync(query, cancellation))
        {
            last = line.Slot == slot ? line.Text : last;
        }

        return last;
    }

    /// <summary>
    /// Runs a plan that stops services for good: from its first moment requests to them are
    /// answered instead of being held for instances that will not come.
    /// </summary>
    private async Task TakeAwayAsync(
        ProjectEntry? entry, ImmutableArray<string> services, string why, Plan plan,
        Action<Progress> tell, CancellationToken cancellation)
    {
        if (entry is not null)
        {
            _ingress.Set(entry with
            {
                GoingAway = entry.Project.Services.Keys
                    .Where(name => services.IsEmpty || services.Contains(name))
                    .ToImmutableSortedDictionary(name => name, name => $"{name} {why}"),
            });
        }

        try
        {
            ImmutableArray<StepReport> failures = await ExecuteAsync(plan, tell, cancellation);
            PlanProgress.ThrowOnFailure(failures, null, cancellation);
        }
        catch
        {
            if (entry is not null)
            {
                _ingress.Set(entry);
            }

            throw;
        }
    }

    private Task<ImmutableArray<StepReport>> ExecuteAsync(
        Plan plan, Action<Progress> tell, CancellationToken cancellation) =>
        _executor.ExecuteAsync(plan, step =>
        {
            if (PlanProgress.Of(step) is { } progress)
            {
                tell(progress);
            }
        }, cancellation);

    /// <summary>Routes, then disk; when an address is taken, back to what was before.</summary>
    private void PutInForce(ProjectEntry desired, ProjectEntry? previous)
    {
        ImmutableArray<ListenFailure> failures = _ingress.Set(desired);
        if (failures.IsEmpty)
        {
            try
            {
                _store.Save(desired);
                return;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                Restore();
                throw new UserErrorException(
                    $"the project cannot be written to {_store.FolderOf(desired.Name)}: "
                    + $"{e.Message} Nothing was changed.", UserErrorException.Failed);
            }
        }

        Restore();
        throw new UserErrorException(
            string.Join('\n', failures.Select(f => $"cannot listen on {f.Address}: {f.Reason}"))
            + "\nNothing was changed. End what uses the address, or publish another port.",
            UserErrorException.Failed);

        void Restore()
        {
            if (previous is null)
            {
                _ingress.Remove(desired.Name);
            }
            else
            {
                _ingress.Set(previous);
            }
        }
    }

    /// <summary>
    /// A service whose new version did not become ready keeps its old definition, so that a later
    /// crash of an old instance brings the old version back and not the broken one.
    /// </summary>
    private async Task KeepOldDefinitionsAsync(
        ProjectEntry desired, ProjectEntry? previous, ImmutableArray<StepReport> failures,
        CancellationToken cancellation)
    {
        Project project = desired.Project;
        foreach (string name in failures.Select(f => f.Step.Operation).OfType<ReplaceInstance>()
            .Select(r => r.Service.Name).Distinct())
        {
            if (previous?.Project.Services.GetValueOrDefault(name) is not { } old)
            {
                continue;
            }

            var definition = new DefineService(project.Name, old, "its new version failed");
            await _engine.ExecuteAsync(definition, cancellation);
            project = project with { Services = project.Services.SetItem(name, old) };
        }

        if (project != desired.Project)
        {
            ProjectEntry kept = desired with { Project = project };
            _ingress.Set(kept);
            _store.Save(kept);
        }
    }

    /// <summary>
    /// Tells a plan's warnings and, on a dry run, its lines. Returns whether that was all.
    /// </summary>
    private static bool Announce(Plan plan, bool isDryRun, Action<Progress> tell)
    {
        foreach (string warning in plan.Warnings)
        {
            tell(new Progress(ProgressKind.Warning, "", warning));
        }

        if (isDryRun)
        {
            foreach (string line in plan.Steps.IsEmpty ? ["nothing to do"] : plan.Lines)
            {
                tell(new Progress(ProgressKind.Plan, "", line));
            }
        }

        return isDryRun;
    }

    private ProjectEntry Require(string project)
    {
        _troubles.RefuseUnreadable(project);
        return _ingress.Projects.GetValueOrDefault(project) ?? throw new UserErrorException(
            $"no such project: {project}. `tessera up` starts one.", UserErrorException.Failed);
    }
}
