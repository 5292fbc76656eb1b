using System.Collections.Immutable;
using System.Net;
using Tessera.Proxy;
using Tessera.Stack;
using Tessera.Stack.Discovery;

namespace Tessera.Daemon;

/// <summary>
/// Keeps the data plane in line with the projects and the catalog: every change of either is one
/// rebuilt configuration, applied before the change's reporter goes on. Safe from any thread.
/// </summary>
internal sealed class Ingress : IAsyncDisposable
{
    private static readonly TimeSpan RetryPeriod = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan ResolvePeriod = TimeSpan.FromSeconds(30);

    private readonly Lock _lock = new();
    private readonly ProxyServer _proxy;
    private readonly Catalog _catalog;
    private readonly Func<string, string> _accessLogOf;
    private readonly Func<ImmutableArray<byte>> _stickyKey;
    private readonly Action<string> _log;
    private readonly ExternalHosts _hosts;
    private readonly ITimer _retry;
    private readonly CancellationTokenSource _end = new();
    private readonly Task _resolving;
    private ImmutableSortedDictionary<string, ProjectEntry> _projects =
        ImmutableSortedDictionary<string, ProjectEntry>.Empty;
    private ImmutableArray<ListenFailure> _failures = [];
    private Action<ProxyConfig>? _onApplied;
    private bool _isEnded;

    /// <param name="stickyKey">Signs the cookies of sticky services; the same each time.</param>
    public Ingress(
        ProxyServer proxy, Catalog catalog, Func<string, string> accessLogOf,
        Func<ImmutableArray<byte>> stickyKey, Action<string> log, TimeProvider time)
    {
        _proxy = proxy;
        _catalog = catalog;
        _accessLogOf = accessLogOf;
        _stickyKey = stickyKey;
        _log = log;
        _hosts = new ExternalHosts(log);
        _retry = time.CreateTimer(_ => RetryListeners(), null, RetryPeriod, RetryPeriod);
        _resolving = ResolveAgainAsync(time);
        catalog.Observe(_ => TryApply());
    }

    public ImmutableSortedDictionary<string, ProjectEntry> Projects => Volatile.Read(ref _projects);

    /// <summary>
    /// Addresses that should be listened on and could not be, as of the last attempt.
    /// </summary>
    public ImmutableArray<ListenFailure> Failures
    {
        get
        {
            lock (_lock)
            {
                return _failures;
            }
        }
    }

    /// <summary>
    /// Puts a project's routes in force. Returns the addresses of this project that cannot be
    /// listened on; everything else is in force then. When the routes cannot be built it throws,
    /// and what was in force before stays.
    /// </summary>
    public ImmutableArray<ListenFailure> Set(ProjectEntry entry)
    {
        lock (_lock)
        {
            Change(_projects.SetItem(entry.Name, entry));
            HashSet<IPEndPoint> own = [.. Listeners(entry)];
            return [.. _failures.Where(f => own.Contains(f.Address))];
        }
    }

    /// <summary>
    /// Looks up what a project's external endpoints need, before it is put in force.
    /// </summary>
    public Task ResolveAsync(ProjectEntry entry) => _hosts.ResolveAsync(HostsOf(entry));

    /// <summary>Takes a project's routes and listeners away; throws as <see cref="Set"/>.</summary>
    public void Remove(string project)
    {
        lock (_lock)
        {
            Change(_projects.Remove(project));
        }
    }

    /// <summary>Completes when the addresses of what was taken away are free.</summary>
    public Task WhenFreeAsync(CancellationToken cancellation) =>
        _proxy.WhenRetiredAsync(cancellation);

