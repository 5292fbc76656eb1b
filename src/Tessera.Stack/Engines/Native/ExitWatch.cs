using System.Collections.Concurrent;
using Tessera.Linux.Processes;

namespace Tessera.Stack.Engines.Native;

/// <summary>
/// Sees processes end, on one thread for all of them, and reaps orphans that fall to this process
/// as their subreaper. Threading: safe from any thread; callbacks run on the watching thread.
/// </summary>
internal sealed class ExitWatch : IDisposable
{
    // A child that somebody waits for (as .NET's Process does) is reaped within moments. What is
    // still there after two sweeps is nobody's.
    private const int SweepMs = 1_000;

    private readonly PollThread _thread;
    private readonly ConcurrentDictionary<int, ProcessHandle> _watched = new();
    private HashSet<(int Pid, long StartTime)> _endedAtLastSweep = [];

    public ExitWatch(Action<string> log) =>
        _thread = new PollThread("tessera-exits", SweepMs, SweepOrphans, log);

    /// <summary>For descriptors of short-lived things: output pipes of healthchecks.</summary>
    public PollThread Thread => _thread;

    /// <summary>Calls back once, when the process has ended; it is not reaped by then.</summary>
    public void Watch(ProcessHandle handle, Action<ProcessHandle> onExit)
    {
        _watched[handle.Pid] = handle;
        ulong token = 0;
        _thread.Post(() =>
        {
            // On the thread itself, so that the callback cannot run before its token is known.
            token = _thread.Add(handle.Descriptor, () =>
            {
                _thread.Remove(handle.Descriptor, token);
                try
                {
                    onExit(handle);
                }
                finally
                {
                    _watched.TryRemove(new KeyValuePair<int, ProcessHandle>(handle.Pid, handle));
                }
            });
        });
    }

    public void Dispose() => _thread.Dispose();

    private void SweepOrphans()
    {
        if (!ProcessGroup.HasEndedChild())
        {
            _endedAtLastSweep.Clear();
            return;
        }

        HashSet<(int, long)> ended = [];
        foreach (ProcessEntry entry in ProcessTable.ReadAll())
        {
            if (!entry.IsEnded || entry.Parent != Environment.ProcessId
                || _watched.ContainsKey(entry.Pid))
            {
                continue;
            }

            (int, long) identity = (entry.Pid, entry.StartTime);
            if (!_endedAtLastSweep.Contains(identity) || !ProcessGroup.ReapChild(entry.Pid))
            {
                ended.Add(identity);
            }
        }

        _endedAtLastSweep = ended;
    }
}
