using System.Collections.Concurrent;
using Tessera.Linux.Processes;

namespace Tessera.Stack.Engines.Native;

/// <summary>
/// The process table at one moment, with the marks that instances' processes carry.
/// </summary>
internal sealed class ProcessSnapshot(List<ProcessEntry> entries)
{
    private readonly ConcurrentDictionary<int, string?> _marks = new();

    public IReadOnlyList<ProcessEntry> Entries => entries;

    /// <summary>
    /// The id of the instance in whose environment the process was started, or null.
    /// </summary>
    public string? MarkOf(int pid) => _marks.GetOrAdd(
        pid, static pid => ProcessTable.ReadVariable(pid, ProcessScan.MarkVariable));
}

/// <summary>
/// Reads the process table for whoever asks, once for all who ask at about the same time: a project
/// with a thousand instances that is stopped would else read it some thousand times. Threading:
/// safe from any thread.
/// </summary>
internal sealed class ProcessScan
{
    /// <summary>Variable that every process of an instance inherits.</summary>
    public const string MarkVariable = "TESSERA_INSTANCE_ID";

    private readonly Lock _lock = new();
    private Task<ProcessSnapshot> _running = Task.FromResult(new ProcessSnapshot([]));
    private Task<ProcessSnapshot>? _next;

    /// <summary>A snapshot that was begun after this call.</summary>
    public Task<ProcessSnapshot> TakeAsync()
    {
        lock (_lock)
        {
            return _next ??= TakeAfterAsync(_running);
        }
    }

    private async Task<ProcessSnapshot> TakeAfterAsync(Task<ProcessSnapshot> previous)
    {
        await ((Task)previous).ConfigureAwait(
            ConfigureAwaitOptions.ForceYielding | ConfigureAwaitOptions.SuppressThrowing);
        var taken = new TaskCompletionSource<ProcessSnapshot>();
        lock (_lock)
        {
            _running = taken.Task;
            _next = null;
        }

        try
        {
            var snapshot = new ProcessSnapshot(ProcessTable.ReadAll());
            taken.SetResult(snapshot);
            return snapshot;
        }
        catch (Exception e)
        {
            taken.SetException(e);
            throw;
        }
    }
}
