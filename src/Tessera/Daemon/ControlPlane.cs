using System.Collections.Immutable;
using System.Net;
using Tessera.Api;
using Tessera.Metrics;
using Tessera.Proxy;
using Tessera.Stack;
using Tessera.Stack.Discovery;
using Tessera.Stack.Engines.Native;

namespace Tessera.Daemon;

/// <summary>What a daemon is made with, and keeps for its whole life.</summary>
internal sealed record DaemonParts(
    TesseraHome Home,
    bool OnDemand,
    ProxyOptions Options,
    ProxyServer Proxy,
    DaemonLock Lock,
    DaemonLog Log,
    DateTimeOffset StartedAt,
    IPEndPoint? MetricsAddress);

/// <summary>How a control plane came to its end.</summary>
internal enum PlaneEnd
{
    /// <summary>It was told to end; its instances were stopped, or live on.</summary>
    Ended,

    /// <summary>A successor has everything but the connections that are here.</summary>
    HandedOver,

    /// <summary>A hand-over failed half-way: another plane has to take everything back.</summary>
    TakenBack,
}

/// <summary>
/// Everything of a daemon but the data plane: what supervises, what answers commands, what routes.
/// One-shot: after a hand-over that failed another one is made on the same data plane, which has
/// gone on serving. Used by one flow; <see cref="Stop"/> from any thread.
/// </summary>
internal sealed class ControlPlane : IAsyncDisposable
{
    private static readonly TimeSpan AdoptionLimit = TimeSpan.FromSeconds(15);

    /// <summary>Whoever started the daemon for a command may have died before giving it.</summary>
    private static readonly TimeSpan FirstCommandLimit = TimeSpan.FromSeconds(30);

    /// <summary>For answers under way when the daemon ends.</summary>
    private static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(2);

    private readonly Lock _lock = new();
    private readonly DaemonParts _parts;
    private readonly Action<string> _log;
    private readonly ProjectStore _store;
    private readonly DaemonShutdown _shutdown;
    private readonly Troubles _troubles = new();
    private readonly Ingress _ingress;
    private readonly NativeEngine _engine;
    private readonly Controller _controller;
    private bool _isStopHeld;
    private bool _hasHeldStop;
    private volatile bool _isStopping;

    public ControlPlane(DaemonParts parts)
    {
        _parts = parts;
        _log = parts.Log.Write;
        _store = new ProjectStore(parts.Home);
        _shutdown = new DaemonShutdown(parts.OnDemand);
        var catalog = new Catalog();
        var stickyKey = new Lazy<ImmutableArray<byte>>(
            () => StickyKey.ReadOrCreate(parts.Home));
        _ingress = new Ingress(parts.Proxy, catalog,
            project => Path.Combine(_store.FolderOf(project), "access.log"),
            () => stickyKey.Value, _log, TimeProvider.System);
        _engine = new NativeEngine(
            new NativeEngineOptions
            {
                StateFolder = parts.Home.Projects,
                PathFolder = AppContext.BaseDirectory,
                Log = _log,
            },
            catalog, _ingress.DrainAsync, TimeProvider.System);
        _controller = new Controller(_engine, catalog, _ingress, parts.Proxy, _store, _shutdown,
            _troubles, TimeProvider.System, Describe);
    }

    /// <summary>
    /// Who has everything after <see cref="PlaneEnd.HandedOver"/>; the caller's to dispose of.
    /// </summary>
    public HandoverChannel? Successor { get; private set; }

    /// <summary>
    /// Adopts what lives, serves until the end, and hands over to a successor that asks.
    /// </summary>
    /// <param name="predecessor">The daemon that handed over, which still waits for word.</param>
    public async Task<PlaneEnd> RunAsync(
        Predecessor? predecessor, CancellationToken cancellation)
    {
        // (1) Everything that may fail comes before the predecessor lets go for good.
        await AdoptAsync();
        await using ControlServer server = await ControlServer.StartAsync(_parts.Home, _controller,
            fault => _log($"fault: {fault}"), cancellation, isPaused: true);
        await using HandoverServer handovers = HandoverServer.Start(_parts.Home, _log);
        if (predecessor is not null)
        {
            await predecessor.CommitAsync();
            _parts.Lock.Claim();
            predecessor.BeginTelling(_log);
            _ingress.Follow(predecessor.Tell);
        }

        // (2) Serve.
        _parts.Proxy.BeginAccepting();
        server.Resume();
        await using MetricsServer? metrics = _parts.MetricsAddress is { } address
            ? MetricsServer.Start(address, () => MetricsPage.Write(_parts.Proxy.GetMetrics()),
                _log, TimeProvider.System)
            : null;
        _log($"tessera {ProgramVersion.Text} serves {_parts.Home.Path} with "
            + $"{_parts.Options.Reactors} reactors");
        Task completion = _controller.CompleteAsync(_log);
        await using ITimer patience = TimeProvider.System.CreateTimer(
            _ => _controller.NoteIdle(), null, FirstCommandLimit, Timeout.InfiniteTimeSpan);

        // (3) Until told to end, or until a successor has everything.
        while (await Task.WhenAny(_shutdown.Begun, handovers.Claim) != _shutdown.Begun)
        {
            using var handover = new Handover(
                await handovers.Claim, _parts, server, _engine, _ingress, completion,
                () => _isStopping || _shutdown.Begun.IsCompleted);
            HoldStop(true);
            HandoverEnd end = await handover.RunAsync();
            if (end == HandoverEnd.Refused)
            {
                HoldStop(false);
                handovers.Reset();
                continue;
            }

            server.Retire();
            handovers.LeaveName();
            await patience.DisposeAsync();
            await server.StopAsync(AnswerLimit);
            Successor = handover.TakeSuccessor(end);
            return end == HandoverEnd.Done ? PlaneEnd.HandedOver : PlaneEnd.TakenBack;
        }

        bool keepInstances = await _shutdown.Begun;
        await completion.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _log(keepInstances ? "ending; instances live on" : "ending; instances are stopped");
        await server.StopAsync(AnswerLimit);
        if (_parts.OnDemand && _ingress.Projects.IsEmpty)
        {
            // Nothing is worth keeping without a project: the folder is left as it was found.
            _parts.Log.Delete();
            File.Delete(_parts.Home.StickyKey);
            _store.DeleteIfEmpty();
        }

        return PlaneEnd.Ended;
    }

