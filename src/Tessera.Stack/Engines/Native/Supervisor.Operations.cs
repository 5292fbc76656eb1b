using Tessera.Stack.Discovery;

namespace Tessera.Stack.Engines.Native;

/// <summary>
/// The operations of plans on this slot. Each holds the slot's turn from begin to end. Whoever
/// asked may cancel while it waits for its turn, and while a replacement gets ready. A stop that
/// has begun goes on: requests that the instance still answers are not the asker's to cut.
/// </summary>
internal sealed partial class Supervisor
{
    /// <summary>
    /// Runs one operation in its turn; false when the slot has been removed meanwhile.
    /// </summary>
    public async Task<bool> RunAsync(
        Func<Supervisor, CancellationToken, Task> operation, CancellationToken cancellation)
    {
        await _turn.WaitAsync(cancellation);
        try
        {
            if (IsRemoved)
            {
                return false;
            }

            await operation(this, cancellation);
            return true;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <exception cref="OperationFailedException">The process could not be started.</exception>
    public async Task StartAsync(Service definition)
    {
        if (_current is { HasProcess: true, IsEnding: false })
        {
            return;
        }

        await HaltAsync();
        if (_current is { HasProcess: true } restarted)
        {
            if (!restarted.IsEnding)
            {
                Resume(restarted);
                return;
            }

            await restarted.Ended;
        }

        _failures = 0;
        _desired = DesiredState.Running;
        Persist();
        NativeInstance? previous = _current;
        NativeInstance next = CreateInstance(definition, _restarts, "starting");
        next.Announce();
        _current = next;
        previous?.Forget();
        if (await SpawnAsync(next) is string failure)
        {
            next.Finish(InstanceState.Failed, failure, null);
            throw new OperationFailedException($"{Slot}: {failure}");
        }

        Resume(next);
    }

    /// <param name="returns">It ends because the daemon does; the next daemon starts it
    /// again.</param>
    public async Task StopAsync(TimeSpan? gracePeriod, bool returns)
    {
        await HaltAsync();
        if (!returns)
        {
            _desired = DesiredState.Stopped;
        }
        else if (_desired == DesiredState.Running && _current is { Current.IsFinal: false })
        {
            _desired = DesiredState.Returning;
        }

        Persist();
        if (_current is NativeInstance current)
        {
            await StopAsync(current, gracePeriod);
        }
    }

    /// <summary>Stops it and deletes everything that the slot has on disk.</summary>
    public async Task RemoveAsync(TimeSpan? gracePeriod)
    {
        await StopAsync(gracePeriod, returns: false);
        _current?.Forget();
        _current = null;
        _folder.Delete();
        IsRemoved = true;
    }

    /// <param name="gracePeriod">For the old one; null for its service's.</param>
    /// <exception cref="OperationFailedException">The new one did not become ready; the old one
    /// stays.</exception>
    public async Task ReplaceAsync(
        Service definition, TimeSpan? gracePeriod, CancellationToken cancellation)
    {
        await HaltAsync();
        NativeInstance? old = _current;
        bool isStopFirst = definition.Options.FixedPort is not null
            || old?.Definition.Options.FixedPort is not null;
        if (isStopFirst && old is { HasProcess: true })
        {
            await old.StopAsync(gracePeriod);
        }

        NativeInstance next = CreateInstance(definition, _restarts, "replacing");
        next.Announce();
        string? failure;
        try
        {
            failure = await SpawnAsync(next)
                ?? await AwaitReadyAsync(
                    next, PolicyFor(definition).Options.StartTimeout, cancellation);
        }
        catch (OperationCanceledException)
        {
            await AbandonAsync(next, old, isStopFirst);
            throw;
        }

        if (failure is not null)
        {
            string lines = next.ReadLastLines();
            string fate = await AbandonAsync(next, old, isStopFirst);
            string output = lines == "" ? "" : $"; last output:\n{lines}";
            throw new OperationFailedException($"{Slot}: {failure}; {fate}{output}");
        }

        _desired = DesiredState.Running;
        _failures = 0;
        _current = next;
        Persist();
        if (old is not null)
        {
            await StopAsync(old, gracePeriod);
            old.Forget();
        }

        Resume(next);
    }

    /// <summary>Stops what runs and gives the last word about what does not.</summary>
    private static async Task StopAsync(NativeInstance instance, TimeSpan? gracePeriod)
    {
        if (instance.Current.State >= InstanceState.Exited)
        {
            return;
        }

        if (!instance.WasStarted)
        {
            instance.Finish(InstanceState.Exited, "stopped before it was started", null);
            return;
        }

        if (instance.HasProcess)
        {
            await instance.StopAsync(gracePeriod);
        }

        int? exitCode = await instance.Ended;
        string killed = instance.Current.Reason;
        instance.Finish(
            InstanceState.Exited, killed == "" ? "stopped by a command" : killed, exitCode);
    }

    /// <summary>Null when it became ready; else why not.</summary>
    private async Task<string?> AwaitReadyAsync(
        NativeInstance instance, TimeSpan timeout, CancellationToken cancellation)
    {
        try
        {
            await Task.WhenAny(instance.Ready, instance.Ended)
                .WaitAsync(timeout, _parts.Time, cancellation);
        }
        catch (TimeoutException)
        {
            return $"not ready within {timeout.TotalSeconds:0.###} s "
                + $"({instance.Current.Reason})";
        }

        if (instance.Ready.IsCompleted && instance.HasProcess)
        {
            return null;
        }

        string exit = RestartDecision.DescribeExit(await instance.Ended);
        return $"ended with {exit} before it was ready";
    }

    /// <summary>
    /// Removes a replacement that failed and goes on with the old instance; says so.
    /// </summary>
    private async Task<string> AbandonAsync(
        NativeInstance failed, NativeInstance? old, bool isStopFirst)
    {
        if (failed.HasProcess)
        {
            await failed.KillAsync();
        }

        failed.Forget();
        if (old is null)
        {
            return "there is no older one";
        }

        if (isStopFirst && old.WasStarted)
        {
            NativeInstance again = CreateInstance(old.Definition, _restarts, "starting again");
            again.Announce();
            _current = again;
            old.Forget();
            if (await SpawnAsync(again) is string failure)
            {
                again.Finish(InstanceState.Failed, failure, null);
                return $"the old one could not be started again: {failure}";
            }

            Resume(again);
            return "the old one was started again";
        }

        if (old.Current.State < InstanceState.Exited && _desired == DesiredState.Running)
        {
            Resume(old);
        }

        return "the old one stays";
    }
}
