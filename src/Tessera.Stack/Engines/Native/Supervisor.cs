using System.Collections.Immutable;
using Tessera.Linux;
using Tessera.Linux.Processes;
using Tessera.Stack.Discovery;

namespace Tessera.Stack.Engines.Native;

/// <summary>
/// Keeps one slot as it is meant to be: one loop that awaits the end of the slot's instance and
/// restarts it as its policy says, and the operations of plans, which halt the loop while they
/// work. Threading: operations wait for each other; <see cref="Current"/> and <see cref="Signal"/>
/// may be used at any time.
/// </summary>
internal sealed partial class Supervisor : IDisposable
{
    private readonly EngineParts _parts;
    private readonly Func<SlotName, Service?> _findDefinition;
    private readonly Func<string, ImmutableSortedDictionary<string, string>> _findEnvironment;
    private readonly SlotFolder _folder;
    private readonly SlotLog _log;
    private readonly SemaphoreSlim _turn = new(1);
    private CancellationTokenSource _halt = new();
    private Task _loop = Task.CompletedTask;
    private volatile NativeInstance? _current;
    private DesiredState _desired = DesiredState.Created;
    private int _restarts;
    private int _failures;

    public Supervisor(
        EngineParts parts,
        SlotName slot,
        Func<SlotName, Service?> findDefinition,
        Func<string, ImmutableSortedDictionary<string, string>> findEnvironment)
    {
        _parts = parts;
        Slot = slot;
        _findDefinition = findDefinition;
        _findEnvironment = findEnvironment;
        _folder = SlotFolder.Create(parts.Options.StateFolder, slot, parts.Options.Log);
        _log = new SlotLog(slot.ToString(), _folder.Path, parts.Options);
    }

    public SlotName Slot { get; }

    public SlotLog Log => _log;

    /// <summary>The slot's newest instance; null when it never had one, or was removed.</summary>
    public NativeInstance? Current => _current;

    /// <summary>
    /// Set once the slot was removed: whoever waited for its turn takes a new supervisor.
    /// </summary>
    public bool IsRemoved { get; private set; }

