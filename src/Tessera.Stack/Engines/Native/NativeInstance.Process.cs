using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using Tessera.Linux;
using Tessera.Linux.Processes;
using Tessera.Stack.Discovery;

namespace Tessera.Stack.Engines.Native;

/// <summary>The process side: ports, spawn, exit and clean-up.</summary>
internal sealed partial class NativeInstance
{
    private void TakePorts()
    {
        var ports = ImmutableSortedDictionary.CreateBuilder<int, int>();
        int? fixedPort = Definition.Options.FixedPort;
        foreach (int target in Definition.TargetPorts)
        {
            bool isFixed = fixedPort is not null
                && (target == fixedPort || target == Definition.TargetPorts[0]);
            ports[target] = isFixed ? fixedPort!.Value
                : _parts.Ports.Take() ?? throw new StartFailedException("no private port is free");
            _ports = ports.ToImmutable();
        }

        if (fixedPort is int port)
        {
            ports.TryAdd(port, port);
            _ports = ports.ToImmutable();
            if (!PortPool.IsFree(port))
            {
                throw new StartFailedException(
                    $"port {port}, which the program always listens on, is in use by another "
                    + "program");
            }
        }
    }

    private void GiveBackPorts()
    {
        foreach (int port in _ports.Values)
        {
            _parts.Ports.GiveBack(port);
        }

        _ports = ImmutableSortedDictionary<int, int>.Empty;
    }

    private InstanceCommand CreateCommand(
        ImmutableSortedDictionary<string, string> baseEnvironment)
    {
        SlotName slot = _instance.Slot;
        var marks = ImmutableSortedDictionary.CreateRange<string, string>(
        [
            new("TESSERA_INSTANCE", slot.ToString()),
            new("TESSERA_PROJECT", slot.Project),
            new("TESSERA_SERVICE", slot.Service),
            new("TESSERA_SLOT", slot.Number.ToString(CultureInfo.InvariantCulture)),
            new(ProcessScan.MarkVariable, Id),
        ]);
        return new InstanceCommand(
            Definition, _ports, baseEnvironment, marks, _parts.Options.PathFolder);
    }

    private async Task SpawnAsync(InstanceCommand command)
    {
        string fifo = _folder.FifoPath(Id);
        SpawnRequest request = command.CreateRequest(fifo);
        OpenOutput(fifo, command.Identity);

        // 1. The record says that a process may exist before one can. Without it, no process.
        _phase = RecordPhase.Spawning;
        _instance = _instance with { Command = command.Text };
        _folder.WriteInstance(CreateRecord());

        // 2. Failures of exec come back from here as errno.
        SyscallResult started = ProcessSpawn.Start(request);
        if (!started.IsSuccess)
        {
            throw new StartFailedException(
                $"{Definition.Command[0]}: {ProcessErrno.Describe(started.Errno)}");
        }

        // 3. From here on it can be found by its number. It is ours to reap, so it still has one.
        int pid = started.IntValue;
        SyscallResult opened = ProcessHandle.TryOpen(pid, out ProcessHandle? handle);
        ProcessEntry entry = default;
        if (!opened.IsSuccess || !ProcessTable.TryRead(pid, out entry))
        {
            // Without its start time the next daemon would take it for another process.
            handle?.Dispose();
            await SpawnedGroup.EndAsync(pid, _parts.Time);
            throw new StartFailedException(opened.IsSuccess
                ? $"/proc/{pid}/stat cannot be read"
                : $"pidfd_open: {ProcessErrno.Describe(opened.Errno)}");
        }

        lock (_lock)
        {
            _handle = handle;
        }

        Process = new ProcessIdentity(pid, entry.StartTime, _parts.BootId);
        _phase = RecordPhase.Spawned;

        // 4. Everyone may know.
        bool isChecked = Policy.Healthcheck is not null;
        bool isReady = !isChecked && ReadinessPort is null;
        if (isReady)
        {
            _phase = RecordPhase.Ready;
        }

        Follow(isReady, entry.StartTime, now => now with
        {
            State = isReady ? InstanceState.Running : InstanceState.Starting,
            Health = isChecked ? InstanceHealth.Starting : InstanceHealth.None,
            Reason = isReady || isChecked ? "" : $"waiting for port {ReadinessPort} to accept",
            StartedAt = _parts.Time.GetUtcNow(),
            Pid = pid,
            Addresses = CreateAddresses(),
        });
    }

    private void OpenOutput(string fifo, Identity? identity)
    {
        SyscallResult created = Fifo.Create(fifo);
        if (!created.IsSuccess && created.Errno != ProcessErrno.Exists)
        {
            throw new IOException($"{fifo}: {ProcessErrno.Describe(created.Errno)}");
        }

        if (identity is not null)
        {
            Fifo.SetOwner(fifo, identity.UserId, identity.GroupId);
        }

        _logStart = _parts.Logs.Open(_log, Id, fifo);
    }