    /// <summary>
    /// Waits until nothing is in flight on an instance, which the catalog must already hold as
    /// Draining. See <see cref="Stack.Engines.DrainInstance"/>.
    /// </summary>
    public async Task<int> DrainAsync(
        Instance instance, TimeSpan timeout, CancellationToken cancellation)
    {
        // It may be behind several: its service's own, those that services share, those of files,
        // and there with several ports.
        IEnumerable<string> ids = instance.Addresses.Keys
            .Select(target => FrontBuilder.SecondId(instance.Id, target)).Prepend(instance.Id);
        IEnumerable<Task<int>> drains =
            from id in ids
            from backend in _proxy.BackendsOf(id)
            select _proxy.DrainAsync(backend, id, timeout, cancellation);
        return (await Task.WhenAll(drains)).Sum();
    }

    /// <summary>
    /// Calls back with the configuration that is in force, now and after each change, within the
    /// change: it must be quick.
    /// </summary>
    public void Follow(Action<ProxyConfig> onApplied)
    {
        lock (_lock)
        {
            _onApplied = onApplied;
            TryApply();
        }
    }

    /// <summary>
    /// From now on the data plane keeps what it has, whatever late news the catalog gets.
    /// </summary>
    public void End()
    {
        lock (_lock)
        {
            _isEnded = true;
        }
    }

    public async ValueTask DisposeAsync()
    {
        End();
        await _retry.DisposeAsync();
        await _end.CancelAsync();
        await _resolving;
        _end.Dispose();
    }

    /// <summary>Addresses that a project, or one service of it, is reached at.</summary>
    public static IEnumerable<IPEndPoint> Listeners(ProjectEntry entry, string? service = null) =>
        Publication.Of(entry).Where(p => service is null || p.Service.Name == service)
            .Select(p => p.Address)
            .Concat(entry.Fronts.Where(front => service is null || front.Service == service)
                .SelectMany(front => front.ListenersOf(entry)).Select(served => served.Address))
            .Distinct();

    /// <summary>Under the lock. All of the change comes into force, or nothing of it.</summary>
    private void Change(ImmutableSortedDictionary<string, ProjectEntry> projects)
    {
        ImmutableSortedDictionary<string, ProjectEntry> before = _projects;
        _projects = projects;
        try
        {
            Apply();
        }
        catch
        {
            _projects = before;
            TryApply();
            throw;
        }
    }

    /// <summary>Under the lock.</summary>
    private void Apply()
    {
        if (_isEnded)
        {
            return;
        }

        ProxyConfig config = RouteBuilder.Build(
            _projects.Values, _catalog.Current, _hosts.AddressesOf, _accessLogOf, _stickyKey);
        _failures = _proxy.Apply(config);
        _onApplied?.Invoke(config);
    }

    /// <summary>
    /// For observers and timers, on whose threads an exception would be the daemon's end: a
    /// configuration that cannot be applied leaves the last one in force, and says so.
    /// </summary>
    private void TryApply()
    {
        lock (_lock)
        {
            try
            {
                Apply();
            }
            catch (Exception e)
            {
                _log($"fault: routes could not be applied: {e}");
            }
        }
    }

    /// <summary>A port that another program held when the daemon started may become free.</summary>
    private void RetryListeners()
    {
        lock (_lock)
        {
            int before = _failures.Length;
            if (before > 0)
            {
                TryApply();
                if (_failures.Length < before)
                {
                    _log($"listening again: {_failures.Length} addresses are still taken");
                }
            }
        }
    }

    /// <summary>At once, because a new daemon knows no address, then again and again.</summary>
    private async Task ResolveAgainAsync(TimeProvider time)
    {
        try
        {
            using var timer = new PeriodicTimer(ResolvePeriod, time);
            do
            {
                await Task.Yield();
                if (await _hosts.ResolveAsync(Projects.Values.SelectMany(HostsOf)))
                {
                    TryApply();
                }
            }
            while (await timer.WaitForNextTickAsync(_end.Token));
        }
        catch (OperationCanceledException)
        {
            // The daemon ends.
        }
    }

    private static IEnumerable<string> HostsOf(ProjectEntry entry) =>
        entry.Project.Services.Values.SelectMany(s => s.Options.Endpoints).Select(e => e.Host);
}
