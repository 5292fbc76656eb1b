using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using Tessera.Linux;
using Tessera.Linux.Processes;
using Tessera.Stack.Discovery;

namespace Tessera.Stack.Engines.Native;

/// <summary>
/// One process from its start, or its adoption, to the moment when nothing of it is left.
/// One-shot: a restart is another object. Threading: <see cref="StartAsync"/>,
/// <see cref="StopAsync"/> and <see cref="Finish"/> are called by its supervisor one at a time;
/// reports come from any thread.
/// </summary>
internal sealed partial class NativeInstance : IDisposable
{
    // How long a process that somebody else reaps may take until its exit code can be asked for.
    private static readonly TimeSpan ExitCodeWait = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan ExitCodePause = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan GroupPause = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan KillWait = TimeSpan.FromSeconds(30);

    private readonly Lock _lock = new();
    private readonly EngineParts _parts;
    private readonly SlotFolder _folder;
    private readonly SlotLog _log;
    private readonly Func<Service> _policy;
    private readonly TaskCompletionSource<int?> _exit =
        new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _ready =
        new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _life = new();
    private Instance _instance;
    private InstanceCommand? _command;
    private ProcessHandle? _handle;
    private Leftovers? _leftovers;
    private ImmutableSortedDictionary<int, int> _ports = ImmutableSortedDictionary<int, int>.Empty;
    private RecordPhase _phase = RecordPhase.Created;
    private LogPosition _logStart;
    private DateTimeOffset? _readyAt;
    private long _stopDeadline;
    private bool _isReaped;
    private bool _isKilled;
    private Task _probing = Task.CompletedTask;
    private Task<int?>? _ended;

    public NativeInstance(
        EngineParts parts, SlotFolder folder, SlotLog log, Service definition, Func<Service> policy,
        Instance pending)
    {
        _parts = parts;
        _folder = folder;
        _log = log;
        Definition = definition;
        _policy = policy;
        _instance = pending;
    }

    public string Id => _instance.Id;

    /// <summary>What it runs.</summary>
    public Service Definition { get; }

    /// <summary>The newest definition of its service, for all that needs no restart.</summary>
    public Service Policy => _policy();

    public Instance Current
    {
        get
        {
            lock (_lock)
            {
                return _instance;
            }
        }
    }

    /// <summary>
    /// Null before the start, and where it cannot be made again for one that was adopted.
    /// </summary>
    public InstanceCommand? Command => _command;

    public ProcessIdentity? Process { get; private set; }

    /// <summary>Its process exists, or existed and is not cleaned up yet.</summary>
    public bool HasProcess => _ended is { IsCompleted: false };

    /// <summary>Its process has ended, or is about to because it was told to.</summary>
    public bool IsEnding => Current.State >= InstanceState.Draining;

    /// <summary>Was started, or adopted.</summary>
    public bool WasStarted => _ended is not null;

    /// <summary>
    /// Exit code, null when unknown; completed when nothing of the instance is left.
    /// </summary>
    public Task<int?> Ended => _ended!;

    /// <summary>A person killed it.</summary>
    public bool IsKilledByCommand
    {
        get
        {
            lock (_lock)
            {
                return _isKilled;
            }
        }
    }

    /// <summary>Completed when it was ready for the first time.</summary>
    public Task Ready => _ready.Task;

    public DateTimeOffset? ReadyAt => _readyAt;

    /// <summary>The port that says whether it serves; null without one.</summary>
    public int? ReadinessPort
    {
        get
        {
            foreach (int target in Definition.TargetPorts)
            {
                bool isUdp = Definition.Ports.Any(port => port.Target == target)
                    && Definition.Ports.All(
                        port => port.Target != target || port.Protocol == "udp");
                if (!isUdp && _ports.TryGetValue(target, out int port))
                {
                    return port;
                }
            }

            return Definition.Options.FixedPort;
        }
    }

    /// <summary>Writes its record; it appears in the catalog.</summary>
    public void Announce()
    {
        WriteRecord();
        _parts.Catalog.Report(_instance);
    }

