using Tessera.Stack.Discovery;

namespace Tessera.Stack.Engines.Native;

/// <summary>Going on where the daemon before stopped.</summary>
internal sealed partial class Supervisor
{
    /// <summary>
    /// Adopts what the slot's records speak of. A daemon that died in the middle of a
    /// replacement leaves two instances: the newest one that was ready stays, the other one is
    /// stopped.
    /// </summary>
    public Task AdoptAsync(SlotRecord slot) => RunAsync(
        async (_, _) =>
        {
            _desired = slot.Desired;
            _restarts = slot.Restarts;
            List<NativeInstance> alive = [];
            NativeInstance? lastReady = null;
            List<(NativeInstance Instance, InstanceRecord Record)> gone = [];
            foreach (InstanceRecord record in _folder.ReadInstances())
            {
                NativeInstance instance = CreateInstance(record.Definition, Restore(record));
                if (record.Phase is RecordPhase.Spawning or RecordPhase.Spawned or RecordPhase.Ready
                    && await instance.AdoptAsync(record, _findEnvironment(Slot.Project)))
                {
                    alive.Add(instance);
                    lastReady = record.Phase == RecordPhase.Ready ? instance : lastReady;
                }
                else
                {
                    gone.Add((instance, record));
                }
            }

            _current = alive.FindLast(instance => instance.ReadyAt is not null)
                ?? lastReady ?? alive.LastOrDefault();
            alive.Remove(_current!);
            bool isReturning = _desired == DesiredState.Returning;
            if (_current is null && gone.Count > 0)
            {
                (NativeInstance newest, InstanceRecord record) = gone[^1];
                _current = newest;
                Show(newest, record);
                gone.RemoveAt(gone.Count - 1);
                isReturning |= _desired == DesiredState.Stopped && Outlives(newest, record);
            }

            gone.ForEach(one => one.Instance.Forget());
            _loop = isReturning ? ReturnAsync() : GoOnAsync(alive);
        },
        CancellationToken.None);

    /// <summary>
    /// <c>restart: always</c> starts again with the daemon what a person stopped before it, as with
    /// Docker. A stop that was under way when its daemon died is finished and not undone.
    /// </summary>
    private bool Outlives(NativeInstance stopped, InstanceRecord record) =>
        record.Phase == RecordPhase.Ended
        && PolicyFor(stopped.Definition).Restart.Condition == RestartCondition.Always;

    private Instance Restore(InstanceRecord record) => new()
    {
        Id = record.Id,
        Slot = Slot,
        State = record.Phase switch
        {
            RecordPhase.Ended => InstanceState.Exited,
            RecordPhase.Failed => InstanceState.Failed,
            _ => InstanceState.Pending,
        },
        Reason = record.Reason,
        CreatedAt = record.CreatedAt,
        StartedAt = record.StartedAt,
        ChangedAt = record.ExitedAt ?? _parts.Time.GetUtcNow(),
        ExitedAt = record.ExitedAt,
        ExitCode = record.ExitCode,
        IsFinal = record.Phase is RecordPhase.Ended or RecordPhase.Failed,
        Restarts = record.Restarts,
        ProcessHash = record.Definition.ProcessHash,
        Command = record.Command,
    };

    private static void Show(NativeInstance instance, InstanceRecord record)
    {
        if (record.Phase is RecordPhase.Ended or RecordPhase.Failed)
        {
            instance.ShowEnded(record);
        }
        else if (!instance.WasStarted)
        {
            instance.Announce();
        }
    }

    /// <summary>Starts again what ended only because its daemon did.</summary>
    private async Task ReturnAsync()
    {
        _desired = DesiredState.Running;
        Persist();
        if (_current is not { } ended
            || PolicyFor(ended.Definition).Restart.Condition == RestartCondition.No)
        {
            return;
        }

        NativeInstance next = CreateInstance(
            ended.Definition, _restarts, "starting with the daemon");
        try
        {
            next.Announce();
            _current = next;
            ended.Forget();
        }
        catch (Exception e)
        {
            // Whoever halts the loop awaits it: it must not fail.
            _parts.Options.Log($"{Slot}: cannot be started with the daemon: {e}");
            return;
        }

        await SuperviseAsync(next, _halt.Token);
    }

    /// <summary>Finishes stops that the daemon before had begun, then supervises.</summary>
    private async Task GoOnAsync(List<NativeInstance> superfluous)
    {
        try
        {
            foreach (NativeInstance instance in superfluous)
            {
                await StopAsync(instance, null);
                instance.Forget();
            }

            if (_current is NativeInstance current && _desired == DesiredState.Stopped)
            {
                await StopAsync(current, null);
            }
        }
        catch (Exception e)
        {
            _parts.Options.Log($"{Slot}: adopting it failed: {e}");
        }

        if (_current is { Current.State: < InstanceState.Exited } slot
            && _desired == DesiredState.Running)
        {
            await SuperviseAsync(slot, _halt.Token);
        }
    }
}
