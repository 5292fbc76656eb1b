using Tessera.Linux.Processes;

namespace Tessera.Stack.Engines.Native;

/// <summary>
/// The processes of one instance besides its own: members of its session and group, descendants,
/// and those that left all of these but still carry its mark in their environment. Threading: used
/// by the instance's own flow only.
/// </summary>
internal sealed class Leftovers(ProcessScan scan, string id, ProcessIdentity leader)
{
    // Each round kills all that is seen; only something that forks faster than that needs another.
    private const int MaxRounds = 50;
    private static readonly TimeSpan RoundPause = TimeSpan.FromMilliseconds(5);

    private readonly HashSet<(int Pid, long StartTime)> _known = [];

    /// <summary>
    /// Remembers who belongs to the instance now. Once the leader is gone, those that cleared their
    /// environment and left its session cannot be told from strangers any more.
    /// </summary>
    public async Task RecordAsync()
    {
        foreach (ProcessEntry entry in Find(await scan.TakeAsync()))
        {
            _known.Add((entry.Pid, entry.StartTime));
        }
    }

    /// <summary>Whether anything but the leader still runs in its group.</summary>
    public async Task<bool> HasGroupAsync()
    {
        ProcessGroup.Reap(leader.Pid);
        if (!ProcessGroup.Exists(leader.Pid))
        {
            return false;
        }

        ProcessSnapshot snapshot = await scan.TakeAsync();
        return !IsNumberReused(snapshot)
            && snapshot.Entries.Any(entry => entry.Group == leader.Pid && !entry.IsEnded);
    }

    /// <summary>
    /// Kills everything that is left and waits until it is gone; returns how many there were.
    /// </summary>
    /// <exception cref="TimeoutException">Something is still there after many rounds.</exception>
    public async Task<int> KillAsync(TimeProvider time)
    {
        var killed = new HashSet<(int, long)>();
        for (int round = 0; round < MaxRounds; round++)
        {
            List<ProcessEntry> found = Find(await scan.TakeAsync());
            foreach (ProcessEntry entry in found)
            {
                Kill(entry);
                killed.Add((entry.Pid, entry.StartTime));
            }

            if (found.Count == 0)
            {
                ReapAll(killed);
                return killed.Count;
            }

            await Task.Delay(RoundPause * Math.Min(round + 1, 20), time);
            ReapAll(killed);
        }

        throw new TimeoutException($"processes of instance {id} cannot be killed");
    }

    /// <summary>
    /// Orphans of the instance fall to this process; those that ended are reaped at once.
    /// </summary>
    private void ReapAll(HashSet<(int Pid, long StartTime)> killed)
    {
        ProcessGroup.Reap(leader.Pid);
        foreach ((int pid, long startTime) in killed)
        {
            if (ProcessTable.TryRead(pid, out ProcessEntry entry) && entry.StartTime == startTime
                && entry.IsEnded && entry.Parent == Environment.ProcessId)
            {
                ProcessGroup.ReapChild(pid);
            }
        }
    }

    private static void Kill(ProcessEntry entry)
    {
        if (!ProcessHandle.TryOpen(entry.Pid, out ProcessHandle? handle).IsSuccess)
        {
            return;
        }

        using (handle)
        {
            // The number may have passed to another process between the scan and the opening.
            if (ProcessTable.TryRead(entry.Pid, out ProcessEntry now)
                && now.StartTime == entry.StartTime)
            {
                handle!.SendSignal(Signals.Kill);
            }
        }
    }

    /// <summary>Everything of the instance that runs, its leader included.</summary>
    private List<ProcessEntry> Find(ProcessSnapshot snapshot)
    {
        bool isReused = IsNumberReused(snapshot);
        var found = new Dictionary<int, ProcessEntry>();
        foreach (ProcessEntry entry in snapshot.Entries)
        {
            if (IsOurs(entry, snapshot, isReused))
            {
                found[entry.Pid] = entry;
            }
        }

        // Children of those, however deep. Numbers say nothing about who descends from whom.
        bool hasGrown = found.Count > 0;
        while (hasGrown)
        {
            hasGrown = false;
            foreach (ProcessEntry entry in snapshot.Entries)
            {
                if (found.ContainsKey(entry.Parent) && found.TryAdd(entry.Pid, entry))
                {
                    hasGrown = true;
                }
            }
        }

        return [.. found.Values.Where(
            entry => !entry.IsEnded && entry.Pid != Environment.ProcessId)];
    }

    private bool IsOurs(ProcessEntry entry, ProcessSnapshot snapshot, bool isReused)
    {
        if (entry.StartTime < leader.StartTime)
        {
            return false;
        }

        return (!isReused && (entry.Session == leader.Pid || entry.Group == leader.Pid))
            || _known.Contains((entry.Pid, entry.StartTime))
            || (!entry.IsEnded && snapshot.MarkOf(entry.Pid) == id);
    }

    /// <summary>
    /// A number is not given away while a session or group bears it; when another process has the
    /// leader's number, then nothing of its session is left.
    /// </summary>
    private bool IsNumberReused(ProcessSnapshot snapshot) => snapshot.Entries.Any(
        entry => entry.Pid == leader.Pid && entry.StartTime != leader.StartTime);
}
