namespace Tessera.Proxy;

/// <summary>
/// How a client is waited for and what it may send, where a file sets it by route.
/// </summary>
public sealed record ClientConfig
{
    /// <summary>nginx's own defaults.</summary>
    public static ClientConfig Default { get; } = new();

    /// <summary>For the whole head of a request: nginx's client_header_timeout.</summary>
    public int HeadTimeoutMs { get; init; } = 60_000;

    /// <summary>Bytes of the head together; more gets 400, or 414.</summary>
    public int MaxHeadBytes { get; init; } = 32 * 1_024;

    /// <summary>Bytes of one line of the head; a longer one gets 400, or 414.</summary>
    public int MaxLineBytes { get; init; } = 8 * 1_024;

    /// <summary>Fields of the head, 1 or more; one more gets 400: nginx's max_headers.</summary>
    public int MaxFields { get; init; } = 1_000;

    /// <summary>nginx's ignore_invalid_headers.</summary>
    public bool IgnoresInvalidNames { get; init; } = true;

    /// <summary>nginx's underscores_in_headers.</summary>
    public bool AllowsUnderscores { get; init; }

    /// <summary>Between two reads of a body: nginx's client_body_timeout.</summary>
    public int BodyTimeoutMs { get; init; } = 60_000;

    /// <summary>Keeps bodies that are received as a whole; null keeps them in memory.</summary>
    public BodyKeepingConfig? Body { get; init; }

    /// <summary>Between two writes: nginx's send_timeout.</summary>
    public int SendTimeoutMs { get; init; } = 60_000;

    /// <summary>A connection without a request; 0 closes it after its first one.</summary>
    public int IdleTimeoutMs { get; init; } = 75_000;

    /// <summary>Said in the field Keep-Alive, in seconds; 0 says nothing.</summary>
    public int ToldIdleSeconds { get; init; }

    /// <summary>
    /// How long an idle connection stays when the server is ended in good order: nginx's
    /// keepalive_min_timeout.
    /// </summary>
    public int MinIdleMs { get; init; }

    /// <summary>Old Internet Explorers are not kept behind a POST: keepalive_disable.</summary>
    public bool DropsOldMsie { get; init; } = true;

    /// <summary>Safari on a Mac is never kept.</summary>
    public bool DropsSafari { get; init; }

    /// <summary>Requests of one connection.</summary>
    public int MaxRequests { get; init; } = 1_000;

    /// <summary>How long a connection may be old and still get another request.</summary>
    public int MaxAgeMs { get; init; } = 3_600_000;

    /// <summary>What a client still sends is read before the connection is closed.</summary>
    public bool Lingers { get; init; } = true;

    /// <summary>For how long in all: nginx's lingering_time.</summary>
    public int LingerMs { get; init; } = 30_000;

    /// <summary>Between two reads of it: nginx's lingering_timeout.</summary>
    public int LingerIdleMs { get; init; } = 5_000;

    /// <summary>A client that was too slow is cut off with a reset.</summary>
    public bool ResetsSlow { get; init; }

    /// <summary>Bodies of unknown length go in chunks; else until the connection ends.</summary>
    public bool SendsChunks { get; init; } = true;
}
