using System.Collections.Immutable;
using System.Net;
using Tessera.Linux;
using Tessera.Linux.Net;
using Tessera.Linux.Processes;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Listening;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Resolving;
using Tessera.Proxy.Routing;
using Tessera.Proxy.Telemetry;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy;

/// <summary>An address that could not be listened on, and why.</summary>
/// <param name="Errno">Of the call that failed; 0 when none did.</param>
public sealed record ListenFailure(IPEndPoint Address, string Reason, int Errno = 0);

/// <summary>What one endpoint carries at this moment.</summary>
public sealed record EndpointStatus(
    string Backend, string Endpoint, EndpointState State, int InFlight, long Requests,
        long Failures)
{
    /// <summary>0: it gets no requests.</summary>
    public int Weight { get; init; } = 1;

    /// <summary>It failed lately: others are tried first.</summary>
    public bool IsAvoided { get; init; }

    /// <summary>What is held against it, and why.</summary>
    public HealthStatus Health { get; init; } = new(HealthState.Well, "", default);
}

/// <summary>What one backend carries at this moment.</summary>
public sealed record BackendStatus(
    string Backend, int Held, ImmutableArray<EndpointStatus> Endpoints)
{
    /// <inheritdoc cref="BackendConfig.UnavailableReason"/>
    public string? UnavailableReason { get; init; }
}

/// <summary>
/// The data plane: owns the reactors and applies configurations to them. Safe to call from any
/// thread.
/// </summary>
public sealed partial class ProxyServer : IAsyncDisposable
{
    /// <summary>How long requests in flight may take to end when the server ends.</summary>
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(3);

    /// <summary>
    /// How long the address of a listener that was taken out may take to be free.
    /// </summary>
    private static readonly TimeSpan RetireTimeout = TimeSpan.FromSeconds(2);

    /// <summary>An address that failed is not tried again before.</summary>
    private static readonly TimeSpan FailureRest = TimeSpan.FromMilliseconds(400);

    private readonly Lock _lock = new();
    private readonly ProxyOptions _options;
    private readonly Func<BufferPool, IPoller> _createPoller;
    private readonly ConnectionLimit _connections;
    private readonly LogWriter _logWriter;
    private readonly Shard[] _shards;
    private readonly Reactor[] _reactors;
    private readonly BackendTable _backends;
    private readonly BackendNames _names;
    private readonly RouteSeriesTable _series;
    private readonly RouteFactory _routes;
    private readonly ErrorLog _errorLog;
    private readonly LogTable _logs;
    private readonly Dictionary<IPEndPoint, OpenListener> _listeners = [];
    private readonly Dictionary<IPEndPoint, Task> _retiring = [];
    private readonly Dictionary<IPEndPoint, (ListenFailure Failure, long Timestamp)> _failed = [];
    private ImmutableArray<BackendConfig> _backendConfigs = [];
    private Task _retiringLogs = Task.CompletedTask;
    private Task? _disposal;

    public ProxyServer(ProxyOptions options)
        : this(options, new PollerChoice(options).Create)
    {
    }

    /// <param name="createPoller">Makes the poller of each reactor.</param>
    internal ProxyServer(ProxyOptions options, Func<BufferPool, IPoller> createPoller)
    {
        _options = options;
        _createPoller = createPoller;
        _connections = new ConnectionLimit(ConnectionLimit.Within(
            options.MaxConnections, ResourceLimits.ReadMaxOpenFiles()));
        _errorLog = new ErrorLog(options.ErrorLog, options.ErrorLevel);
        _logWriter = new LogWriter(
            options.AccessLogMaxBytes,
            options.AccessLogBackups,
            options.ErrorLog ?? _errorLog.Write);
        _shards = new Shard[Math.Clamp(options.Reactors, 1, 256)];
        for (int i = 0; i < _shards.Length; i++)
        {
            _shards[i] = CreateShard(i);
            _shards[i].All = _shards;
        }

        _reactors = Array.ConvertAll(_shards, w => w.Reactor);
        _backends = new BackendTable(_shards, options);
        _names = new BackendNames(Renew, _errorLog.Write);
        _series = new RouteSeriesTable(_shards.Length);
        _logs = new LogTable(_reactors, _logWriter);
        _routes = new RouteFactory(_series, _logs);
        Array.ForEach(_reactors, r => r.Start());
        if (options.Rights is { } rights)
        {
            Array.ForEach(_reactors, r => r.Post(() => Take(rights)));
        }
    }

