using System.Collections;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Tessera.Api;
using Tessera.Cli;
using Tessera.Linux;
using Tessera.Linux.Net;
using Tessera.Linux.Processes;
using Tessera.Proxy;

namespace Tessera.Nginx;

/// <summary>
/// <c>daemon on</c>: the program is started anew in a session of its own, because a process with
/// threads cannot be split in two, and this one waits until that one serves. Stateless.
/// </summary>
internal static class NginxBackground
{
    private const int MaxSaidBytes = 4_096;

    /// <summary>How long a process that has closed its output may take to be gone.</summary>
    private static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(5);

    /// <summary>Returns an exit code: 0 when the other one serves.</summary>
    public static async Task<int> StartAsync(string[] arguments, Caller caller, StartLog log)
    {
        SyscallResult piped = Fifo.TryCreatePipe(out var reader, out var writer);
        if (!piped.IsSuccess)
        {
            log.Write(ErrorLevel.Alert, $"pipe() failed {Cause(piped)}");
            return ExitCode.Failed;
        }

        using (reader)
        {
            SyscallResult started;
            using (writer)
            {
                started = ProcessSpawn.Start(new SpawnRequest(
                    DaemonLauncher.OwnExecutable,
                    ["nginx", .. arguments],
                    [.. ReadEnvironment(), NginxReadiness.Announcement],
                    caller.WorkingDirectory,
                    OutputPath: null,
                    OutputDescriptor: (int)writer!.DangerousGetHandle()));
            }

            if (!started.IsSuccess)
            {
                log.Write(ErrorLevel.Alert, $"fork() failed {Cause(started)}");
                return ExitCode.Failed;
            }

            return await RelayAsync(reader!, caller)
                ? ExitCode.Ok
                : await WaitForEndAsync(started.IntValue);
        }
    }

    /// <summary>What it says, until it serves (true) or ends.</summary>
    private static async Task<bool> RelayAsync(
        SafeFileHandle reader, Caller caller)
    {
        byte[] said = new byte[MaxSaidBytes];
        while (true)
        {
            SyscallResult read = Fifo.Read(reader, said);
            if (read.Errno == ProcessErrno.Again)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(2), caller.Time);
                continue;
            }

            if (!read.IsSuccess || read.Value == 0)
            {
                return false;
            }

            ReadOnlyMemory<byte> text = said.AsMemory(0, read.IntValue);
            int ready = text.Span.IndexOf(NginxReadiness.Mark);
            text = ready < 0 ? text : text[..ready];
            await caller.Error.WriteAsync(Encoding.UTF8.GetString(text.Span));
            if (ready >= 0)
            {
                return true;
            }
        }
    }

    private static async Task<int> WaitForEndAsync(int pid)
    {
        using var limit = new CancellationTokenSource(EndLimit);
        while (!limit.IsCancellationRequested && !ProcessGroup.ReapChild(pid))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(2), CancellationToken.None);
        }

        return ExitCode.Failed;
    }

    private static IEnumerable<string> ReadEnvironment() =>
        from DictionaryEntry variable in Environment.GetEnvironmentVariables()
        select $"{variable.Key}={variable.Value}";

    private static string Cause(SyscallResult result) =>
        $"({result.Errno}: {ErrnoText.Of(result.Errno)})";
}