    /// <summary>
    /// Starts the process: done when it runs. Null, or why it could not be started; nothing is left
    /// behind then, and the state is still Pending.
    /// </summary>
    public async Task<string?> StartAsync(
        ImmutableSortedDictionary<string, string> baseEnvironment)
    {
        await _parts.Starts.WaitAsync();
        try
        {
            TakePorts();
            _command = CreateCommand(baseEnvironment);
            await SpawnAsync(_command);
            return null;
        }
        catch (Exception e) when (
            e is StartFailedException or IOException or UnauthorizedAccessException)
        {
            _phase = RecordPhase.Created;
            await _parts.Logs.CloseAsync(Id);
            DeleteFifo();
            GiveBackPorts();
            return e.Message;
        }
        finally
        {
            _parts.Starts.Release();
        }
    }

    /// <summary>
    /// Unroutes, drains, signals and waits; kills what is left after the grace period. Returns when
    /// nothing of it is left, whatever happens. Only the end of the process cuts the drain short.
    /// </summary>
    public async Task StopAsync(TimeSpan? gracePeriod)
    {
        Service policy = Policy;
        if (Update(now => now with { State = InstanceState.Draining, Reason = "" }))
        {
            await DrainAsync(policy.Options.DrainTimeout);
        }

        Update(now => now with { State = InstanceState.Stopping });
        if (!_exit.Task.IsCompleted)
        {
            await _leftovers!.RecordAsync();
        }

        TimeSpan grace = gracePeriod ?? policy.StopGracePeriod;
        Volatile.Write(ref _stopDeadline, _parts.Time.GetUtcNow().Add(grace).Ticks);
        Signal(Signals.TryParse(policy.StopSignal, out int signal) ? signal : Signals.Terminate);
        try
        {
            await _exit.Task.WaitAsync(grace, _parts.Time, CancellationToken.None);
        }
        catch (TimeoutException)
        {
            Update(now => now with
            {
                Reason = string.Create(CultureInfo.InvariantCulture,
                    $"killed: still ran {grace.TotalSeconds:0.###} s after {policy.StopSignal}"),
            });
            Signal(Signals.Kill);
        }

        await AwaitEndAsync(grace + KillWait);
    }

    /// <summary>Kills it, without a drain: it never served.</summary>
    public async Task KillAsync()
    {
        Update(now => now with { State = InstanceState.Stopping });
        Signal(Signals.Kill);
        await AwaitEndAsync(KillWait);
    }

    /// <summary>To the whole process group; NoProcess when its leader has ended.</summary>
    public SyscallResult Signal(int signal)
    {
        lock (_lock)
        {
            return _handle is null || _isReaped
                ? SyscallResult.Failure(ProcessErrno.NoProcess)
                : _handle.SendSignalToGroup(signal);
        }
    }

    /// <summary>
    /// As <see cref="Signal"/>, sent by a person: one that this kills stays down, as with Docker.
    /// </summary>
    public SyscallResult SignalByCommand(int signal)
    {
        lock (_lock)
        {
            // Its end is noticed under the same lock: whoever sees it, sees what caused it.
            SyscallResult sent = Signal(signal);
            _isKilled |= sent.IsSuccess && signal == Signals.Kill;
            return sent;
        }
    }

    /// <summary>
    /// The last word about it: Exited or Failed. Keeps a reason that was given before.
    /// </summary>
    /// <param name="isFinal">Nothing follows it in its slot until a command says so.</param>
    public void Finish(
        InstanceState state, string reason, int? exitCode, bool isFinal = true)
    {
        _phase = state == InstanceState.Failed ? RecordPhase.Failed : RecordPhase.Ended;
        Update(now => now with
        {
            State = state,
            Health = InstanceHealth.None,
            ExitCode = exitCode,
            ExitedAt = now.ExitedAt ?? _parts.Time.GetUtcNow(),
            Pid = null,
            Reason = reason == "" ? now.Reason : reason,
            IsFinal = isFinal,
        });
        WriteRecord();
    }

    /// <summary>Forgets it: catalog, record and FIFO. Its slot's log stays.</summary>
    public void Forget()
    {
        _parts.Catalog.Remove(Id);
        _folder.DeleteInstance(Id);
        Dispose();
    }