    /// <summary>
    /// Ends the daemon as <c>daemon stop</c> does; told again, leaves what still runs to the next
    /// daemon.
    /// </summary>
    public void Stop(bool isRepeated)
    {
        lock (_lock)
        {
            if (_isStopHeld)
            {
                _hasHeldStop = true;
                return;
            }

            _isStopping = true;
        }

        if (isRepeated)
        {
            _shutdown.Begin(keepInstances: true);
            return;
        }

        _controller.EndAsync(keepInstances: false, _ => { }).ContinueWith(
            end => _log(
                $"not everything could be stopped: {end.Exception!.InnerException!.Message}"),
            CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
    }

    public async ValueTask DisposeAsync()
    {
        _controller.Dispose();
        await _engine.DisposeAsync();
        await _ingress.DisposeAsync();
    }

    /// <summary>A hand-over is not interrupted; what was asked for meanwhile follows it.</summary>
    private void HoldStop(bool isHeld)
    {
        bool isDue;
        lock (_lock)
        {
            _isStopHeld = isHeld;
            isDue = !isHeld && _hasHeldStop;
        }

        if (isDue)
        {
            Stop(isRepeated: false);
        }
    }

    private DaemonView Describe() => new(ProgramVersion.Text, Environment.ProcessId,
        _parts.StartedAt, _parts.Home.Path, _parts.OnDemand, _parts.Options.Reactors,
        [.. _ingress.Projects.Keys], _troubles.All.IsEmpty ? null : _troubles.All);

    /// <summary>
    /// Listens for every project on disk, adopts what lives and starts what shall run. Requests
    /// that come in between are held.
    /// </summary>
    private async Task AdoptAsync()
    {
        using var limit = new CancellationTokenSource(AdoptionLimit);
        foreach (string name in _store.Names)
        {
            ProjectEntry? entry = _store.Load(name, text =>
            {
                _log(text);
                _troubles.Add(new ProjectTrouble(name, text, IsUnreadable: true));
            });
            if (entry is not null)
            {
                _engine.SetBaseEnvironment(name, entry.BaseEnvironment);
                entry = TryListen(entry);
            }

            try
            {
                foreach (string text in await _engine.AdoptAsync(
                    name, entry?.Project.Services.Values ?? [], limit.Token))
                {
                    _troubles.Add(new ProjectTrouble(name, text, IsUnreadable: false));
                }
            }
            catch (OperationCanceledException)
            {
                _log($"{name} could not be adopted within {AdoptionLimit.TotalSeconds:0} s");
            }

            if (entry is not null)
            {
                _ingress.Set(entry);
            }
        }
    }

    /// <summary>Null when its routes cannot be built: what runs of it runs on without.</summary>
    private ProjectEntry? TryListen(ProjectEntry entry)
    {
        try
        {
            string accessLog = NginxFront.AccessLogIn(_store.FolderOf(entry.Name));
            entry = entry with
            {
                Fronts =
                    [.. entry.Fronts.Select(front => front.Restore(entry.Project, accessLog))],
            };
            foreach (ListenFailure failure in _ingress.Set(
                entry with { Expected = [.. entry.Project.Services.Keys] }))
            {
                _log($"cannot listen on {failure.Address} for {entry.Name}: {failure.Reason}; "
                    + "trying again every second");
            }

            return entry;
        }
        catch (Exception e)
        {
            _log($"fault: {entry.Name} has no routes; run `tessera up` with its file: {e}");
            return null;
        }
    }
}
