using System.Collections.Immutable;
using Tessera.Linux.Net;
using Tessera.Linux.Processes;
using Tessera.Proxy;
using Tessera.Proxy.Nginx;

namespace Tessera.Nginx;

/// <summary>
/// What serves an nginx configuration, from its first socket to its last request, as its signals
/// say. Its work is one method at a time: what comes meanwhile waits.
/// </summary>
internal sealed class NginxServer
{
    /// <summary>As nginx: an address that is taken is tried so often, so far apart.</summary>
    private const int BindTries = 5;

    private const int BindRestMs = 500;

    private readonly NginxSource _source;
    private readonly StartLog _startLog;
    private readonly NginxReadiness _readiness;

    /// <param name="startLog">Gets lines until there is something that serves.</param>
    public NginxServer(NginxSource source, StartLog startLog, NginxReadiness readiness)
    {
        _source = source;
        _startLog = startLog;
        _readiness = readiness;
    }

    /// <summary>Until a signal ends it. Returns an exit code.</summary>
    public async Task<int> RunAsync(NginxConfig config)
    {
        // (1) Sockets, and the file that says so.
        using var signals = new SignalQueue();
        await using var server = new ProxyServer(config.Options with { AccessLogMaxBytes = 0 });
        if (!await TryListenAsync(server, config.Proxy, _startLog.Write)
            || !TryWritePid(config.Process.PidFile, _startLog.Write))
        {
            return ExitCode.Failed;
        }

        _readiness.Tell(keepsTerminal: config.Proxy.ErrorLogs.Any(log => log.Path.Length == 0));
        server.Log(ErrorLevel.Notice, "using the \"epoll\" event method");
        server.Log(ErrorLevel.Notice, NginxBuild.Name);
        server.Log(ErrorLevel.Notice, "start worker processes");

        // (2) Signals, until one of them is the end.
        int end;
        while (true)
        {
            end = await signals.NextAsync();
            if (end is SignalQueue.Terminate or SignalQueue.Interrupt or SignalQueue.Quit)
            {
                break;
            }

            config = await ObeyAsync(end, server, config);
        }

        // (3) What is in flight ends, or is cut.
        bool isGraceful = end == SignalQueue.Quit;
        server.Log(ErrorLevel.Notice, $"signal {end} ({Signals.Describe(end)}) received, "
            + (isGraceful ? "shutting down" : "exiting"));
        await (isGraceful ? DrainAsync(server, config, signals) : CloseAsync(server));
        TryDeletePid(config.Process.PidFile);
        return ExitCode.Ok;
    }

    private async Task<NginxConfig> ObeyAsync(int signal, ProxyServer server, NginxConfig config)
    {
        string received = $"signal {signal} ({Signals.Describe(signal)}) received";
        switch (signal)
        {
            case SignalQueue.HangUp:
                server.Log(ErrorLevel.Notice, $"{received}, reconfiguring");
                return await ReloadAsync(server, config);
            case SignalQueue.User1:
                server.Log(ErrorLevel.Notice, $"{received}, reopening logs");
                await server.ReopenLogsAsync();
                return config;
            case SignalQueue.WindowChange when config.Process.IsDaemon:
                // nginx's workers end and its master stays, for a new binary to serve.
                server.Log(ErrorLevel.Notice, $"{received}, no more connections are accepted");
                server.Leave();
                return config;
            case SignalQueue.User2:
                server.Log(ErrorLevel.Notice,
                    $"{received}, ignored: a running program is not replaced by this signal");
                return config;
            default:
                return config;
        }
    }

    /// <summary>The new configuration, or the one before when it cannot be used.</summary>
    private async Task<NginxConfig> ReloadAsync(ProxyServer server, NginxConfig before)
    {
        try
        {
            NginxConfig next = NginxReader.Read(_source);
            NginxLogFiles.Open(next);
            foreach (string warning in next.Warnings)
            {
                server.Log(ErrorLevel.Warning, warning);
            }

            if (!await TryListenAsync(server, next.Proxy, server.Log))
            {
                server.Apply(before.Proxy);
                return before;
            }

            if (next.Process.PidFile != before.Process.PidFile
                && TryWritePid(next.Process.PidFile, server.Log))
            {
                TryDeletePid(before.Process.PidFile);
            }

            server.Log(ErrorLevel.Notice, "start worker processes");
            return next;
        }
        catch (NginxConfigException error)
        {
            server.Log(ErrorLevel.Emergency, error.Message);
            return before;
        }
    }

    /// <summary>False when an address cannot be had. What could be had is in force.</summary>
    private static async Task<bool> TryListenAsync(
        ProxyServer server, ProxyConfig config, Action<ErrorLevel, string> log)
    {
        for (int attempt = 1; ; attempt++)
        {
            ImmutableArray<ListenFailure> failures = server.Apply(config);
            if (failures.IsEmpty)
            {
                return true;
            }

            foreach (ListenFailure failure in failures)
            {
                log(ErrorLevel.Emergency, $"bind() to {failure.Address} failed "
                    + (failure.Errno == 0
                        ? $"({failure.Reason})"
                        : $"({failure.Errno}: {ErrnoText.Of(failure.Errno)})"));
            }

            if (failures.Any(f => f.Errno is not (0 or Errno.AddressInUse)))
            {
                return false;
            }

            if (attempt == BindTries)
            {
                log(ErrorLevel.Emergency, "still could not bind()");
                return false;
            }

            log(ErrorLevel.Notice, $"try again to bind() after {BindRestMs}ms");
            await Task.Delay(BindRestMs);
        }
    }

    /// <summary>
    /// Every request may end, unless there is a limit or a signal to end at once.
    /// </summary>
    private static async Task DrainAsync(
        ProxyServer server, NginxConfig config, SignalQueue signals)
    {
        using var cut = new CancellationTokenSource();
        if (config.Process.ShutdownTimeoutMs > 0)
        {
            cut.CancelAfter(config.Process.ShutdownTimeoutMs);
        }

        Task closed = server.CloseAsync(Timeout.InfiniteTimeSpan, cut.Token);
        while (!closed.IsCompleted)
        {
            Task woken = await Task.WhenAny(closed, signals.WaitAsync());
            if (woken != closed && await signals.NextAsync() is
                SignalQueue.Terminate or SignalQueue.Interrupt)
            {
                await cut.CancelAsync();
            }
        }

        await closed;
    }

    private static Task CloseAsync(ProxyServer server) => server.CloseAsync(TimeSpan.Zero);

    private static bool TryWritePid(string file, Action<ErrorLevel, string> log)
    {
        try
        {
            File.WriteAllText(file, $"{Environment.ProcessId}\n");
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            log(ErrorLevel.Emergency,
                $"open() \"{file}\" failed {LogFileAccess.Cause(file, e)}");
            return false;
        }
    }

    private static void TryDeletePid(string file)
    {
        try
        {
            File.Delete(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Whoever took the folder away has no use for it.
        }
    }
}
