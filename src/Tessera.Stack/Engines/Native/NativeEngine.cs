using System.Collections.Concurrent;
using System.Collections.Immutable;
using Tessera.Linux;
using Tessera.Linux.Processes;
using Tessera.Stack.Discovery;
using Tessera.Stack.Planning;

namespace Tessera.Stack.Engines.Native;

/// <summary>
/// Runs instances as processes of this machine. Threading: safe from any thread. Its processes run
/// on when it is disposed; whoever wants them stopped executes <see cref="StopInstance"/> before.
/// </summary>
public sealed class NativeEngine : IEngine, IAsyncDisposable
{
    private readonly EngineParts _parts;
    private readonly ConcurrentDictionary<SlotName, Supervisor> _supervisors = new();
    private readonly ConcurrentDictionary<(string Project, string Service), Service> _services =
        new();
    private readonly ConcurrentDictionary<string, ImmutableSortedDictionary<string, string>>
        _baseEnvironments = new(StringComparer.Ordinal);
    private int _isReleased;

    /// <param name="drain">Asked before every stop of an instance that may have traffic.</param>
    public NativeEngine(
        NativeEngineOptions options, Catalog catalog, DrainInstance drain, TimeProvider time)
    {
        _parts = new EngineParts(options, catalog, drain, time);
        SyscallResult subreaper = ProcessGroup.BecomeSubreaper();
        if (!subreaper.IsSuccess)
        {
            options.Log($"prctl: {ProcessErrno.Describe(subreaper.Errno)}");
        }
    }

    public void SetBaseEnvironment(
        string project, ImmutableSortedDictionary<string, string> environment) =>
        _baseEnvironments[project] = environment;

    public void Forget(string project)
    {
        _baseEnvironments.TryRemove(project, out _);
        foreach ((string Project, string Service) key in
            _services.Keys.Where(key => key.Project == project))
        {
            _services.TryRemove(key, out _);
        }
    }

    public async Task ExecuteAsync(Operation operation, CancellationToken cancellation)
    {
        switch (operation)
        {
            case DefineService define:
                _services[(define.Project, define.Service.Name)] = define.Service;
                break;
            case StartInstance start:
                Learn(start.Slot, start.Service);
                await RunAsync(start.Slot,
                    (slot, _) => slot.StartAsync(start.Service), cancellation);
                break;
            case ReplaceInstance replace:
                Learn(replace.Slot, replace.Service);
                await RunAsync(replace.Slot,
                    (slot, token) =>
                        slot.ReplaceAsync(replace.Service, replace.GracePeriod, token),
                    cancellation);
                break;
            case StopInstance stop:
                await RunKnownAsync(stop.Slot,
                    (slot, _) => slot.StopAsync(stop.GracePeriod, stop.ReturnsWithDaemon),
                    cancellation);
                break;
            case SignalInstance signal:
                Signal(signal);
                break;
            case RemoveInstance remove:
                await RunKnownAsync(remove.Slot, async (slot, _) =>
                {
                    await slot.RemoveAsync(remove.GracePeriod);
                    _supervisors.TryRemove(new(remove.Slot, slot));
                }, cancellation);
                break;
            default:
                throw new InvalidOperationException($"{operation.Verb} is not for an engine");
        }
    }

    public async Task<ImmutableArray<Instance>> ObserveAsync(
        string project, CancellationToken cancellation)
    {
        Supervisor[] slots = [.. SlotsOf(project)];
        foreach (Supervisor slot in slots)
        {
            if (slot.Current is NativeInstance current)
            {
                await current.SettleAsync(cancellation);
            }
        }

        return
        [
            .. _parts.Catalog.Current.Instances.Values
                .Where(instance => instance.Slot.Project == project
                    && _supervisors.ContainsKey(instance.Slot))
                .OrderBy(instance => instance.Slot.Service, StringComparer.Ordinal)
                .ThenBy(instance => instance.Slot.Number)
                .ThenBy(instance => instance.CreatedAt),
        ];
    }

    public IAsyncEnumerable<LogLine> LogsAsync(LogQuery query, CancellationToken cancellation) =>
        new LogReader(
            _parts.Logs,
            () => SlotsOf(query.Project)
                .Where(slot => query.Services.IsDefaultOrEmpty
                    || query.Services.Contains(slot.Slot.Service))
                .Select(slot => (slot.Slot, slot.Log)),
            query).ReadAsync(cancellation);