    internal IReadOnlyList<Reactor> Reactors => _reactors;

    /// <summary>Client connections at this moment.</summary>
    internal int ConnectionCount => _connections.Count;

    /// <summary>
    /// What a configuration says that cannot be done: variables that do not exist, expressions
    /// that are none. Applying it would throw. What has a scope of its own was looked at before.
    /// </summary>
    public static IEnumerable<string> FindProblems(ProxyConfig config)
    {
        using VariableScope.Entered scope = new VariableScope(config.Variables).Enter();
        IEnumerable<string> ofRoutes =
            from route in config.Listeners.Where(listener => listener.Scope is null)
                .SelectMany(listener => listener.Routes)
            let problem = RouteFactory.ProblemOf(route)
            where problem is not null
            select $"{route.Name}: {problem}";
        IEnumerable<string> ofLogs =
            from log in config.Listeners.Where(listener => listener.Scope is null)
                .SelectMany(LogsOf)
            let problem = AccessLogFormat.ProblemOf(log)
            where problem is not null
            select $"the access log's format: {problem}";
        IEnumerable<string> ofBackends =
            from backend in config.Backends
            where backend.Scope is null
            let problem = Template.ProblemOf(backend.HashKey)
            where problem is not null
            select $"{backend.Name}: {problem}";
        return [.. ofRoutes, .. ofLogs, .. ofBackends];
    }

    /// <summary>
    /// Swaps to <paramref name="config"/> in one step. When it returns, no reactor picks an
    /// endpoint that is not <see cref="EndpointState.Active"/> in it. Listeners that fail to bind
    /// are left out and returned; everything else is in force.
    /// </summary>
    public ImmutableArray<ListenFailure> Apply(ProxyConfig config) =>
        Apply(config, isAllOrNothing: false);

    /// <summary>
    /// As <see cref="Apply(ProxyConfig)"/>, but when a listener fails to bind nothing changes:
    /// all that is in force stays, and no address is given up.
    /// </summary>
    public ImmutableArray<ListenFailure> TryApply(ProxyConfig config) =>
        Apply(config, isAllOrNothing: true);

