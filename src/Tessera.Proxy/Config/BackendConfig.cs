using System.Collections.Immutable;
using System.Net;

namespace Tessera.Proxy;

/// <summary>How a backend chooses the endpoint of a request.</summary>
public enum BalanceAlgorithm
{
    /// <summary>Smooth weighted round robin: weights 5,1,1 give a a b a c a a.</summary>
    RoundRobin,

    /// <summary>Fewest requests in flight for its weight; ties by round robin.</summary>
    LeastConnections,

    /// <summary>By weight and chance.</summary>
    Random,

    /// <summary>Two by chance, of which the one with fewer requests in flight.</summary>
    RandomTwo,

    /// <summary>By client address: the first three octets of IPv4, the whole of IPv6.</summary>
    IpHash,

    /// <summary>By <see cref="BackendConfig.HashKey"/>, as nginx's hash.</summary>
    Hash,

    /// <summary>The same on a ring, as nginx's hash consistent.</summary>
    ConsistentHash,

    /// <summary>
    /// Shortest moving average of the time to a response's first byte, times requests in flight.
    /// </summary>
    LeastTimeFirstByte,

    /// <summary>As <see cref="LeastTimeFirstByte"/>, to its last byte; nginx's fair.</summary>
    LeastTimeLastByte,
}

/// <summary>
/// A balanced set of endpoints. Its identity between two configurations is <see cref="Name"/>.
/// </summary>
public sealed record BackendConfig
{
    public required string Name { get; init; }

    /// <summary>As logs and variables of nginx's name it; null is <see cref="Name"/>.</summary>
    public string? Label { get; init; }

    /// <summary>Whose it is; null is the whole configuration's.</summary>
    public ScopeConfig? Scope { get; init; }

    public BalanceAlgorithm Algorithm { get; init; } = BalanceAlgorithm.RoundRobin;

    /// <summary>A text with variables, for the hash algorithms.</summary>
    public string HashKey { get; init; } = "$remote_addr";

    /// <summary>Keeps a client on its endpoint by a cookie; null does not.</summary>
    public StickyConfig? Sticky { get; init; }

    /// <summary>Keeps a client on its endpoint as nginx does; null does not.</summary>
    public PersistenceConfig? Persistence { get; init; }

    public ImmutableArray<EndpointConfig> Endpoints { get; init; } = [];

    /// <summary>
    /// Names whose addresses are endpoints as well, followed as they change: nginx's resolve.
    /// </summary>
    public ImmutableArray<NamedEndpointsConfig> Names { get; init; } = [];

    /// <summary>Who is asked for <see cref="Names"/>; null asks nobody.</summary>
    public ResolverConfig? Resolver { get; init; }

    /// <summary>
    /// What the hash algorithms choose among, also while nothing is in it, so that an endpoint
    /// which goes moves no clients but its own. Empty: each endpoint that is no backup has a place
    /// of its own, and the clients of all may move when one leaves the configuration.
    /// </summary>
    public ImmutableArray<PlaceConfig> Places { get; init; } = [];

    public BackendLimits Limits { get; init; } = BackendLimits.Default;

    public RetryConfig Retry { get; init; } = RetryConfig.Default;

    /// <summary>Asks the endpoints whether they are well; null trusts their traffic.</summary>
    public HealthProbeConfig? Probe { get; init; }

    /// <summary>Takes endpoints out that fail more than others; null does not.</summary>
    public OutlierConfig? Outlier { get; init; }

    /// <summary>
    /// Why nothing can be expected to answer ("stopped by the user"): requests then get 503 at once
    /// instead of being held. Null while instances are running or on their way.
    /// </summary>
    public string? UnavailableReason { get; init; }

    /// <summary>Idle connections that are kept; null keeps as many as the server may.</summary>
    public KeepAliveConfig? KeepAlive { get; init; }

    /// <summary>
    /// An endpoint that failed too often gets nothing until its time is over, even when no other is
    /// left, and nothing is waited for: nginx's max_fails and "no live upstreams".
    /// </summary>
    public bool LeavesFailedOut { get; init; }

    /// <summary>
    /// True when this program starts and stops the endpoints, so that a refused connection means
    /// that news of its exit is on the way: exhausted requests are held, not failed.
    /// </summary>
    public bool IsManaged { get; init; }
}

/// <summary>nginx's keepalive, keepalive_requests, keepalive_time and keepalive_timeout.</summary>
/// <param name="Connections">Of a reactor, idle; 0 keeps none.</param>
/// <param name="MaxRequests">Of one connection.</param>
/// <param name="MaxAgeMs">A request after it is its connection's last.</param>
/// <param name="IdleTimeoutMs">How long one may be idle.</param>
public sealed record KeepAliveConfig(
    int Connections,
    int MaxRequests = 1_000,
    int MaxAgeMs = 3_600_000,
    int IdleTimeoutMs = 60_000);

/// <summary>
/// A place among the endpoints that outlives who is in it: a slot of a service, a line of a file.
/// </summary>
/// <param name="Name"><see cref="EndpointConfig.Place"/> of who is in it.</param>
/// <param name="Weight">0 to 65,535.</param>
public sealed record PlaceConfig(string Name, int Weight = 1);

