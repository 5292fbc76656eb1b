using System.Collections.Immutable;

namespace Tessera.Proxy;

/// <summary>
/// How connections that are no HTTP are served, by the rules of nginx's stream modules. Null on the
/// route of a TCP listener: bytes pass through, within the backend's limits.
/// </summary>
public sealed record StreamConfig
{
    /// <summary>
    /// A text with variables that is sent before the connection is closed; nginx's return. Null
    /// passes the connection on.
    /// </summary>
    public string? Reply { get; init; }

    /// <summary>
    /// A text with variables that names one of <see cref="Choices"/> or is an address; null where
    /// the route's backend is known from the beginning.
    /// </summary>
    public string? Pass { get; init; }

    /// <summary>Backends that <see cref="Pass"/> may come to.</summary>
    public ImmutableArray<StreamChoice> Choices { get; init; } = [];

    /// <summary>
    /// Finds the addresses of names that <see cref="Pass"/> gives; null finds none.
    /// </summary>
    public ResolverConfig? Resolver { get; init; }

    /// <summary>Set when a connection has come, in this order; nginx's set.</summary>
    public ImmutableArray<SetStep> Variables { get; init; } = [];

    /// <summary>proxy_bind, with variables; null lets the kernel choose.</summary>
    public string? LocalAddress { get; init; }

    /// <summary>proxy_bind … transparent: the address need not be this machine's.</summary>
    public bool IsTransparent { get; init; }

    /// <summary>proxy_socket_keepalive.</summary>
    public bool ProbesIdleSockets { get; init; }

    /// <summary>A TLS client's first message is read before a backend is chosen.</summary>
    public bool ReadsClientHello { get; init; }

    /// <summary>A proxy before this one says who the client is; PROXY protocol 1 or 2.</summary>
    public bool ExpectsProxyProtocol { get; init; }

    /// <summary>For that proxy's head, in milliseconds.</summary>
    public int ProxyProtocolTimeoutMs { get; init; } = 30_000;

    /// <summary>Proxies that are believed who the client is; nginx's set_real_ip_from.</summary>
    public ImmutableArray<AddressRule> TrustedProxies { get; init; } = [];

    /// <summary>Of a client's first bytes, while they are looked at; 1 or more.</summary>
    public int PrereadBytes { get; init; } = 16 * 1_024;

    /// <summary>For a client's first bytes, in milliseconds.</summary>
    public int PrereadTimeoutMs { get; init; } = 30_000;

    /// <summary>Upstream connections begin with the client's address; PROXY protocol 1.</summary>
    public bool SendsProxyProtocol { get; init; }

    /// <summary>Bytes a second from the client, with variables; null or 0 sets no limit.</summary>
    public string? UploadRate { get; init; }

    /// <summary>Bytes a second to the client, with variables; null or 0 sets no limit.</summary>
    public string? DownloadRate { get; init; }

    /// <summary>
    /// Each direction goes on until it has ended; else the end of one ends the connection.
    /// </summary>
    public bool HalfCloses { get; init; }

    /// <summary>Received at once, in each direction; 1 or more.</summary>
    public int BufferBytes { get; init; } = 16 * 1_024;

    /// <summary>
    /// Datagrams of a client that make a session; 0 lets it last until its time is over.
    /// </summary>
    public int DatagramRequests { get; init; }

    /// <summary>
    /// Datagrams that are expected for each of the client's; null does not know, and then all that
    /// come until the time is over are passed on.
    /// </summary>
    public int? DatagramResponses { get; init; }

    /// <summary>Without a byte in either direction, in milliseconds.</summary>
    public int IdleTimeoutMs { get; init; } = 600_000;
}

/// <param name="Name">As a text names it, without regard to letter case.</param>
/// <param name="Backend"><see cref="BackendConfig.Name"/>.</param>
public sealed record StreamChoice(string Name, string Backend);
