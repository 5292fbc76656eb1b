using System.Collections.Immutable;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Transports;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Routing;

/// <summary>Backends of a configuration that is about to be applied, by name.</summary>
internal sealed record PreparedBackends(
    ImmutableArray<BackendConfig> Configs, Dictionary<string, Backend> Backends,
    ScopeTable Scopes);

/// <summary>
/// All backends by name. Backends and endpoints whose name or id stays live on from one
/// configuration to the next, with their counters and connections. Safe from any thread; reactors
/// never look here, they follow their routes.
/// </summary>
internal sealed class BackendTable
{
    private readonly Lock _lock = new();
    private readonly Shard[] _shards;
    private readonly ProxyOptions _options;
    private readonly List<(string Backend, Endpoint Endpoint)> _leaving = [];
    private Dictionary<string, Backend> _backends = new(StringComparer.Ordinal);

    public BackendTable(Shard[] shards, ProxyOptions options)
    {
        _shards = shards;
        _options = options;
    }

    public Backend? Find(string name)
    {
        lock (_lock)
        {
            return _backends.GetValueOrDefault(name);
        }
    }

    /// <summary>
    /// Also finds endpoints that the configuration no longer has while they are in flight.
    /// </summary>
    public Endpoint? FindEndpoint(string backend, string id)
    {
        lock (_lock)
        {
            return Array.Find(Find(backend)?.Current.Endpoints ?? [], e => e.Id == id)
                ?? _leaving.Find(l => l.Backend == backend && l.Endpoint.Id == id).Endpoint;
        }
    }

    /// <summary>Of backends where <see cref="FindEndpoint"/> finds it.</summary>
    public ImmutableArray<string> NamesOf(string id)
    {
        lock (_lock)
        {
            return
            [
                .. _backends.Values
                    .Where(b => Array.Exists(b.Current.Endpoints, e => e.Id == id))
                    .Select(b => b.Name)
                    .Union(_leaving.Where(l => l.Endpoint.Id == id).Select(l => l.Backend)),
            ];
        }
    }

    /// <summary>
    /// The backends of a configuration: those that are here, as they are, and new ones, which
    /// nobody knows yet. What cannot be made ready is found here, and nothing is changed; by one
    /// caller at a time.
    /// </summary>
    /// <exception cref="FormatException">A hash key that is no text with variables.</exception>
    /// <exception cref="ArgumentException">A name that is there twice, or a short key.</exception>
    public PreparedBackends Prepare(ImmutableArray<BackendConfig> configs, ScopeTable scopes)
    {
        var backends = new Dictionary<string, Backend>(StringComparer.Ordinal);
        foreach (BackendConfig config in configs)
        {
            using VariableScope.Entered scope = scopes.Enter(config.Scope);
            Template.Parse(config.HashKey);
            ArgumentOutOfRangeException.ThrowIfLessThan(
                config.Sticky?.Key.Length ?? StickyCookies.MinKeyBytes,
                StickyCookies.MinKeyBytes,
                nameof(StickyConfig.Key));
            backends.Add(config.Name, Find(config.Name) ?? new Backend(
                config.Name, CreateSet(config, before: null), _shards.Length));
        }

        return new PreparedBackends(configs, backends, scopes);
    }

    /// <summary>
    /// Makes the configuration the backends'. When it returns, nothing begins on an endpoint that
    /// is not active in it; requests that wait look again.
    /// </summary>
    public void Apply(PreparedBackends prepared)
    {
        lock (_lock)
        {
            _leaving.RemoveAll(l => l.Endpoint.InFlight == 0);
            var changed = new List<Backend>();
            foreach (BackendConfig config in prepared.Configs)
            {
                Backend backend = prepared.Backends[config.Name];
                if (!_backends.Remove(config.Name))
                {
                    backend.Health.Apply(backend.Current, _shards);
                }
                else if (!HasSameContent(backend.Current.Config, config))
                {
                    using VariableScope.Entered scope = prepared.Scopes.Enter(config.Scope);
                    Update(backend, config);
                    changed.Add(backend);
                }
            }

            // What is left is not in the configuration: nothing new, and nothing to wait for.
            foreach (Backend gone in _backends.Values)
            {
                Update(gone, gone.Current.Config with
                {
                    Endpoints = [],
                    Algorithm = BalanceAlgorithm.RoundRobin,
                    UnavailableReason = "the service was removed",
                });
                changed.Add(gone);
            }

            _backends = prepared.Backends;
            Announce(changed);
        }
    }

    /// <summary>Another set of endpoints for one backend, if it is still there.</summary>
    /// <param name="config">As it is in force, but for the endpoints.</param>
    public void Renew(BackendConfig config)
    {
        lock (_lock)
        {
            if (_backends.TryGetValue(config.Name, out Backend? backend))
            {
                _leaving.RemoveAll(l => l.Endpoint.InFlight == 0);
                Update(backend, config, keepsTexts: true);
                Announce([backend]);
            }
        }
    }

