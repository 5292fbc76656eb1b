using System.Collections.Immutable;
using Tessera.Api;
using Tessera.Linux.Net;
using Tessera.Linux.Processes;
using Tessera.Proxy;
using Tessera.Stack.Engines.Native;

namespace Tessera.Daemon;

internal enum HandoverEnd
{
    /// <summary>Nothing has changed.</summary>
    Refused,

    /// <summary>The successor has everything.</summary>
    Done,

    /// <summary>The successor is gone, and so is the control plane that began.</summary>
    Failed,
}

/// <summary>
/// One hand-over, as the daemon that hands over does it. It goes on accepting and serving until the
/// successor has said that it serves; whatever goes wrong before leaves it with everything. Used by
/// one flow.
/// </summary>
internal sealed class Handover(
    HandoverChannel successor,
    DaemonParts parts,
    ControlServer server,
    NativeEngine engine,
    Ingress ingress,
    Task completion,
    Func<bool> isEnding) : IDisposable
{
    private const string ReaderMessage =
        "the daemon is being replaced by another one; run the command again to go on";

    /// <summary>Commands under way may take so long to end; then it is refused.</summary>
    private static readonly TimeSpan CommandLimit = TimeSpan.FromSeconds(30);

    /// <summary>The successor adopts all instances meanwhile.</summary>
    private static readonly TimeSpan AdoptionLimit = TimeSpan.FromSeconds(60);

    /// <summary>A successor that was killed is gone after this, unless its disk is dead.</summary>
    private static readonly TimeSpan KillLimit = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan KillPause = TimeSpan.FromMilliseconds(5);

    private readonly Action<string> _log = parts.Log.Write;
    private IDisposable? _reaping;
    private bool _isTaken;

    /// <summary>Never cut short by a signal: each of its steps has a limit of its own.</summary>
    public async Task<HandoverEnd> RunAsync()
    {
        int pid = successor.PeerPid;
        _log($"handing over to pid {pid}");

        // (1) Commands under way end; those that come meanwhile wait, for one daemon or the other.
        Task idle = Task.WhenAll(server.PauseAsync(), completion);
        if (await Task.WhenAny(idle, Task.Delay(CommandLimit)) != idle)
        {
            await RefuseAsync("a command is under way; try again when it has ended");
            server.Resume();
            return HandoverEnd.Refused;
        }

        if (isEnding())
        {
            await RefuseAsync("it is ending");
            server.Resume();
            return HandoverEnd.Refused;
        }

        // (2) The successor is named by a handle before anything depends on its end.
        if (!ProcessHandle.TryOpen(pid, out ProcessHandle? process).IsSuccess)
        {
            server.Resume();
            return HandoverEnd.Refused;
        }

        using (process)
        {
            bool isSuccessors = false;
            try
            {
                // (3) Instances are let go: they run, nobody watches them, output waits in pipes.
                server.EndReaders(ReaderMessage);
                ingress.End();
                await engine.ReleaseAsync();
                _reaping = Lingering.ReapChildren();

                // (4) The successor gets what it needs, and says when it serves.
                await PassAsync();
                if (await successor.ReceiveAsync(AdoptionLimit, CancellationToken.None)
                    is { Message.Step: HandoverStep.Serving })
                {
                    // (5) From here on it is the successor's, come what may.
                    await successor.SendAsync(HandoverStep.Yours, CancellationToken.None);
                    isSuccessors = true;
                }
                else
                {
                    _log($"pid {pid} ended before it had taken over");
                }
            }
            catch (Exception fault)
            {
                // Whatever it was: another control plane takes everything back.
                _log($"pid {pid} did not take over: {fault.Message}");
            }

            if (isSuccessors)
            {
                LetGo([parts.Proxy.Leave, parts.Lock.Leave], _log);
                _log($"handed over to pid {pid}");
                return HandoverEnd.Done;
            }

            // (6) Taken back, but not from two sides: the successor must be gone first.
            await EndAsync(process!);
            _log("taking everything back");
            return HandoverEnd.Failed;
        }
    }

    /// <summary>After <see cref="HandoverEnd.Done"/> the connection goes on; else null.</summary>
    public HandoverChannel? TakeSuccessor(HandoverEnd end)
    {
        _isTaken = end == HandoverEnd.Done;
        return _isTaken ? successor : null;
    }

    /// <summary>
    /// What is the successor's by now is let go, each part whatever becomes of the others: a fault
    /// here is told, and no reason to harm a successor that has everything.
    /// </summary>
    internal static void LetGo(Action[] parts, Action<string> log)
    {
        foreach (Action leave in parts)
        {
            try
            {
                leave();
            }
            catch (Exception fault)
            {
                log($"fault while letting go: {fault}");
            }
        }
    }

    public void Dispose()
    {
        _reaping?.Dispose();
        if (!_isTaken)
        {
            successor.Dispose();
        }
    }

    private async Task RefuseAsync(string reason)
    {
        _log($"refused to hand over: {reason}");
        try
        {
            await successor.SendAsync(
                HandoverMessage.Of(HandoverStep.Refused) with { Reason = reason }, [],
                CancellationToken.None);
        }
        catch (IOException)
        {
            // It did not wait for the answer.
        }
    }

    private async Task PassAsync()
    {
        ImmutableArray<SharedListener> listeners = parts.Proxy.Share();
        foreach (SharedListener[] batch in listeners.Chunk(DescriptorMessages.MaxDescriptors))
        {
            HandoverMessage message = HandoverMessage.Of(HandoverStep.Listeners) with
            {
                Addresses = [.. batch.Select(l => l.Address.ToString())],
            };
            await successor.SendAsync(
                message, [.. batch.Select(l => l.Descriptor)], CancellationToken.None);
        }

        await successor.SendAsync(
            HandoverMessage.Of(HandoverStep.Released), [parts.Lock.Descriptor],
            CancellationToken.None);
    }

    private async Task EndAsync(ProcessHandle process)
    {
        process.SendSignal(Signals.Kill);
        long begin = TimeProvider.System.GetTimestamp();
        while (!process.HasExited())
        {
            if (TimeProvider.System.GetElapsedTime(begin) > KillLimit)
            {
                _log($"pid {process.Pid} was killed and is still there");
                return;
            }

            await Task.Delay(KillPause);
        }
    }
}
