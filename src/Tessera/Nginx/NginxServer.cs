using System.Collections.Immutable;
using Tessera.Linux;
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

    /// <summary>How often the process that replaces this one is looked after.</summary>
    private const int SuccessorLookMs = 100;

    private readonly NginxSource _source;
    private readonly StartLog _startLog;
    private readonly NginxReadiness _readiness;
    private readonly NginxInheritance? _inheritance;
    private readonly NginxSuccessor _successor;

    /// <summary>Sockets that nothing is accepted from since WINCH.</summary>
    private ImmutableArray<SharedListener> _kept = [];

    /// <param name="startLog">Gets lines until there is something that serves.</param>
    /// <param name="inheritance">Null when this process replaces no other one.</param>
    /// <param name="arguments">For the process that may replace this one.</param>
    public NginxServer(
        NginxSource source,
        StartLog startLog,
        NginxReadiness readiness,
        NginxInheritance? inheritance,
        string[] arguments)
    {
        _source = source;
        _startLog = startLog;
        _readiness = readiness;
        _inheritance = inheritance;
        _successor = new NginxSuccessor(arguments);
    }

    /// <summary>Until a signal ends it. Returns an exit code.</summary>
    public async Task<int> RunAsync(NginxConfig config)
    {
        // (1) Sockets, and the file that says so.
        using var signals = new SignalQueue();
        await using var server = new ProxyServer(config.Options with { AccessLogMaxBytes = 0 });
        if (_inheritance is not null)
        {
            _startLog.Write(
                ErrorLevel.Notice, $"using inherited sockets from \"{_inheritance.Text}\"");
            server.Inherit(_inheritance.Read());
        }

        if (!await TryListenAsync(server, signals, config.Proxy, _startLog.Write)
            || !TryWritePid(config.Process.PidFile, _startLog.Write))
        {
            server.Leave();
            return ExitCode.Failed;
        }

        server.BeginAccepting();

        _readiness.Tell(keepsTerminal: config.Proxy.ErrorLogs.Any(log => log.Path.Length == 0));
        server.Log(ErrorLevel.Notice, "using the \"epoll\" event method");
        server.Log(ErrorLevel.Notice, NginxBuild.Name);
        server.Log(ErrorLevel.Notice, "start worker processes");

        // (2) Signals, until one of them is the end.
        int end;
        while (true)
        {
            end = await NextAsync(signals, server, config);
            if (end is SignalQueue.Terminate or SignalQueue.Interrupt or SignalQueue.Quit)
            {
                break;
            }

            config = await ObeyAsync(end, server, signals, config);
        }

        // (3) What is in flight ends, or is cut.
        bool isGraceful = end == SignalQueue.Quit;
        server.Log(ErrorLevel.Notice, $"signal {end} ({Signals.Describe(end)}) received, "
            + (isGraceful ? "shutting down" : "exiting"));
        if (_successor.IsAlive || (_inheritance is not null && _successor.HasOwnParent))
        {
            // Another process serves at the same sockets: paths in the file system stay.
            server.Leave();
        }

        await (isGraceful ? DrainAsync(server, config, signals) : CloseAsync(server));
        TryDeletePid(_successor.IsAlive
            ? config.Process.OldPidFile
            : config.Process.PidFile);
        return ExitCode.Ok;
    }

    /// <summary>The next signal; until it comes, the successor is looked after.</summary>
    private async Task<int> NextAsync(
        SignalQueue signals, ProxyServer server, NginxConfig config)
    {
        Task signalled = signals.WaitAsync();
        while (_successor.IsAlive && !signalled.IsCompleted)
        {
            await Task.WhenAny(signalled, Task.Delay(SuccessorLookMs));
            int pid = _successor.Pid;
            if (_successor.TryReap())
            {
                server.Log(ErrorLevel.Notice, $"new binary process {pid} exited");
                TryRename(config.Process.OldPidFile, config.Process.PidFile, server.Log);
                ComeBack(server, config);
            }
        }

        return await signals.NextAsync();
    }

    private async Task<NginxConfig> ObeyAsync(
        int signal, ProxyServer server, SignalQueue signals, NginxConfig config)
    {
        string received = $"signal {signal} ({Signals.Describe(signal)}) received";
        switch (signal)
        {
            case SignalQueue.HangUp:
                server.Log(ErrorLevel.Notice, $"{received}, reconfiguring");
                server.Log(ErrorLevel.Notice, "reconfiguring");
                ComeBack(server, config);
                return _successor.IsAlive ? config : await ReloadAsync(server, signals, config);
            case SignalQueue.User1:
                server.Log(ErrorLevel.Notice, $"{received}, reopening logs");
                await server.ReopenLogsAsync();
                return config;
            case SignalQueue.WindowChange when config.Process.IsDaemon
                || _inheritance is not null:
                // nginx's workers end and its master stays, for a new binary to serve.
                server.Log(ErrorLevel.Notice, $"{received}, no more connections are accepted");
                _kept = _kept.IsEmpty ? NginxSuccessor.Keep(server) : _kept;
                server.Leave();
                return config;
            case SignalQueue.User2 when _successor.IsAlive || _successor.HasOwnParent:
                server.Log(ErrorLevel.Critical, "the changing binary signal is ignored: "
                    + "you should shutdown or terminate before either old or new binary's process");
                return config;
            case SignalQueue.User2:
                server.Log(ErrorLevel.Notice, $"{received}, changing binary");
                BeginReplacing(server, config);
                return config;
            default:
                return config;
        }
    }

    /// <summary>nginx's ngx_exec_new_binary.</summary>
    private void BeginReplacing(ProxyServer server, NginxConfig config)
    {
        if (!TryRename(config.Process.PidFile, config.Process.OldPidFile, server.Log))
        {
            return;
        }

        SyscallResult started = _successor.Start(server);
        if (started.IsSuccess)
        {
            server.Log(ErrorLevel.Notice, $"start new binary process {_successor.Pid}");
            return;
        }

        server.Log(
            ErrorLevel.Alert,
            $"execve() failed ({started.Errno}: {ErrnoText.Of(started.Errno)})");
        TryRename(config.Process.OldPidFile, config.Process.PidFile, server.Log);
    }

    /// <summary>Accepts again what WINCH has left to wait.</summary>
    private void ComeBack(ProxyServer server, NginxConfig config)
    {
        if (_kept.IsEmpty)
        {
            return;
        }

        server.ComeBack();
        server.Inherit(_kept);
        _kept = [];
        server.Apply(config.Proxy);
        server.BeginAccepting();
        server.Log(ErrorLevel.Notice, "start worker processes");
    }

    /// <summary>The new configuration, or the one before when it cannot be used.</summary>
    private async Task<NginxConfig> ReloadAsync(
        ProxyServer server, SignalQueue signals, NginxConfig before)
    {
        try
        {
            NginxConfig next = NginxReader.Read(_source);
            NginxLogFiles.Open(next);
            NginxTemporaryFolders.Make(next);
            foreach (string warning in next.Warnings)
            {
                server.Log(ErrorLevel.Warning, warning);
            }

            bool isPidMoved = next.Process.PidFile != before.Process.PidFile;
            if (isPidMoved && !TryWritePid(next.Process.PidFile, server.Log))
            {
                return before;
            }

            bool isInForce = await TryListenAsync(server, signals, next.Proxy, server.Log);
            if (isPidMoved)
            {
                TryDeletePid((isInForce ? before : next).Process.PidFile);
            }

            if (!isInForce)
            {
                return before;
            }

            server.Log(ErrorLevel.Notice, "start worker processes");
            return next;
        }
        catch (NginxConfigException error)
        {
            server.Log(ErrorLevel.Emergency, error.Message);
            return before;
        }
        catch (Exception fault)
        {
            // Whatever is wrong with the reader, what serves goes on serving.
            server.Log(
                ErrorLevel.Emergency, $"the configuration cannot be used: {fault.Message}");
            server.Log(ErrorLevel.Alert, fault.ToString());
            return before;
        }
    }

    /// <summary>
    /// False when an address cannot be had, or the end is signalled first: nothing has changed.
    /// </summary>
    private static async Task<bool> TryListenAsync(
        ProxyServer server,
        SignalQueue signals,
        ProxyConfig config,
        Action<ErrorLevel, string> log)
    {
        for (int attempt = 1; ; attempt++)
        {
            ImmutableArray<ListenFailure> failures = server.TryApply(config);
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
            Task ending = signals.WhenEndingAsync();
            if (await Task.WhenAny(Task.Delay(BindRestMs), ending) == ending)
            {
                return false;
            }
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

    private static bool TryRename(string from, string to, Action<ErrorLevel, string> log)
    {
        try
        {
            File.Move(from, to, overwrite: true);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            log(ErrorLevel.Alert,
                $"rename() {from} to {to} failed {LogFileAccess.Cause(from, e)}");
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