    /// <summary>Watches a process that was just started or adopted.</summary>
    private void Follow(bool isReady, long startTime, Func<Instance, Instance> change)
    {
        _leftovers = new Leftovers(_parts.Scan, Id, Process! with { StartTime = startTime });
        Update(change);
        WriteRecord();
        if (isReady)
        {
            _readyAt = _parts.Time.GetUtcNow();
            _ready.TrySetResult();
        }

        _ended = EndAsync();
        _probing = new Readiness(_parts, this).RunAsync(isReady, _life.Token);
        _parts.Exits.Watch(_handle!, OnExit);
    }

    private ImmutableSortedDictionary<int, IPEndPoint> CreateAddresses() => _ports
        .ToImmutableSortedDictionary(
            pair => pair.Key, pair => new IPEndPoint(IPAddress.Loopback, pair.Value));

    /// <summary>On the watching thread: the catalog knows before anything else happens.</summary>
    private void OnExit(ProcessHandle handle)
    {
        SyscallResult code;
        lock (_lock)
        {
            // Its number may be given away from here on: no signal goes to it any more.
            _isReaped = true;
            code = handle.Reap();
        }

        code = code.Errno == ProcessErrno.NoChild ? handle.ReadExitCode() : code;
        int? exitCode = code.IsSuccess ? code.IntValue : null;
        try
        {
            Update(now => now with
            {
                State = now.State < InstanceState.Draining
                    ? InstanceState.Died
                    : InstanceState.Stopping,
                ExitCode = exitCode,
                ExitedAt = _parts.Time.GetUtcNow(),
                Reason = now.State < InstanceState.Draining ? "" : now.Reason,
            });
        }
        finally
        {
            _exit.TrySetResult(exitCode);
        }
    }

    /// <summary>From the exit of the process to the moment when nothing of it is left.</summary>
    private async Task<int?> EndAsync()
    {
        int? exitCode = await _exit.Task;
        exitCode ??= await AskForExitCodeAsync();
        await _life.CancelAsync();
        await _probing;
        await WaitForGroupAsync();
        await KillLeftoversAsync(_leftovers!);
        await _parts.Logs.CloseAsync(Id);
        DeleteFifo();
        GiveBackPorts();
        _handle!.Dispose();
        return exitCode;
    }

    private async Task KillLeftoversAsync(Leftovers leftovers)
    {
        try
        {
            int killed = await leftovers.KillAsync(_parts.Time);
            if (killed > 0)
            {
                string noun = killed == 1 ? "process" : "processes";
                _parts.Options.Log($"{_instance.Name}: killed {killed} {noun} that it left behind");
            }
        }
        catch (Exception e) when (e is TimeoutException or IOException)
        {
            _parts.Options.Log($"{_instance.Name}: {e.Message}");
        }
    }

    private void DeleteFifo()
    {
        try
        {
            File.Delete(_folder.FifoPath(Id));
        }
        catch (IOException e)
        {
            _parts.Options.Log($"{_instance.Name}: {e.Message}");
        }
    }

    /// <summary>
    /// A process that another one reaps ends a moment before its code can be asked for.
    /// </summary>
    private async Task<int?> AskForExitCodeAsync()
    {
        DateTimeOffset end = _parts.Time.GetUtcNow() + ExitCodeWait;
        while (true)
        {
            SyscallResult code = _handle!.ReadExitCode();
            if (code.IsSuccess)
            {
                return code.IntValue;
            }

            if (code.Errno != ProcessErrno.Again || _parts.Time.GetUtcNow() >= end)
            {
                return null;
            }

            await Task.Delay(ExitCodePause, _parts.Time);
        }
    }

    /// <summary>
    /// After a stop, members of the group may use what is left of the grace period. After an end
    /// that nobody asked for there is nothing to wait for.
    /// </summary>
    private async Task WaitForGroupAsync()
    {
        while (_parts.Time.GetUtcNow().Ticks < Volatile.Read(ref _stopDeadline)
            && await _leftovers!.HasGroupAsync())
        {
            await Task.Delay(GroupPause, _parts.Time);
        }
    }

    /// <summary>
    /// A disk that is full must not end the supervision of what runs: a daemon that comes after
    /// this one then finds the record before.
    /// </summary>
    public void WriteRecord()
    {
        try
        {
            _folder.WriteInstance(CreateRecord());
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _parts.Options.Log($"{_instance.Name}: its record cannot be written: {e.Message}");
        }
    }

    private InstanceRecord CreateRecord()
    {
        Instance now = Current;
        return new InstanceRecord(
            Id, _phase, now.CreatedAt, now.StartedAt, Process, _ports, now.Restarts,
            now.Command, Definition, now.ExitedAt, now.ExitCode, now.Reason, now.Health);
    }
}