    /// <summary>Ends the loop and leaves the processes as they are.</summary>
    public async Task ReleaseAsync()
    {
        await _turn.WaitAsync();
        try
        {
            await HaltAsync();
            if (_current is NativeInstance current)
            {
                await current.ReleaseAsync();
            }
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>
    /// To the process group of the slot's instance, without waiting for a turn: a stop that takes
    /// long can be cut short. What a person kills stays down, as with Docker.
    /// </summary>
    public SyscallResult Signal(int signal) =>
        _current?.SignalByCommand(signal) ?? SyscallResult.Failure(ProcessErrno.NoProcess);

    public void Dispose()
    {
        _current?.Dispose();
        _halt.Dispose();
        _turn.Dispose();
    }

    /// <summary>
    /// What is in force for an instance: the newest definition for all that needs no restart, its
    /// own for what its process is.
    /// </summary>
    private Service PolicyFor(Service own) =>
        _findDefinition(Slot) is not Service newest || ReferenceEquals(newest, own) ? own
        : newest.ProcessHash == own.ProcessHash ? newest
        : own with
        {
            Restart = newest.Restart,
            StopSignal = newest.StopSignal,
            StopGracePeriod = newest.StopGracePeriod,
            Healthcheck = newest.Healthcheck,
            Options = newest.Options with { FixedPort = own.Options.FixedPort },
        };

    private NativeInstance CreateInstance(Service definition, int restarts, string reason)
    {
        DateTimeOffset now = _parts.Time.GetUtcNow();
        return CreateInstance(definition, new Instance
        {
            Id = NewId(),
            Slot = Slot,
            State = InstanceState.Pending,
            Reason = reason,
            CreatedAt = now,
            ChangedAt = now,
            Restarts = restarts,
            ProcessHash = definition.ProcessHash,
            Command = string.Join(' ', definition.Command),
        });
    }

    private NativeInstance CreateInstance(Service definition, Instance pending) =>
        new(_parts, _folder, _log, definition, () => PolicyFor(definition), pending);

    private static string NewId() =>
        Convert.ToHexStringLower(System.Security.Cryptography.RandomNumberGenerator.GetBytes(8));

    /// <summary>Its folder is made and its records are written as if for the first time.</summary>
    public void WriteState()
    {
        SlotFolder.Create(_parts.Options.StateFolder, Slot, _parts.Options.Log);
        Persist();
        _current?.WriteRecord();
    }

    /// <summary>A full disk ends no supervision: the record before stays.</summary>
    private void Persist()
    {
        try
        {
            _folder.WriteSlot(new SlotRecord(
                Slot.Project, Slot.Service, Slot.Number, _desired, _restarts));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _parts.Options.Log($"{Slot}: what it is meant to be cannot be written: {e.Message}");
        }
    }

    private Task<string?> SpawnAsync(NativeInstance instance) =>
        instance.StartAsync(_findEnvironment(Slot.Project));

    /// <summary>The loop for an instance in whatever state it is.</summary>
    private void Resume(NativeInstance instance)
    {
        _halt.Dispose();
        _halt = new CancellationTokenSource();
        _loop = SuperviseAsync(instance, _halt.Token);
    }

    /// <summary>Returns when the loop does nothing any more; the instance stays as it is.</summary>
    private async Task HaltAsync()
    {
        await _halt.CancelAsync();
        await _loop;
    }

    private async Task SuperviseAsync(NativeInstance instance, CancellationToken halt)
    {
        try
        {
            while (true)
            {
                // 1. A successor, or one that its daemon did not come to start, is started.
                string? failure = instance.WasStarted ? null : await SpawnAsync(instance);

                // 2. It runs until it ends, and nothing of it is left.
                int? exitCode = failure is null ? await instance.Ended.WaitAsync(halt) : null;
                string cause = failure ?? RestartDecision.DescribeExit(exitCode);

                // 3. Its policy decides. Whoever halts the loop decides instead of it.
                halt.ThrowIfCancellationRequested();
                if (await SucceedAsync(instance, exitCode, cause, halt) is not NativeInstance next)
                {
                    return;
                }

                instance = next;
            }
        }
        catch (OperationCanceledException)
        {
        }
        catch (Exception e)
        {
            _parts.Options.Log($"{Slot}: supervision ended: {e}");
        }
    }

    /// <summary>
    /// Decides what follows an end: the successor, its wait over, or null for none.
    /// </summary>
    private async Task<NativeInstance?> SucceedAsync(
        NativeInstance ended, int? exitCode, string cause, CancellationToken halt)
    {
        if (ended.IsKilledByCommand)
        {
            _desired = DesiredState.Stopped;
            Persist();
            ended.Finish(InstanceState.Exited, "killed by a command", exitCode);
            return null;
        }

        Service policy = PolicyFor(ended.Definition);
        bool wasStable = ended.ReadyAt is DateTimeOffset readyAt
            && _parts.Time.GetUtcNow() - readyAt >= _parts.Options.StableRun;
        _failures = wasStable ? 1 : _failures + 1;
        RestartDecision decision = RestartDecision.After(
            policy.Restart, exitCode, _failures, Random.Shared.NextDouble(), _parts.Options);
        if (!decision.Restarts)
        {
            GiveUp(ended, exitCode, cause, decision.IsFatal);
            return null;
        }

        _restarts++;
        string reason = RestartDecision.DescribeWait(decision.Delay, cause, _failures);
        NativeInstance next = CreateInstance(ended.Definition, _restarts, reason);
        Persist();
        next.Announce();
        _current = next;
        ended.Finish(InstanceState.Exited, cause, exitCode, isFinal: false);
        ended.Forget();
        _parts.Options.Log($"{Slot}: {reason}");
        if (decision.Delay > TimeSpan.Zero)
        {
            await Task.Delay(decision.Delay, _parts.Time, halt);
        }

        return next;
    }

    private void GiveUp(NativeInstance ended, int? exitCode, string cause, bool isFatal)
    {
        string lines = exitCode == 0 ? "" : ended.ReadLastLines();
        string reason = isFatal
            ? $"FATAL: gave up after {_failures} failures in a row, the last with {cause}"
            : cause;
        reason = lines == "" ? reason : $"{reason}; last output:\n{lines}";
        ended.Finish(
            isFatal ? InstanceState.Failed : InstanceState.Exited,
            exitCode == 0 ? "" : reason, exitCode);
        _parts.Options.Log($"{Slot}: {(exitCode == 0 ? "completed" : reason)}");
    }
}
