using System.Collections;
using System.Diagnostics;
using System.Text.Json;
using Tessera.Cli;
using Tessera.Stack;

namespace Tessera.Api;

/// <summary>
/// Finds the daemon of a state folder, or starts it. Two launchers that race start two processes,
/// of which the daemon's own lock lets one live; both connect to that one.
/// </summary>
/// <param name="executable">The program itself; <see cref="OwnExecutable"/> but in tests.</param>
public sealed class DaemonLauncher(TesseraHome home, string executable, TimeProvider time)
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(20);

    /// <summary>
    /// How long a daemon that found another one is waited upon before the next try.
    /// </summary>
    private static readonly TimeSpan RetryInterval = TimeSpan.FromMilliseconds(500);

    /// <summary>Above the sum of the limits within which two daemons hand over.</summary>
    private static readonly TimeSpan ReplaceLimit = TimeSpan.FromMinutes(3);

    private static readonly TimeSpan ProbeInterval = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan ProbeLimit = TimeSpan.FromSeconds(10);

    private const int ErrorLines = 20;

    /// <summary>
    /// What a daemon needs of the environment of whoever happens to start it; instances get theirs
    /// with each request.
    /// </summary>
    private static readonly string[] PassedVariables =
    [
        "PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR",
        // By name: what marks an instance must not mark a daemon that one of them starts.
        "TESSERA_REACTORS", "TESSERA_POLLER", "TESSERA_BUSY_POLLING",
        "TESSERA_LINGER_SECONDS", "TESSERA_DEBUG", "TESSERA_METRICS", "TESSERA_TRACES",
        "TESSERA_TRACE_RATIO", "TESSERA_LOG_LEVEL", "OTEL_SERVICE_NAME",
        "OTEL_RESOURCE_ATTRIBUTES", "OTEL_EXPORTER_OTLP_HEADERS",
    ];

    private static readonly string[] PassedPrefixes = ["DOTNET_", "LC_", "XDG_"];

    /// <summary>
    /// The executable beside this assembly, so that <c>dotnet tessera.dll</c> works too.
    /// </summary>
    public static string OwnExecutable { get; } = Path.Combine(AppContext.BaseDirectory, "tessera");

    /// <summary>
    /// The daemon, started when there is none and <paramref name="startIfMissing"/>; else null.
    /// </summary>
    /// <exception cref="UserErrorException">
    /// It could not be started (the message ends with its last words).
    /// </exception>
    public async Task<RemoteController?> ConnectAsync(
        bool startIfMissing, CancellationToken cancellation)
    {
        var controller = new RemoteController(home);
        try
        {
            if (await AnswersAsync(controller, cancellation))
            {
                return controller;
            }

            if (startIfMissing)
            {
                await StartAsync(controller, cancellation);
                return controller;
            }

            controller.Dispose();
            return null;
        }
        catch
        {
            controller.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Starts a daemon on demand that takes over from the one that runs, and waits until it has.
    /// Returns its pid.
    /// </summary>
    /// <exception cref="UserErrorException">
    /// It did not take over (the message ends with its last words); the old one goes on.
    /// </exception>
    public async Task<int> ReplaceAsync(CancellationToken cancellation)
    {
        long logStart = File.Exists(home.DaemonLog) ? new FileInfo(home.DaemonLog).Length : 0;
        long begin = time.GetTimestamp();
        using var controller = new RemoteController(home);
        using Process daemon = Spawn("--on-demand --replace");
        while (true)
        {
            try
            {
                DaemonView answering = await controller.GetDaemonAsync(cancellation);
                if (answering.Pid == daemon.Id)
                {
                    return daemon.Id;
                }
            }
            catch (Exception fault) when (fault is DaemonUnreachableException or JsonException)
            {
                // Between the two, or of another version than this command.
            }

            if (daemon.HasExited || time.GetElapsedTime(begin) > ReplaceLimit)
            {
                throw Failure("the daemon was not replaced", logStart);
            }

            await Task.Delay(ProbeInterval, time, cancellation);
        }
    }

    private async Task StartAsync(RemoteController controller, CancellationToken cancellation)
    {
        CreateHome();
        long logStart = File.Exists(home.DaemonLog) ? new FileInfo(home.DaemonLog).Length : 0;
        long begin = time.GetTimestamp();
        Process daemon = Spawn();
        try
        {
            long spawnedAt = begin;
            while (!await AnswersAsync(controller, cancellation))
            {
                if (daemon.HasExited && !FoundAnother(daemon.ExitCode))
                {
                    throw Failure("the daemon could not be started", logStart);
                }

                // Another one owned the folder, yet nobody answers: it was just ending, our turn.
                if (daemon.HasExited && time.GetElapsedTime(spawnedAt) > RetryInterval)
                {
                    daemon.Dispose();
                    daemon = Spawn();
                    spawnedAt = time.GetTimestamp();
                }

                if (time.GetElapsedTime(begin) > StartLimit)
                {
                    throw Failure(
                        $"the daemon does not answer after {StartLimit.TotalSeconds:0} seconds",
                        logStart);
                }

                await Task.Delay(ProbeInterval, time, cancellation);
            }
        }
        finally
        {
            daemon.Dispose();
        }
    }

    private static bool FoundAnother(int exitCode) =>
        exitCode is ExitCode.Ok or ExitCode.DaemonAlreadyRuns;

    private async Task<bool> AnswersAsync(
        RemoteController controller, CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(ProbeLimit);
        try
        {
            await controller.PingAsync(limit.Token);
            return true;
        }
        catch (DaemonUnreachableException)
        {
            return false;
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new UserErrorException(
                $"the daemon of '{home.Path}' took a connection but does not answer within "
                + $"{ProbeLimit.TotalSeconds:0} seconds",
                UserErrorException.Failed);
        }
    }

    private void CreateHome()
    {
        try
        {
            Directory.CreateDirectory(
                home.Path,
                UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException(
                $"the state folder '{home.Path}' cannot be made ({fault.Message}); "
                + "set TESSERA_HOME to a folder of yours",
                UserErrorException.Failed);
        }
    }

    /// <summary>
    /// A process in a session of its own, with nothing of ours open: the shell points stdio to the
    /// log and closes what the caller may have leaked (the lock of a surrounding flock(1), say),
    /// and setsid(1) becomes the daemon without another fork, so that its end can be seen here.
    /// </summary>
    /// <param name="options">Of <c>tessera daemon</c>.</param>
    private Process Spawn(string options = "--on-demand")
    {
        string script =
            $"cd / && umask 022 && exec setsid \"$0\" daemon {options} </dev/null >>\"$1\" 2>&1 "
            + "3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-";
        var start = new ProcessStartInfo("/bin/sh")
        {
            ArgumentList = { "-c", script, executable, home.DaemonLog },
            UseShellExecute = false,
        };
        start.Environment.Clear();
        foreach ((string name, string value) in PassedEnvironment())
        {
            start.Environment[name] = value;
        }

        start.Environment["TESSERA_HOME"] = home.Path;
        return Process.Start(start)
            ?? throw new UserErrorException("/bin/sh did not start", UserErrorException.Failed);
    }

    private static IEnumerable<(string Name, string Value)> PassedEnvironment()
    {
        foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables())
        {
            string name = (string)variable.Key;
            if (PassedVariables.Contains(name)
                || PassedPrefixes.Any(prefix => name.StartsWith(prefix, StringComparison.Ordinal)))
            {
                yield return (name, (string)variable.Value!);
            }
        }
    }

    private UserErrorException Failure(string what, long logStart)
    {
        string[] lines = ReadLog(logStart);
        string details = lines.Length == 0
            ? FindWriteFault() ?? $"; '{home.DaemonLog}' says nothing"
            : ":\n" + string.Join('\n', lines.TakeLast(ErrorLines));
        return new UserErrorException(what + details, UserErrorException.Failed);
    }

    /// <summary>
    /// A daemon that cannot write cannot say so in its log either: what it met is met again here.
    /// </summary>
    private string? FindWriteFault()
    {
        string probe = Path.Combine(home.Path, $"probe.{Environment.ProcessId}");
        try
        {
            // More than any file system keeps beside its blocks.
            File.WriteAllBytes(probe, new byte[64 * 1024]);
            return null;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return $": '{home.Path}' cannot be written to: {fault.Message}";
        }
        finally
        {
            if (File.Exists(probe))
            {
                File.Delete(probe);
            }
        }
    }

    private string[] ReadLog(long start)
    {
        try
        {
            using var log = new FileStream(
                home.DaemonLog, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            log.Position = Math.Min(start, log.Length);
            using var reader = new StreamReader(log);
            return reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        }
        catch (IOException)
        {
            return [];
        }
    }
}
