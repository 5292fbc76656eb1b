using System.Collections.Immutable;
using Tessera.Linux;
using Tessera.Linux.Processes;
using Tessera.Stack.Discovery;

namespace Tessera.Stack.Engines.Native;

/// <summary>Adopting what another daemon started.</summary>
internal sealed partial class NativeInstance
{
    /// <summary>
    /// Finds the process that a record speaks of. True when it runs: it is watched from now on, as
    /// if it had been started here. False when it is gone: what it left is killed, and
    /// <see cref="Ended"/> is complete, with an unknown exit code. False as well when its daemon
    /// died before it could start it: then it still waits to be started.
    /// </summary>
    public async Task<bool> AdoptAsync(
        InstanceRecord record, ImmutableSortedDictionary<string, string> baseEnvironment)
    {
        _ports = record.Ports;
        _phase = record.Phase;
        foreach (int port in _ports.Values)
        {
            _parts.Ports.Reserve(port);
        }

        Process = await FindAsync(record);
        if (Process is null || !TryOpenHandle(Process))
        {
            await CleanUpDeadAsync(record);
            return false;
        }

        try
        {
            _command = CreateCommand(baseEnvironment);
        }
        catch (StartFailedException e)
        {
            _parts.Options.Log($"{_instance.Name}: adopted, but {e.Message}");
        }

        OpenOutput(_folder.FifoPath(Id), null);
        bool wasReady = record.Phase == RecordPhase.Ready;
        bool isReady = wasReady && (ReadinessPort is not int own
            || await Readiness.AcceptsAsync(own, CancellationToken.None));
        _phase = wasReady ? RecordPhase.Ready : RecordPhase.Spawned;
        bool isChecked = Policy.Healthcheck is not null;

        // Between two daemons nothing has checked it: its last check holds until the next one.
        InstanceHealth health = !isChecked ? InstanceHealth.None
            : record.Health == InstanceHealth.Unhealthy ? InstanceHealth.Unhealthy
            : isReady && record.Health == InstanceHealth.Healthy ? InstanceHealth.Healthy
            : InstanceHealth.Starting;
        Follow(isReady, Process.StartTime, now => now with
        {
            State = isReady ? InstanceState.Running : InstanceState.Starting,
            Health = health,
            Reason = health == InstanceHealth.Unhealthy ? record.Reason
                : isReady ? "" : "adopted; waiting until it is ready",
            StartedAt = record.StartedAt ?? _parts.Time.GetUtcNow(),
            Pid = Process.Pid,
            Addresses = CreateAddresses(),
        });
        return true;
    }

    /// <summary>The record of an instance that had ended before: it only shows again.</summary>
    public void ShowEnded(InstanceRecord record)
    {
        _phase = record.Phase;
        _ended = Task.FromResult(record.ExitCode);
        _exit.TrySetResult(record.ExitCode);
        _parts.Catalog.Report(_instance);
    }

    /// <summary>
    /// A pid is believed together with its start time and the boot it counts from. A daemon that
    /// died between spawn and record left only the mark in the process's environment.
    /// </summary>
    private async Task<ProcessIdentity?> FindAsync(InstanceRecord record)
    {
        if (record.Process is ProcessIdentity known)
        {
            return known.BootId == _parts.BootId
                && ProcessTable.TryRead(known.Pid, out ProcessEntry entry)
                && entry.StartTime == known.StartTime && !entry.IsEnded
                ? known
                : null;
        }

        if (record.Phase != RecordPhase.Spawning)
        {
            return null;
        }

        ProcessSnapshot snapshot = await _parts.Scan.TakeAsync();
        foreach (ProcessEntry entry in snapshot.Entries)
        {
            // The leader of the session is the process that was spawned; others descend from it.
            if (entry.Session == entry.Pid && !entry.IsEnded && snapshot.MarkOf(entry.Pid) == Id)
            {
                return new ProcessIdentity(entry.Pid, entry.StartTime, _parts.BootId);
            }
        }

        return null;
    }

    /// <summary>False when the process is gone.</summary>
    /// <exception cref="IOException">It may live, but it cannot be watched.</exception>
    private bool TryOpenHandle(ProcessIdentity identity)
    {
        SyscallResult opened = ProcessHandle.TryOpen(identity.Pid, out _handle);
        if (!opened.IsSuccess)
        {
            // The number of a process that is gone may be that of a thread by now: EINVAL.
            return opened.Errno is ProcessErrno.NoProcess or ProcessErrno.Invalid
                ? false
                : throw new IOException(
                    $"pidfd_open({identity.Pid}): {ProcessErrno.Describe(opened.Errno)}");
        }

        // Opened by number: only now is it certain that the number still means the same process.
        if (ProcessTable.TryRead(identity.Pid, out ProcessEntry entry)
            && entry.StartTime == identity.StartTime)
        {
            return true;
        }

        _handle!.Dispose();
        _handle = null;
        return false;
    }

    private async Task CleanUpDeadAsync(InstanceRecord record)
    {
        ProcessIdentity leader = record.Process is ProcessIdentity known
            && known.BootId == _parts.BootId
            ? known
            : new ProcessIdentity(-1, 0, _parts.BootId);
        await KillLeftoversAsync(new Leftovers(_parts.Scan, Id, leader));
        DeleteFifo();
        GiveBackPorts();
        Process = null;
        if (record.Phase == RecordPhase.Spawning && record.Process is null)
        {
            _phase = RecordPhase.Created;
            return;
        }

        _exit.TrySetResult(null);
        _ended = Task.FromResult<int?>(null);
        Update(now => now with
        {
            State = InstanceState.Died,
            StartedAt = record.StartedAt,
            ExitedAt = _parts.Time.GetUtcNow(),
            Reason = "ended while no daemon watched it",
        });
    }
}
