using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Tessera.Proxy;
using Tessera.Stack;
using Tessera.Stack.Discovery;

namespace Tessera.Daemon;

/// <summary>
/// Keeps the data plane in line with the projects and the catalog: every change of either is one
/// rebuilt configuration, applied before the change's reporter goes on. Safe from any thread.
/// </summary>
internal sealed class Ingress : IDisposable
{
    private static readonly TimeSpan RetryPeriod = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan ResolvePeriod = TimeSpan.FromSeconds(30);

    private readonly Lock _lock = new();
    private readonly ProxyServer _proxy;
    private readonly Catalog _catalog;
    private readonly Func<string, string> _accessLogOf;
    private readonly Action<string> _log;
    private readonly ITimer _retry;
    private readonly ITimer _resolve;
    private ImmutableSortedDictionary<string, ProjectEntry> _projects =
        ImmutableSortedDictionary<string, ProjectEntry>.Empty;
    private ImmutableDictionary<string, ImmutableArray<IPAddress>> _addresses =
        ImmutableDictionary<string, ImmutableArray<IPAddress>>.Empty;
    private ImmutableArray<ListenFailure> _failures = [];

    public Ingress(
        ProxyServer proxy, Catalog catalog, Func<string, string> accessLogOf, Action<string> log,
        TimeProvider time)
    {
        _proxy = proxy;
        _catalog = catalog;
        _accessLogOf = accessLogOf;
        _log = log;
        _retry = time.CreateTimer(_ => RetryListeners(), null, RetryPeriod, RetryPeriod);
        _resolve = time.CreateTimer(_ => ResolveAgain(), null, ResolvePeriod, ResolvePeriod);
        catalog.Observe(_ => Apply());
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
    /// listened on; everything else is in force then.
    /// </summary>
    public ImmutableArray<ListenFailure> Set(ProjectEntry entry)
    {
        Resolve(entry);
        lock (_lock)
        {
            _projects = _projects.SetItem(entry.Name, entry);
            Apply();
            HashSet<IPEndPoint> own = [.. Listeners(entry)];
            return [.. _failures.Where(f => own.Contains(f.Address))];
        }
    }

    /// <summary>Takes a project's routes and listeners away.</summary>
    public void Remove(string project)
    {
        lock (_lock)
        {
            _projects = _projects.Remove(project);
            Apply();
        }
    }

    /// <summary>
    /// Waits until nothing is in flight on an instance, which the catalog must already hold as
    /// Draining. See <see cref="Stack.Engines.DrainInstance"/>.
    /// </summary>
    public async Task<int> DrainAsync(
        Instance instance, TimeSpan timeout, CancellationToken cancellation)
    {
        IEnumerable<Task<int>> drains = instance.Addresses.Keys.Select(target => _proxy.DrainAsync(
            RouteBuilder.BackendName(instance.Slot.Project, instance.Slot.Service, target),
            instance.Id, timeout, cancellation));
        return (await Task.WhenAll(drains)).Sum();
    }

    public void Dispose()
    {
        _retry.Dispose();
        _resolve.Dispose();
    }

    public static IEnumerable<IPEndPoint> Listeners(ProjectEntry entry) =>
        entry.Published.SelectMany(p => RouteBuilder.ListenAddresses(p.Mapping)
            .Select(address => new IPEndPoint(address, entry.PublishedPort(p.Service, p.Mapping))));

    private void Apply()
    {
        lock (_lock)
        {
            _failures = _proxy.Apply(RouteBuilder.Build(
                _projects.Values, _catalog.Current, AddressesOf, _accessLogOf));
        }
    }

    private ImmutableArray<IPAddress> AddressesOf(string host) =>
        _addresses.GetValueOrDefault(host, []);

    /// <summary>A port that another program held when the daemon started may become free.</summary>
    private void RetryListeners()
    {
        lock (_lock)
        {
            if (!_failures.IsEmpty)
            {
                int before = _failures.Length;
                Apply();
                if (_failures.Length < before)
                {
                    _log($"listening again: {_failures.Length} addresses are still taken");
                }
            }
        }
    }

    private void ResolveAgain()
    {
        foreach (ProjectEntry entry in Projects.Values)
        {
            if (Resolve(entry))
            {
                Apply();
            }
        }
    }

    /// <summary>
    /// Looks the hosts of external endpoints up. A name that cannot be resolved keeps its last
    /// known
    /// addresses. Returns whether anything changed.
    /// </summary>
    private bool Resolve(ProjectEntry entry)
    {
        bool hasChanged = false;
        foreach (string host in entry.Project.Services.Values
            .SelectMany(s => s.Options.Endpoints).Select(e => e.Host).Distinct())
        {
            ImmutableArray<IPAddress> found = LookUp(host);
            lock (_lock)
            {
                if (!found.IsEmpty && !found.SequenceEqual(AddressesOf(host)))
                {
                    _addresses = _addresses.SetItem(host, found);
                    hasChanged = true;
                }
            }
        }

        return hasChanged;
    }

    private ImmutableArray<IPAddress> LookUp(string host)
    {
        if (IPAddress.TryParse(host, out IPAddress? literal))
        {
            return [literal];
        }

        try
        {
            IPAddress[] all = Dns.GetHostAddresses(host);
            // One address family, so that a dual-stack server does not count as two.
            IPAddress[] v4 = Array.FindAll(all, a => a.AddressFamily == AddressFamily.InterNetwork);
            return [.. (v4.Length > 0 ? v4 : all).OrderBy(a => a.ToString(), StringComparer.Ordinal)];
        }
        catch (SocketException e)
        {
            _log($"external endpoint {host} cannot be resolved: {e.Message}");
            return [];
        }
    }
}