    /// <summary>Ends the probes of all endpoints: the server ends.</summary>
    public void StopProbes()
    {
        lock (_lock)
        {
            foreach (Backend backend in _backends.Values)
            {
                backend.Health.Stop();
            }
        }
    }

    public ImmutableArray<BackendStatus> GetStatus()
    {
        lock (_lock)
        {
            return
            [
                .. from backend in _backends.Values
                   orderby backend.Name
                   select new BackendStatus(
                       backend.Name,
                       backend.Held,
                       [.. backend.Current.Endpoints.Select(e => StatusOf(backend, e))])
                   {
                       UnavailableReason = backend.Current.Config.UnavailableReason,
                   },
            ];
        }
    }

    /// <summary>
    /// Closes the idle connections of one reactor to all endpoints. On that reactor.
    /// </summary>
    public void CloseIdle(int reactor)
    {
        lock (_lock)
        {
            foreach (Endpoint endpoint in _backends.Values.SelectMany(b => b.Current.Endpoints))
            {
                endpoint.PoolOf(reactor).Clear();
            }
        }
    }

    private static bool HasSameContent(BackendConfig a, BackendConfig b) =>
        a with { Endpoints = b.Endpoints, Places = b.Places, Sticky = b.Sticky } == b
        && a.Endpoints.SequenceEqual(b.Endpoints)
        && a.Places.SequenceEqual(b.Places)
        && HasSameContent(a.Sticky, b.Sticky);

    private static bool HasSameContent(StickyConfig? a, StickyConfig? b) =>
        a is null || b is null
            ? a == b
            : a with { Key = b.Key } == b && a.Key.SequenceEqual(b.Key);

    private static EndpointStatus StatusOf(Backend backend, Endpoint endpoint) => new(
        backend.Name,
        endpoint.Id,
        endpoint.State,
        endpoint.InFlight,
        endpoint.Requests,
        endpoint.Failures)
    {
        Weight = endpoint.Weight,
        IsAvoided = endpoint.IsAvoided(Reactor.ClockMs()),
        Health = endpoint.Health.GetStatus(Reactor.ClockMs()),
    };

    private void Update(Backend backend, BackendConfig config, bool keepsTexts = false)
    {
        BackendSet before = backend.Current;

        // Endpoints change their state before the set is swapped: the set reads it.
        BackendSet set = CreateSet(config, before, keepsTexts);
        foreach (Endpoint gone in before.Endpoints.Except(set.Endpoints))
        {
            gone.Update(gone.Config with { State = EndpointState.Out }, Reactor.ClockMs());
            _leaving.Add((backend.Name, gone));
        }

        backend.Health.Apply(set, _shards);
        backend.Current = set;
    }

    private BackendSet CreateSet(
        BackendConfig config, BackendSet? before, bool keepsTexts = false)
    {
        long nowMs = Reactor.ClockMs();
        var endpoints = new Endpoint[config.Endpoints.Length];
        for (int i = 0; i < endpoints.Length; i++)
        {
            EndpointConfig wanted = config.Endpoints[i];
            Endpoint? endpoint = Array.Find(
                before?.Config.KeepAlive == config.KeepAlive ? before?.Endpoints ?? [] : [],
                e => e.Id == wanted.Id && e.Config.UnixPath == wanted.UnixPath
                    && e.Address.ToIPEndPoint().Equals(wanted.Address));
            if (endpoint is null)
            {
                endpoint = new Endpoint(wanted, CreatePools(config.KeepAlive), nowMs);
            }
            else
            {
                endpoint.Update(wanted, nowMs);
            }

            endpoints[i] = endpoint;
        }

        return new BackendSet(config, endpoints, before, keepsTexts);
    }

    private UpstreamPool[] CreatePools(KeepAliveConfig? config) => Array.ConvertAll(
        _shards,
        _ => config is null
            ? new UpstreamPool(
                _options.MaxIdleUpstreamConnections, _options.UpstreamIdleTimeoutMs)
            : new UpstreamPool(config.Connections, config.IdleTimeoutMs)
            {
                MaxRequests = config.MaxRequests,
                MaxAgeMs = config.MaxAgeMs,
            });

    /// <summary>
    /// Each reactor closes its idle connections to endpoints that get nothing new, and lets the
    /// requests that wait look again.
    /// </summary>
    private void Announce(List<Backend> changed)
    {
        if (changed.Count == 0)
        {
            return;
        }

        Endpoint[] resting =
        [
            .. _leaving.Select(l => l.Endpoint),
            .. changed.SelectMany(b => b.Current.Endpoints)
                .Where(e => e.State != EndpointState.Active),
        ];
        foreach (Shard shard in _shards)
        {
            shard.Reactor.Post(() =>
            {
                Array.ForEach(resting, e => e.PoolOf(shard.Number).Clear());
                changed.ForEach(b => b.HoldQueueOf(shard.Number).Release(shard.Reactor));
            });
        }
    }
}
