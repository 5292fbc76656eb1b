using System.Collections.Immutable;
using System.Net;

namespace Tessera.Proxy;

/// <summary>
/// The whole desired state of the data plane: what it listens on, where requests go, and within
/// which limits. Immutable; <see cref="ProxyServer.Apply"/> swaps one for the next and touches only
/// what differs, so connections of unchanged listeners and backends live on.
/// </summary>
public sealed record ProxyConfig
{
    public static ProxyConfig Empty { get; } = new();

    public ImmutableArray<ListenerConfig> Listeners { get; init; } = [];

    public ImmutableArray<BackendConfig> Backends { get; init; } = [];
}

/// <summary>How a listener treats the bytes that a client sends first.</summary>
public enum ListenerProtocol
{
    /// <summary>HTTP when the first bytes say so, else passed through as plain TCP.</summary>
    Auto,

    /// <summary>HTTP only: what is not HTTP gets 400.</summary>
    Http,

    /// <summary>Bytes are passed through as they are.</summary>
    Tcp,
}

/// <summary>
/// One public address and its routes. Its identity between two configurations is
/// <see cref="Address"/>: a listener whose address stays keeps its sockets.
/// </summary>
public sealed record ListenerConfig
{
    public required IPEndPoint Address { get; init; }

    public ListenerProtocol Protocol { get; init; } = ListenerProtocol.Auto;

    /// <summary>Tried longest match first; a TCP listener uses the first route.</summary>
    public ImmutableArray<RouteConfig> Routes { get; init; } = [];

    /// <summary>File that gets one line a request; null writes none.</summary>
    public string? AccessLogPath { get; init; }
}

/// <summary>
/// Requests of <see cref="Host"/> below <see cref="PathPrefix"/> go to <see cref="Backend"/>.
/// </summary>
public sealed record RouteConfig
{
    /// <summary>Host name without port, lower case; null matches every host.</summary>
    public string? Host { get; init; }

    /// <summary>Matched on whole path segments; "/" matches everything.</summary>
    public string PathPrefix { get; init; } = "/";

    /// <summary><see cref="BackendConfig.Name"/> of the backend that answers.</summary>
    public required string Backend { get; init; }
}

public enum BalanceAlgorithm
{
    /// <summary>Smooth weighted round robin: weights 5,1,1 give a a b a c a a.</summary>
    RoundRobin,

    /// <summary>Fewest requests in flight for its weight; ties by round robin.</summary>
    LeastConnections,

    /// <summary>By client address: the first three octets of IPv4, the whole of IPv6.</summary>
    IpHash,
}

/// <summary>
/// A balanced set of endpoints. Its identity between two configurations is <see cref="Name"/>.
/// </summary>
public sealed record BackendConfig
{
    public required string Name { get; init; }

    public BalanceAlgorithm Algorithm { get; init; } = BalanceAlgorithm.RoundRobin;

    public ImmutableArray<EndpointConfig> Endpoints { get; init; } = [];

    public BackendLimits Limits { get; init; } = BackendLimits.Default;

    /// <summary>
    /// Why nothing can be expected to answer ("stopped by the user"): requests then get 503 at once
    /// instead of being held. Null while instances are running or on their way.
    /// </summary>
    public string? UnavailableReason { get; init; }

    /// <summary>
    /// True when this program starts and stops the endpoints, so that a refused connection means
    /// that news of its exit is on the way: exhausted requests are held, not failed.
    /// </summary>
    public bool IsManaged { get; init; }
}

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

    /// <summary>Endpoints tried for one request, the first included; 0 tries each once.</summary>
    public int Tries { get; init; }
}

/// <summary>What an endpoint may get.</summary>
public enum EndpointState
{
    /// <summary>New requests.</summary>
    Active,

    /// <summary>Nothing new; what is in flight may finish.</summary>
    Draining,

    /// <summary>Nothing; it is not ready yet, or gone.</summary>
    Out,
}

/// <summary>
/// One address that serves a backend. Its identity between two configurations is <see cref="Id"/>;
/// a new process on an old address is a new endpoint.
/// </summary>
public sealed record EndpointConfig
{
    public required string Id { get; init; }

    public required IPEndPoint Address { get; init; }

    /// <summary>0 to 65,535; with 0 it gets nothing.</summary>
    public int Weight { get; init; } = 1;

    public EndpointState State { get; init; } = EndpointState.Active;
}
