using Tessera.Stack.Discovery;

namespace Tessera.Stack.Engines.Native;

/// <summary>Going on where the daemon before stopped.</summary>
internal sealed partial class Supervisor
{
    /// <summary>
    /// Adopts what the slot's records speak of. A daemon that died in the middle of a
    /// replacement leaves two instances: the newest one that was ready stays, the other one is
    /// stopped. An instance whose record cannot be read cannot be gone on with: its processes are
    /// ended, so that none runs on unseen beside its successor.
    /// </summary>
    /// <returns>What a person should know of it; null where all went well.</returns>
    public async Task<string?> AdoptAsync(SlotRecord slot)
    {
        string? trouble = null;
        await RunAsync(
            async (_, _) => trouble = await AdoptInTurnAsync(slot), CancellationToken.None);
        return trouble;
    }

    private async Task<string?> AdoptInTurnAsync(SlotRecord slot)
    {
        _desired = slot.Desired;
        _restarts = slot.Restarts;
        List<NativeInstance> alive = [];
        NativeInstance? lastReady = null;
        List<(NativeInstance Instance, InstanceRecord Record)> gone = [];
        (List<InstanceRecord> records, List<string> unreadable) = _folder.ReadInstances();
        foreach (InstanceRecord record in records)
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
        int ended = await EndUnreadableAsync(unreadable);
        _loop = isReturning ? ReturnAsync()
            : _current is null && unreadable.Count > 0 ? StartAnewAsync(ended > 0)
            : GoOnAsync(alive);
        return ended == 0 ? null
            : $"{Slot}: an instance ran whose record could not be read; its processes were ended";
    }

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

    /// <summary>Ends what carries the mark of these instances; returns how many did.</summary>
    private async Task<int> EndUnreadableAsync(List<string> ids)
    {
        int ended = 0;
        foreach (string id in ids)
        {
            // Without a record there is no process to name: the mark alone leads to it.
            var marked = new Leftovers(_parts.Scan, id, new ProcessIdentity(-1, 0, _parts.BootId));
            int killed = await marked.KillAsync(_parts.Time);
            if (killed > 0)
            {
                ended++;
                _parts.Options.Log(
                    $"{Slot}: instance {id} has no record that can be read; "
                    + $"{killed} of its processes were killed");
            }

            _folder.DeleteInstance(id);
        }

        return ended;
    }

    /// <summary>
    /// In the place of an instance that nothing is known of any more. One that had ended before,
    /// and that its policy does not restart, may have been a job that is done.
    /// </summary>
    private async Task StartAnewAsync(bool didRun)
    {
        if (_desired == DesiredState.Running && _findDefinition(Slot) is Service definition
            && (didRun || definition.Restart.Condition != RestartCondition.No))
        {
            await StartWithDaemonAsync(definition, null);
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

        await StartWithDaemonAsync(ended.Definition, ended);
    }

    /// <summary>Returns when it is over: it is the slot's loop.</summary>
    private async Task StartWithDaemonAsync(Service definition, NativeInstance? ended)
    {
        NativeInstance next = CreateInstance(definition, _restarts, "starting with the daemon");
        try
        {
            next.Announce();
            _current = next;
            ended?.Forget();
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
