using System.Collections.Immutable;
using System.Net;

namespace Tessera.Proxy.Resolving;

/// <summary>
/// Follows the names among the endpoints of backends: nginx's "server … resolve". What a name was
/// last outlives a change of the configuration, and an answer that is an error. Safe from any
/// thread; asks and waits on the pool's.
/// </summary>
internal sealed class BackendNames
{
    private readonly Lock _lock = new();
    private readonly Action<string> _changed;
    private readonly Action<string> _tell;
    private readonly Dictionary<NameKey, FollowedName> _followed = [];
    private readonly List<Task> _ending = [];

    /// <param name="changed">
    /// Told the name of a backend whose endpoints are others now; not while this object's lock is
    /// held.
    /// </param>
    /// <param name="tell">Told of errors.</param>
    public BackendNames(Action<string> changed, Action<string> tell)
    {
        _changed = changed;
        _tell = tell;
    }

    /// <summary>The backend with the addresses that its names have at this moment.</summary>
    public BackendConfig Expand(BackendConfig config)
    {
        if (config.Names.IsEmpty)
        {
            return config;
        }

        var endpoints = new List<EndpointConfig>();
        for (int i = 0; i <= config.Endpoints.Length; i++)
        {
            bool isEnd = i == config.Endpoints.Length;
            foreach (NamedEndpointsConfig name in config.Names.Where(
                name => name.Before == i || (isEnd && name.Before > i)))
            {
                endpoints.AddRange(FoundOf(NameKey.Of(config, name)).Select(
                    found => EndpointOf(name, found)));
            }

            if (!isEnd)
            {
                endpoints.Add(config.Endpoints[i]);
            }
        }

        // The only one there is is never left out; the same address twice is two endpoints.
        var ids = new HashSet<string>(StringComparer.Ordinal);
        return config with
        {
            Endpoints = endpoints.Count == 1
                ? [endpoints[0] with { MaxFails = 0 }]
                :
                [
                    .. endpoints.Select((endpoint, i) => ids.Add(endpoint.Id)
                        ? endpoint
                        : endpoint with { Id = $"{endpoint.Id}#{i}" }),
                ],
        };
    }

    /// <summary>From now on these backends' names are followed, and no others.</summary>
    public void Follow(ImmutableArray<BackendConfig> configs)
    {
        lock (_lock)
        {
            var wanted = new Dictionary<NameKey, ResolverConfig>();
            foreach (BackendConfig config in configs)
            {
                foreach (NamedEndpointsConfig name in config.Names)
                {
                    if (config.Resolver is { } resolver)
                    {
                        wanted[NameKey.Of(config, name)] = resolver;
                    }
                }
            }

            _ending.RemoveAll(task => task.IsCompleted);
            foreach ((NameKey key, FollowedName followed) in _followed.ToArray())
            {
                if (!wanted.TryGetValue(key, out ResolverConfig? resolver)
                    || !resolver.Equals(followed.Resolver)
                    || resolver.TimeoutMs != followed.Resolver.TimeoutMs)
                {
                    _followed.Remove(key);
                    _ending.Add(followed.DisposeAsync().AsTask());
                    if (resolver is not null)
                    {
                        Start(key, resolver, followed.Found);
                    }
                }
            }

            foreach ((NameKey key, ResolverConfig resolver) in wanted)
            {
                if (!_followed.ContainsKey(key))
                {
                    Start(key, resolver, []);
                }
            }
        }
    }

    /// <summary>Nothing is asked any more.</summary>
    public Task StopAsync()
    {
        lock (_lock)
        {
            _ending.AddRange(_followed.Values.Select(followed => followed.DisposeAsync().AsTask()));
            _followed.Clear();
            return Task.WhenAll(_ending);
        }
    }

    private ImmutableArray<FoundEndpoint> FoundOf(NameKey key)
    {
        lock (_lock)
        {
            return _followed.TryGetValue(key, out FollowedName? followed) ? followed.Found : [];
        }
    }

    private void Start(
        NameKey key, ResolverConfig resolver, ImmutableArray<FoundEndpoint> found)
    {
        var followed = new FollowedName(key, resolver, _tell) { Found = found };
        _followed.Add(key, followed);
        followed.Begin(answer => Take(key, followed, answer));
    }

    private void Take(
        NameKey key, FollowedName followed, ImmutableArray<FoundEndpoint> answer)
    {
        lock (_lock)
        {
            if (_followed.GetValueOrDefault(key) != followed
                || followed.Found.SequenceEqual(answer))
            {
                return;
            }

            followed.Found = answer;
        }

        _changed(key.Backend);
    }

    private static EndpointConfig EndpointOf(NamedEndpointsConfig name, FoundEndpoint found) =>
        name.Common with
        {
            Id = found.Address.ToString(),
            Address = found.Address,
            Weight = name.Port == 0 ? found.Weight : name.Common.Weight,
            IsBackup = name.Common.IsBackup || found.IsBackup,
        };
}

/// <summary>A name of a backend; several of its lines may have the same.</summary>
/// <param name="Port">0 for a service's name.</param>
internal readonly record struct NameKey(string Backend, string Name, int Port)
{
    public static NameKey Of(BackendConfig config, NamedEndpointsConfig name) =>
        new(config.Name, name.Name, name.Port);
}

/// <summary>One address of a name.</summary>
/// <param name="Weight">As a service's record has it; 1 for other names.</param>
/// <param name="IsBackup">Others of the service come first.</param>
internal sealed record FoundEndpoint(IPEndPoint Address, int Weight = 1, bool IsBackup = false);