    /// <summary>
    /// Adopts a project's instances from the daemon before: living ones run on with their pids,
    /// ended ones are treated as ends. Slots of services that are not among
    /// <paramref name="services"/> go on with the definition they were started with.
    /// </summary>
    /// <returns>What a person should know: instances that could not be gone on with.</returns>
    public async Task<ImmutableArray<string>> AdoptAsync(
        string project, IEnumerable<Service> services, CancellationToken cancellation)
    {
        foreach (Service service in services)
        {
            _services[(project, service.Name)] = service;
        }

        List<Task<string?>> adoptions = [];
        foreach ((SlotFolder folder, SlotRecord record) in SlotFolder.FindAll(
            _parts.Options.StateFolder, project, _parts.Options.Log))
        {
            cancellation.ThrowIfCancellationRequested();
            var name = new SlotName(record.Project, record.Service, record.Number);
            Supervisor slot = _supervisors.GetOrAdd(name, CreateSupervisor(name));
            adoptions.Add(AdoptAsync(slot, record));
        }

        return [.. (await Task.WhenAll(adoptions)).OfType<string>()];
    }

    /// <summary>
    /// Stops supervising and reading logs; the processes run on for the next daemon.
    /// </summary>
    public async Task ReleaseAsync()
    {
        if (Interlocked.Exchange(ref _isReleased, 1) == 0)
        {
            await Task.WhenAll(_supervisors.Values.Select(slot => slot.ReleaseAsync()));
            _parts.Dispose();
            foreach (Supervisor slot in _supervisors.Values)
            {
                slot.Dispose();
            }
        }
    }

    public async ValueTask DisposeAsync() => await ReleaseAsync();

    /// <summary>One slot's trouble must not keep the daemon from starting.</summary>
    private async Task<string?> AdoptAsync(Supervisor slot, SlotRecord record)
    {
        try
        {
            return await slot.AdoptAsync(record);
        }
        catch (Exception e)
        {
            _parts.Options.Log($"{slot.Slot}: cannot be adopted: {e}");
            return $"{slot.Slot} cannot be adopted: {e.Message}";
        }
    }

    private IEnumerable<Supervisor> SlotsOf(string project) =>
        _supervisors.Values.Where(slot => slot.Slot.Project == project);

    /// <summary>An operation that carries a definition carries the newest one.</summary>
    private void Learn(SlotName slot, Service service) =>
        _services[(slot.Project, service.Name)] = service;

    private Supervisor CreateSupervisor(SlotName slot) => new(
        _parts, slot,
        name => _services.GetValueOrDefault((name.Project, name.Service)),
        project => _baseEnvironments.GetValueOrDefault(
            project, ImmutableSortedDictionary<string, string>.Empty));

    private async Task RunAsync(
        SlotName name, Func<Supervisor, CancellationToken, Task> operation,
        CancellationToken cancellation)
    {
        bool isDone;
        do
        {
            Supervisor slot = _supervisors.GetOrAdd(name, CreateSupervisor);
            isDone = await slot.RunAsync(operation, cancellation);
        }
        while (!isDone);
    }

    /// <summary>A slot that does not exist needs nothing done.</summary>
    private async Task RunKnownAsync(
        SlotName name, Func<Supervisor, CancellationToken, Task> operation,
        CancellationToken cancellation)
    {
        if (_supervisors.TryGetValue(name, out Supervisor? slot))
        {
            await slot.RunAsync(operation, cancellation);
        }
    }

    private void Signal(SignalInstance operation)
    {
        if (!Signals.TryParse(operation.Signal, out int signal))
        {
            throw new OperationFailedException(
                $"{operation.Slot}: unknown signal {operation.Signal}");
        }

        SyscallResult sent = _supervisors.TryGetValue(operation.Slot, out Supervisor? slot)
            ? slot.Signal(signal)
            : SyscallResult.Failure(ProcessErrno.NoProcess);
        if (!sent.IsSuccess)
        {
            throw new OperationFailedException(sent.Errno == ProcessErrno.NoProcess
                ? $"{operation.Slot} is not running"
                : $"{operation.Slot}: {ProcessErrno.Describe(sent.Errno)}");
        }
    }
}