/// <summary>Time and size limits of one backend. Times are in milliseconds.</summary>
public sealed record BackendLimits
{
    public static BackendLimits Default { get; } = new();

    /// <summary>For the TCP connection to an endpoint to be established.</summary>
    public int ConnectTimeoutMs { get; init; } = 5_000;

    /// <summary>Between two reads of a response; nginx's proxy_read_timeout.</summary>
    public int ReadTimeoutMs { get; init; } = 60_000;

    /// <summary>Between two writes of a request; nginx's proxy_send_timeout.</summary>
    public int SendTimeoutMs { get; init; } = 60_000;

    /// <summary>How long a tunnel (WebSocket, TCP) may carry nothing in either direction.</summary>
    public int TunnelIdleTimeoutMs { get; init; } = 3_600_000;

    /// <summary>Requests that may wait for a ready endpoint; one more gets 503.</summary>
    public int HoldQueueLength { get; init; } = 1_024;

    /// <summary>How long a request waits for a ready endpoint before it gets 503.</summary>
    public int HoldTimeoutMs { get; init; } = 30_000;
}

/// <summary>
/// A signed cookie that names the endpoint. A client stays with a draining endpoint until its drain
/// ends; one that is gone gives its clients to the others.
/// </summary>
public sealed record StickyConfig
{
    public string Name { get; init; } = "tessera";

    /// <summary>Empty leaves the attribute out.</summary>
    public string Path { get; init; } = "/";

    /// <summary>Null leaves the attribute out.</summary>
    public string? Domain { get; init; }

    /// <summary>strict, lax or none; null leaves the attribute out.</summary>
    public string? SameSite { get; init; }

    /// <summary>Scripts of the page do not see it.</summary>
    public bool IsHttpOnly { get; init; } = true;

    /// <summary>Seconds; 0 lasts as long as the browser runs.</summary>
    public int LifetimeSeconds { get; init; }

    public bool IsSecure { get; init; }

    /// <summary>Signs the cookie: 16 bytes or more that nobody else knows.</summary>
    public required ImmutableArray<byte> Key { get; init; }
}

/// <summary>What an endpoint may get.</summary>
public enum EndpointState
{
    /// <summary>New requests.</summary>
    Active,

    /// <summary>
    /// Nothing new but from its sticky clients; what is in flight may finish.
    /// </summary>
    Draining,

    /// <summary>Nothing; it is not ready yet, or gone.</summary>
    Out,
}

/// <summary>Endpoints that are found by a name.</summary>
/// <param name="Name">A host's, or that of a service where <paramref name="Port"/> is 0.</param>
/// <param name="Port">0 takes ports, weights and backups from the service's records.</param>
/// <param name="Common">What holds for each, but for address and id.</param>
/// <param name="Before">
/// They come before this one of <see cref="BackendConfig.Endpoints"/>; as many as there are for the
/// end.
/// </param>
public sealed record NamedEndpointsConfig(
    string Name, int Port, EndpointConfig Common, int Before);

/// <summary>
/// One address that serves a backend. Its identity between two configurations is <see cref="Id"/>;
/// a new process on an old address is a new endpoint.
/// </summary>
public sealed record EndpointConfig
{
    public required string Id { get; init; }

    public required IPEndPoint Address { get; init; }

    /// <summary>
    /// Of a socket in the file system, in place of <see cref="Address"/>; null for none.
    /// </summary>
    public string? UnixPath { get; init; }

    /// <summary>0 to 65,535; with 0 it gets nothing.</summary>
    public int Weight { get; init; } = 1;

    public EndpointState State { get; init; } = EndpointState.Active;

    /// <summary>
    /// Where the hash algorithms find it: one of <see cref="BackendConfig.Places"/>. Null is a
    /// place under its address, as nginx has it.
    /// </summary>
    public string? Place { get; init; }

    /// <summary>
    /// Its name to <see cref="BackendConfig.Persistence"/>; null is the MD5 of its address in
    /// hexadecimal digits, where a cookie or a session tells it.
    /// </summary>
    public string? Route { get; init; }

    /// <summary>Gets requests only when no other endpoint can.</summary>
    public bool IsBackup { get; init; }

    /// <summary>
    /// Requests in flight over all reactors; 0 sets no limit. While every endpoint has as many as
    /// it may have, further requests are held.
    /// </summary>
    public int MaxConnections { get; init; }

    /// <summary>
    /// Failures within <see cref="FailTimeoutMs"/> after which it is avoided; 0 never avoids it.
    /// Null is 1, or 0 where <see cref="BackendConfig.IsManaged"/>.
    /// </summary>
    public int? MaxFails { get; init; }

    /// <summary>
    /// Window of <see cref="MaxFails"/>, and how long it is avoided then. After it one request
    /// finds out whether the endpoint is well again.
    /// </summary>
    public int FailTimeoutMs { get; init; } = 10_000;

    /// <summary>
    /// How long its weight takes to grow from nothing after it came or came back; 0 at once.
    /// </summary>
    public int SlowStartMs { get; init; }
}