    private ImmutableArray<ListenFailure> Apply(ProxyConfig config, bool isAllOrNothing)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposal is not null, this);

            // (0) Whatever cannot be made ready throws here, and changes nothing.
            var scopes = new ScopeTable(config);
            using VariableScope.Entered scope = scopes.Enter(null);
            PreparedBackends backends = _backends.Prepare(
                [.. config.Backends.Select(_names.Expand)], scopes);
            _logs.BeginRound();
            _series.BeginRound();
            PreparedListener[] listeners = Prepare(config.Listeners, backends, scopes);
            PreparedListener[] datagrams = Prepare(config.DatagramListeners, backends, scopes);

            // (1) New addresses are opened. Nothing is accepted on them yet.
            RetireFailed();
            var opened = new List<OpenListener>();
            var openedDatagrams = new List<OpenDatagrams>();
            ListenFailure[] failures =
            [
                .. listeners.Select(l => TryListen(l, opened)).OfType<ListenFailure>(),
                .. datagrams.Select(l => TryListen(l, openedDatagrams)).OfType<ListenFailure>(),
            ];
            if (isAllOrNothing && failures.Length > 0)
            {
                opened.ForEach(Discard);
                openedDatagrams.ForEach(one => Array.ForEach(one.Sockets, s => s.Discard()));
                return [.. failures];
            }

            // (2) Backends first: routes point at them.
            _backends.Apply(backends);
            _backendConfigs = config.Backends;
            _names.Follow(config.Backends);
            AccessLog[] retiredLogs = _logs.EndRound();
            _errorLog.Use(config.ErrorLogs.IsEmpty ? null : _logs.SinksOf(config.ErrorLogs));

            // (3) Listeners that stay get their routes swapped; those that are gone stop accepting
            // (WhenRetiredAsync tells when their addresses are free), and the new ones begin to.
            RetireAllBut(listeners, datagrams);
            foreach (PreparedListener listener in listeners)
            {
                _listeners.GetValueOrDefault(listener.Config.Address)?.Listener.Update(
                    listener.Config.Protocol, listener.Routes, listener.Logs);
            }

            foreach (PreparedListener listener in datagrams)
            {
                _datagrams.GetValueOrDefault(listener.Config.Address)?.Listener.Update(
                    ListenerProtocol.Tcp, listener.Routes, listener.Logs);
            }

            opened.ForEach(Admit);
            openedDatagrams.ForEach(Admit);
            _series.EndRound();

            // (4) Logs that nobody writes to any more are written out.
            if (retiredLogs.Length > 0)
            {
                _retiringLogs = Task.WhenAll(_retiringLogs, WriteOutAsync(retiredLogs));
            }

            return [.. failures];
        }
    }

    /// <summary>
    /// Completes when the addresses of all listeners that were taken out so far are free and their
    /// access logs are written, at most 2 s from now.
    /// </summary>
    public async Task WhenRetiredAsync(CancellationToken cancellation)
    {
        Task retired;
        lock (_lock)
        {
            retired = Task.WhenAll([.. _retiring.Values, _retiringLogs]);
        }

        await Task.WhenAny(retired, Task.Delay(RetireTimeout, cancellation));
        cancellation.ThrowIfCancellationRequested();
    }

    /// <summary>
    /// Waits until nothing is in flight on an endpoint, at most <paramref name="timeout"/>. The
    /// endpoint must be out of rotation in the applied configuration. Returns what was still in
    /// flight at the end: 0 when it drained.
    /// </summary>
    public Task<int> DrainAsync(
        string backend, string endpoint, TimeSpan timeout, CancellationToken cancellation) =>
        _backends.FindEndpoint(backend, endpoint)?.DrainAsync(timeout, cancellation)
            ?? Task.FromResult(0);

    /// <summary>
    /// Names of the backends that an endpoint is behind, or was while it has requests in flight.
    /// </summary>
    public ImmutableArray<string> BackendsOf(string endpoint) => _backends.NamesOf(endpoint);

    public ImmutableArray<BackendStatus> GetStatus() => _backends.GetStatus();

    /// <summary>Adds up what the reactors have counted; they are not stopped for it.</summary>
    public ProxyMetrics GetMetrics()
    {
        RouteTotals unrouted = new("", "", RequestCounters.Sum(_shards.Select(s => s.Unrouted)));
        lock (_lock)
        {
            return new ProxyMetrics
            {
                Routes = [unrouted, .. _series.Read()],
                Reactors = [.. _shards.Select(s => s.ReadTotals())],
                Backends = _backends.GetStatus(),
                DroppedLogLines = _logWriter.Dropped,
                SuppressedErrors = _errorLog.Suppressed,
                DroppedTraces = _options.Traces?.Dropped ?? 0,
            };
        }
    }

    /// <summary>
    /// Completes when every line of the logs so far is in its file: whoever has moved a file away
    /// finds the next lines in a new one.
    /// </summary>
    public Task ReopenLogsAsync()
    {
        lock (_lock)
        {
            return WriteOutAsync(_logs.All, reopens: true);
        }
    }

    /// <summary>
    /// Stops accepting, lets requests in flight end for a few seconds, cuts what is left, ends the
    /// threads and writes the logs out. May be called again, and then waits for the first call.
    /// </summary>
    public ValueTask DisposeAsync() => new(CloseAsync(CloseTimeout));

    /// <summary>
    /// As <see cref="DisposeAsync"/>, but requests in flight have another time to end in.
    /// </summary>
    /// <param name="limit">
    /// Zero cuts them at once, <see cref="Timeout.InfiniteTimeSpan"/> waits for all.
    /// </param>
    /// <param name="cut">Ends the wait: they are cut.</param>
    public Task CloseAsync(TimeSpan limit, CancellationToken cut = default)
    {
        lock (_lock)
        {
            return _disposal ??= EndAsync(limit, cut);
        }
    }

    /// <summary>A line in the error log, behind all that were written so far.</summary>
    public void Log(ErrorLevel level, string line) => _errorLog.Write(level, line);

    private void Take(FileRights rights)
    {
        if (!rights.TryTake())
        {
            _errorLog.Write(
                ErrorLevel.Alert, $"the rights of user {rights.UserId} cannot be taken");
        }
    }

    private Shard CreateShard(int number)
    {
        // The largest head of either side, with what the proxy writes into it.
        int addedBytes = Math.Max(RequestWriter.MaxAddedBytes, Exchange.MaxReplyHeadroom);
        var buffers = new BufferPool(
            _options.MaxHeadBytes + addedBytes, _options.RelayBufferBytes);
        var reactor = new Reactor(
            $"tessera-{number}",
            _createPoller(buffers),
            buffers,
            _options.BusyPolling && _shards.Length <= Environment.ProcessorCount,
            fault => _errorLog.Write($"a fault in the proxy: {fault}"));
        return new Shard(number, reactor, _options, _connections, _errorLog);
    }

    private PreparedListener[] Prepare(
        ImmutableArray<ListenerConfig> configs, PreparedBackends backends, ScopeTable scopes) =>
    [
        .. configs.Select(config =>
        {
            using VariableScope.Entered scope = scopes.Enter(config.Scope);
            return new PreparedListener(
                config, _logs.Of(config.AccessLogs), _routes.CreateTable(config, backends));
        }),
    ];

    private static IEnumerable<AccessLogConfig> LogsOf(ListenerConfig listener) =>
        listener.Routes
            .Where(route => !route.AccessLogs.IsDefault)
            .SelectMany(route => route.AccessLogs)
            .Concat(listener.AccessLogs)
            .Distinct();

    /// <summary>
    /// Adds what it opened for an address that is new. One that failed lately fails again without
    /// being asked.
    /// </summary>
    private ListenFailure? TryListen(PreparedListener wanted, List<OpenListener> opened)
    {
        IPEndPoint address = wanted.Config.Address;
        if (_hasLeft || _listeners.ContainsKey(address))
        {
            return null;
        }

        // A listener of ours that is just being taken out would let the new sockets in, and then
        // drop the connections that the kernel gives to it. Moments later it is gone.
        if (_retiring.TryGetValue(address, out Task? closing) && !closing.IsCompleted)
        {
            return new ListenFailure(address, "the listener that was there is still closing");
        }

        long now = TimeProvider.System.GetTimestamp();
        if (_failed.TryGetValue(address, out (ListenFailure Failure, long Timestamp) last)
            && TimeProvider.System.GetElapsedTime(last.Timestamp, now) < FailureRest)
        {
            return last.Failure;
        }

        _failed.Remove(address);
        ListenFailure? failure = TryOpen(wanted, opened);
        if (failure is not null)
        {
            _failed.Add(address, (failure, now));
        }

        return failure;
    }

    private ListenFailure? TryOpen(PreparedListener wanted, List<OpenListener> opened)
    {
        ListenerConfig config = wanted.Config;
        var listener = new Listener(config.Address, config.Protocol, wanted.Routes, wanted.Logs);
        if (TakeInherited(listener) is { } inherited)
        {
            _listeners.Add(config.Address, inherited);
            return null;
        }

        // Beside a listener of this server for all addresses, one for a single address is no clash:
        // the kernel gives it the connections to that address.
        bool isOurs = _listeners.Keys.Concat(opened.Select(one => one.Listener.Address))
            .Any(known => Overlap(known, config.Address));
        SyscallResult result = isOurs
            ? SyscallResult.Success(0)
            : ListenSocket.Probe(config.Address, config.Sockets);
        var sockets = new ListenSocket[_shards.Length];
        if (result.IsSuccess)
        {
            result = ListenSocket.TryOpenAll(_shards, listener, config.Sockets, sockets);
        }

        if (!result.IsSuccess)
        {
            return new ListenFailure(
                config.Address, Errno.Describe(result.Errno), result.Errno);
        }

        opened.Add(new OpenListener(listener, sockets));
        return null;
    }

    /// <summary>Closes what was opened and not started.</summary>
    private static void Discard(OpenListener open)
    {
        if (open.Listener.Address is PathEndPoint path)
        {
            TryDelete(path);
        }

        Array.ForEach(open.Sockets, socket => socket.Discard());
    }

    /// <summary>Those that a reactor failed to start are opened anew, or told of.</summary>
    private void RetireFailed()
    {
        foreach (IPEndPoint address in _listeners
            .Where(l => l.Value.Sockets.Any(s => s.Closed.IsCompleted))
            .Select(l => l.Key).ToArray())
        {
            Retire(address);
        }
    }

    private void RetireAllBut(PreparedListener[] listeners, PreparedListener[] datagrams)
    {
        HashSet<IPEndPoint> wanted = [.. listeners.Select(l => l.Config.Address)];
        Array.ForEach([.. _listeners.Keys.Except(wanted)], Retire);
        Array.ForEach(
            [.. _datagrams.Keys.Except(datagrams.Select(l => l.Config.Address))],
            RetireDatagrams);
        foreach (IPEndPoint address in _failed.Keys.Except(wanted).ToArray())
        {
            _failed.Remove(address);
        }
    }

    private static bool Overlap(IPEndPoint one, IPEndPoint other) =>
        one.Port == other.Port && one.AddressFamily == other.AddressFamily
        && (one.Address.Equals(IPAddress.Any) || other.Address.Equals(IPAddress.Any)
            || one.Address.Equals(IPAddress.IPv6Any) || other.Address.Equals(IPAddress.IPv6Any));

    private void Retire(IPEndPoint address)
    {
        _listeners.Remove(address, out OpenListener? open);
        open!.Listener.Retire();
        if (_isAccepting && !_hasLeft && address is PathEndPoint path)
        {
            // The name goes first: nobody comes any more while the queue is emptied.
            TryDelete(path);
        }

        // What is still another process's to accept on must not begin to refuse.
        Array.ForEach(open.Sockets, _isAccepting ? s => s.Retire() : s => s.Leave());
        foreach (IPEndPoint closed in _retiring
            .Where(r => r.Value.IsCompleted).Select(r => r.Key).ToArray())
        {
            _retiring.Remove(closed);
        }

        Task closing = Task.WhenAll(open.Sockets.Select(s => s.Closed));
        _retiring[address] = _retiring.TryGetValue(address, out Task? earlier)
            ? Task.WhenAll(earlier, closing)
            : closing;

        foreach (Shard shard in _shards)
        {
            shard.Reactor.Post(() => shard.CloseIdle(open.Listener));
        }
    }

    /// <summary>Names of the backend have other addresses than before.</summary>
    private void Renew(string backend)
    {
        lock (_lock)
        {
            if (_backendConfigs.FirstOrDefault(config => config.Name == backend) is { } config
                && _disposal is null)
            {
                _backends.Renew(_names.Expand(config));
            }
        }
    }

    private static void TryDelete(PathEndPoint path)
    {
        try
        {
            File.Delete(path.Path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Whoever took the folder away has no use for it.
        }
    }

    private async Task EndAsync(TimeSpan limit, CancellationToken cut)
    {
        // (1) Nothing new, and no more questions.
        _backends.StopProbes();
        CloseInherited();
        ForEachDatagramSocket(socket => socket.BeginClosing());
        foreach (IPEndPoint address in _listeners.Keys.ToArray())
        {
            Retire(address);
        }

        await Task.WhenAny(Task.WhenAll(_retiring.Values), Task.Delay(
            RetireTimeout, CancellationToken.None));
        await _names.StopAsync();
        Array.ForEach(_shards, w => w.Reactor.Post(w.BeginClosing));

        // (2) What is in flight may end, then it is cut.
        await WaitUntilIdleAsync(limit, cut);
        Array.ForEach(_shards, w => w.Reactor.Post(w.AbortAll));
        ForEachDatagramSocket(socket => socket.Retire());
        await WaitUntilIdleAsync(TimeSpan.FromSeconds(1), CancellationToken.None);

        // (3) The last lines, then the threads.
        Task closed = OnEachReactorAsync(w =>
        {
            _backends.CloseIdle(w.Number);
            w.Files.Close();
        });
        Task written = Task.WhenAll(closed, _retiringLogs, WriteOutAsync(_logs.All));
        await Task.WhenAny(written, Task.Delay(
            RetireTimeout, CancellationToken.None));
        Array.ForEach(_reactors, r => r.Dispose());
        _logWriter.Dispose();
    }

    private async Task WaitUntilIdleAsync(TimeSpan limit, CancellationToken cut)
    {
        long start = TimeProvider.System.GetTimestamp();
        while (_connections.Count > 0 && !cut.IsCancellationRequested
            && (limit == Timeout.InfiniteTimeSpan
                || TimeProvider.System.GetElapsedTime(start) < limit))
        {
            await Task.Delay(10, CancellationToken.None);
        }
    }

    private async Task WriteOutAsync(AccessLog[] logs, bool reopens = false)
    {
        await OnEachReactorAsync(w => Array.ForEach(logs, l => l.BufferOf(w.Number).Flush()));
        await _logWriter.WriteOutAsync(reopens);
    }

    private Task OnEachReactorAsync(Action<Shard> action) =>
        Task.WhenAll(Array.ConvertAll(_shards, shard =>
        {
            var done = new TaskCompletionSource(
                TaskCreationOptions.RunContinuationsAsynchronously);
            shard.Reactor.Post(() =>
            {
                action(shard);
                done.SetResult();
            });
            return done.Task;
        }));

    private sealed record OpenListener(Listener Listener, ListenSocket[] Sockets);

    /// <summary>All that a listener of a configuration needs beside its sockets.</summary>
    private sealed record PreparedListener(
        ListenerConfig Config, AccessLog[] Logs, RouteTable Routes);
}
