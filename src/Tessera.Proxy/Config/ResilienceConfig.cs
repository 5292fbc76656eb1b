using System.Collections.Immutable;

namespace Tessera.Proxy;

/// <summary>What makes a request worth another endpoint: nginx's proxy_next_upstream.</summary>
[Flags]
public enum RetryConditions
{
    None = 0,

    /// <summary>No connection, or it broke.</summary>
    Error = 1,
    Timeout = 2,
    InvalidHeader = 4,
    Http500 = 8,
    Http502 = 16,
    Http503 = 32,
    Http504 = 64,
    Http403 = 128,
    Http404 = 256,
    Http429 = 512,

    /// <summary>Also requests that may have had an effect (RFC 9110 section 9.2.2).</summary>
    NonIdempotent = 1_024,
}

/// <summary>
/// When a request is tried on another endpoint. Whatever is set here, nothing is tried anew once a
/// byte of an answer has reached the client.
/// </summary>
public sealed record RetryConfig
{
    public static RetryConfig Default { get; } = new();

    public RetryConditions On { get; init; } = RetryConditions.Error | RetryConditions.Timeout;

    /// <summary>
    /// Endpoints tried for one request, the first included; 0 tries each once. Whatever it is, a
    /// request that endpoints took and gave no answer to is sent twice at most.
    /// </summary>
    public int Tries { get; init; }

    /// <summary>
    /// How often a request may be sent anew after an endpoint took some of it and gave no answer. A
    /// request that kills its endpoints must not reach them all. 0 to 1,024.
    /// </summary>
    public int MaxReplays { get; init; } = 1;

    /// <summary>No further try begins after it; 0 sets no limit.</summary>
    public int TimeoutMs { get; init; }

    /// <summary>
    /// Retries that may be added to the requests of the last ten seconds, in percent; so an outage
    /// is not multiplied. Ten a second are always allowed, and so is whatever follows a refused
    /// connection, which has cost nobody anything. 0 to 1,000.
    /// </summary>
    public int BudgetPercent { get; init; } = 20;

    /// <summary>
    /// Bytes of a request body that are kept while it is streamed, so that it can be sent again;
    /// 0 to 16 MiB. Those that came with the head are kept anyway.
    /// </summary>
    public int ReplayBytes { get; init; } = 64 * 1_024;

    /// <summary>
    /// Receives a whole request body before an endpoint is taken, so that a slow client does not
    /// hold one; larger ones are streamed once this many bytes are there. 0 streams at once. Within
    /// <see cref="ProxyOptions.MaxKeptBodyBytes"/>.
    /// </summary>
    public int BufferBytes { get; init; }
}

/// <summary>How an endpoint is asked whether it is well.</summary>
public enum HealthProbeKind
{
    /// <summary>A connection can be made.</summary>
    Tcp,

    /// <summary>A GET gets the expected answer.</summary>
    Http,
}

/// <summary>
/// Asks each endpoint at intervals; one that fails is out until it passes again. Never empties a
/// backend: when fewer than <see cref="MinHealthyPercent"/> are well, all are used, and the error
/// log says so.
/// </summary>
public sealed record HealthProbeConfig
{
    public HealthProbeKind Kind { get; init; } = HealthProbeKind.Http;

    public string Path { get; init; } = "/";

    /// <summary>Value of Host; null sends the endpoint's address.</summary>
    public string? Host { get; init; }

    /// <summary>Lowest and highest status that pass.</summary>
    public int MinStatus { get; init; } = 200;

    public int MaxStatus { get; init; } = 399;

    /// <summary>Must be within the first 64 KiB of the body; null does not look.</summary>
    public string? BodyContains { get; init; }

    /// <summary>Between two probes of one endpoint; 100 ms or more.</summary>
    public int IntervalMs { get; init; } = 5_000;

    public int TimeoutMs { get; init; } = 2_000;

    /// <summary>Passes in a row that bring an endpoint back.</summary>
    public int Rises { get; init; } = 2;

    /// <summary>Failures in a row that take it out.</summary>
    public int Falls { get; init; } = 3;

    /// <summary>Below so many percent of well endpoints all are used; 0 to 100.</summary>
    public int MinHealthyPercent { get; init; } = 50;
}

/// <summary>
/// Ejects endpoints whose requests fail, by what real traffic shows: 5xx, time-outs, broken
/// connections.
/// </summary>
public sealed record OutlierConfig
{
    /// <summary>Failures in a row that eject; 0 does not count them.</summary>
    public int ConsecutiveFailures { get; init; } = 5;

    /// <summary>Share of failures in <see cref="WindowMs"/> that ejects; 0 does not look.</summary>
    public int FailurePercent { get; init; }

    /// <summary>Requests in a window below which its share says nothing.</summary>
    public int MinRequests { get; init; } = 20;

    public int WindowMs { get; init; } = 10_000;

    /// <summary>First ejection; each further one is longer by as much, up to ten times.</summary>
    public int EjectionMs { get; init; } = 30_000;

    /// <summary>At most so many percent of a backend's endpoints are ejected at once.</summary>
    public int MaxEjectedPercent { get; init; } = 50;
}