    public void Dispose()
    {
        _life.Dispose();
        _handle?.Dispose();
    }

    /// <summary>Stops watching; the process runs on.</summary>
    public async Task ReleaseAsync()
    {
        await _life.CancelAsync();
        await _probing;
    }

    /// <summary>
    /// Lets an end that has happened, but was not noticed yet, reach the catalog.
    /// </summary>
    public async Task SettleAsync(CancellationToken cancellation)
    {
        bool hasExited;
        lock (_lock)
        {
            // Reaped is not yet told: the catalog learns of it right after.
            hasExited = _isReaped || (_handle?.HasExited() ?? false);
        }

        if (hasExited)
        {
            await _exit.Task.WaitAsync(cancellation);
        }
    }

    /// <summary>Its last lines of output, at most 5 of them and 1 KiB.</summary>
    public string ReadLastLines() => LogTail.Read(_log, Id, _logStart);

    public void SetReason(string reason) => Update(now => now with { Reason = reason });

    public void MarkReady(bool checkedHealth)
    {
        bool isFirst = false;
        InstanceHealth before = Current.Health;
        Update(now =>
        {
            isFirst = now.State == InstanceState.Starting;
            return now.State > InstanceState.Running ? now : now with
            {
                State = InstanceState.Running,
                Health = checkedHealth ? InstanceHealth.Healthy : InstanceHealth.None,
                Reason = "",
            };
        });
        if (isFirst)
        {
            _readyAt = _parts.Time.GetUtcNow();
            _phase = RecordPhase.Ready;
            WriteRecord();
            _ready.TrySetResult();
        }
        else if (Current.Health != before)
        {
            WriteRecord();
        }
    }

    public void MarkUnhealthy(string reason)
    {
        InstanceHealth before = Current.Health;
        Update(now => now.State > InstanceState.Running
            ? now
            : now with { Health = InstanceHealth.Unhealthy, Reason = $"unhealthy: {reason}" });
        if (Current.Health != before)
        {
            WriteRecord();
        }
    }

    /// <summary>Reports a change; false when the state is past it.</summary>
    private bool Update(Func<Instance, Instance> change)
    {
        lock (_lock)
        {
            Instance next = change(_instance);
            if (next.State < _instance.State || _instance.State >= InstanceState.Failed)
            {
                return false;
            }

            bool hasTurned = next.State != _instance.State || next.Health != _instance.Health;
            _instance = hasTurned ? next with { ChangedAt = _parts.Time.GetUtcNow() } : next;
            _parts.Catalog.Report(_instance);
            return true;
        }
    }

    /// <summary>
    /// A killed process may stay for as long as the kernel is busy for it (a dead disk).
    /// </summary>
    private async Task AwaitEndAsync(TimeSpan limit)
    {
        try
        {
            await Ended.WaitAsync(limit, _parts.Time);
        }
        catch (TimeoutException)
        {
            throw new OperationFailedException(
                $"{_instance.Name}: process {Process!.Pid} was killed and is still there; "
                + "the kernel does not let go of it");
        }
    }

    private async Task DrainAsync(TimeSpan timeout)
    {
        // What drains must not outlive the process: an instance that died has nothing in flight.
        using var over = new CancellationTokenSource();
        try
        {
            Task<int> drain = _parts.Drain(Current, timeout, over.Token);
            await Task.WhenAny(drain, _exit.Task);
            await over.CancelAsync();
            if (await drain is > 0 and int left)
            {
                string cut = string.Create(CultureInfo.InvariantCulture,
                    $"{left} {(left == 1 ? "request" : "requests")} cut: still in flight "
                    + $"{timeout.TotalSeconds:0.###} s after it was unrouted");
                SetReason(cut);
                _parts.Options.Log($"{Current.Name}: {cut}");
            }
        }
        catch (OperationCanceledException)
        {
        }
        catch (Exception e)
        {
            _parts.Options.Log($"{Current.Name}: drain failed, stopping it as it is: {e.Message}");
        }
    }
}
