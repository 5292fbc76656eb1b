using System.Text;
using Microsoft.Win32.SafeHandles;
using Tessera.Linux;
using Tessera.Linux.Processes;

namespace Tessera.Stack.Engines.Native;

/// <param name="Output">Its last words, on failure.</param>
internal readonly record struct HealthResult(bool IsHealthy, string Output);

/// <summary>One run of a healthcheck's command. Threading: one flow per run.</summary>
internal sealed class HealthCommand
{
    private const int OutputKept = 4 * 1024;
    private static readonly TimeSpan KillWait = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private readonly EngineParts _parts;
    private readonly byte[] _buffer = new byte[2 * OutputKept];
    private int _filled;
    private bool _isReaped;

    private HealthCommand(EngineParts parts) => _parts = parts;

    public static async Task<HealthResult> RunAsync(
        EngineParts parts,
        InstanceCommand command,
        Healthcheck check,
        CancellationToken cancellation)
    {
        await parts.Checks.WaitAsync(cancellation);
        try
        {
            return await new HealthCommand(parts).RunAsync(command, check, cancellation);
        }
        catch (StartFailedException e)
        {
            return new HealthResult(false, e.Message);
        }
        finally
        {
            parts.Checks.Release();
        }
    }

    private async Task<HealthResult> RunAsync(
        InstanceCommand command, Healthcheck check, CancellationToken cancellation)
    {
        SyscallResult piped = Fifo.TryCreatePipe(
            out SafeFileHandle? reader, out SafeFileHandle? writer);
        if (!piped.IsSuccess)
        {
            return new HealthResult(false, $"pipe: {ProcessErrno.Describe(piped.Errno)}");
        }

        // The writing end stays open here as well: the reading end then never sees an end of file,
        // which it would be woken for again and again.
        using (reader)
        using (writer)
        {
            SyscallResult started = ProcessSpawn.Start(command.CreateCheckRequest(
                check, (int)writer!.DangerousGetHandle()));
            return started.IsSuccess
                ? await FollowAsync(started.IntValue, reader!, check.Timeout, cancellation)
                : new HealthResult(
                    false, $"{check.Test[0]}: {ProcessErrno.Describe(started.Errno)}");
        }
    }

    private async Task<HealthResult> FollowAsync(
        int pid, SafeFileHandle reader, TimeSpan timeout, CancellationToken cancellation)
    {
        if (!ProcessHandle.TryOpen(pid, out ProcessHandle? handle).IsSuccess)
        {
            await SpawnedGroup.EndAsync(pid, _parts.Time);
            return new HealthResult(false, "the healthcheck's process cannot be watched");
        }

        using (handle)
        {
            var exit = new TaskCompletionSource<int?>(
                TaskCreationOptions.RunContinuationsAsynchronously);
            _parts.Exits.Watch(handle!, ended => exit.TrySetResult(End(ended)));
            ulong? token = null;
            bool isTimeout = false;
            try
            {
                token = WatchOutput(reader);
                await exit.Task.WaitAsync(timeout, _parts.Time, cancellation);
            }
            catch (TimeoutException)
            {
                isTimeout = true;
            }
            finally
            {
                KillGroup(pid);
                await ((Task)exit.Task.WaitAsync(
                    KillWait, TimeProvider.System, CancellationToken.None))
                    .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                await SpawnedGroup.ReapAsync(pid, _parts.Time);
                if (token is { } watched)
                {
                    await UnwatchOutputAsync(reader, watched);
                }
            }

            return isTimeout
                ? new HealthResult(false, $"no answer within {timeout.TotalSeconds:0.###} s")
                : Judge(exit.Task.Result);
        }
    }

    /// <summary>
    /// What it left in its group goes with it. Once its leader is reaped, the group's number may
    /// pass to strangers.
    /// </summary>
    private void KillGroup(int group)
    {
        lock (_lock)
        {
            if (!_isReaped)
            {
                ProcessGroup.SendSignal(group, Signals.Kill);
            }
        }
    }

    /// <summary>Its exit code, null when unknown. On the watching thread.</summary>
    private int? End(ProcessHandle handle)
    {
        KillGroup(handle.Pid);
        SyscallResult reaped;
        lock (_lock)
        {
            _isReaped = true;
            reaped = handle.Reap();
        }

        reaped = reaped.IsSuccess ? reaped : handle.ReadExitCode();
        return reaped.IsSuccess ? reaped.IntValue : null;
    }

    private HealthResult Judge(int? exitCode)
    {
        if (exitCode == 0)
        {
            return new HealthResult(true, "");
        }

        string text = Encoding.UTF8.GetString(_buffer, 0, _filled).TrimEnd();
        string last = text[(text.LastIndexOf('\n') + 1)..].Trim();
        string exit = RestartDecision.DescribeExit(exitCode);
        return new HealthResult(false, last == "" ? exit : $"{last} ({exit})");
    }

    /// <summary>
    /// The buffer belongs to the watching thread from here to <see cref="UnwatchOutputAsync"/>.
    /// </summary>
    private ulong WatchOutput(SafeFileHandle reader) =>
        _parts.Exits.Thread.Add((int)reader.DangerousGetHandle(), () => Read(reader));

    private async Task UnwatchOutputAsync(SafeFileHandle reader, ulong token)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _parts.Exits.Thread.Post(() =>
        {
            Read(reader);
            _parts.Exits.Thread.Remove((int)reader.DangerousGetHandle(), token);
            done.TrySetResult();
        });
        await done.Task;
    }

    /// <summary>Reads all that is there, keeps the end of it.</summary>
    private void Read(SafeFileHandle reader)
    {
        const int maxReads = 64;
        for (int i = 0; i < maxReads; i++)
        {
            if (_filled > OutputKept)
            {
                _buffer.AsSpan(_filled - OutputKept, OutputKept).CopyTo(_buffer);
                _filled = OutputKept;
            }

            SyscallResult got = Fifo.Read(reader, _buffer.AsSpan(_filled));
            if (!got.IsSuccess || got.Value == 0)
            {
                return;
            }

            _filled += got.IntValue;
        }
    }
}
