using System.Collections.Immutable;
using System.Net;

namespace Tessera.Proxy;

/// <summary>Who may use a route.</summary>
public sealed record AccessConfig
{
    /// <summary>The first that holds decides; without one that holds, access is allowed.</summary>
    public ImmutableArray<AddressRule> Addresses { get; init; } = [];

    public BasicAuthConfig? BasicAuth { get; init; }

    /// <summary>Either the address or the password is enough: nginx's satisfy any.</summary>
    public bool IsAnyEnough { get; init; }
}

/// <param name="Network">Null holds for every address.</param>
public sealed record AddressRule(bool IsAllowed, IPNetwork? Network);

/// <summary>User names and passwords (RFC 7617).</summary>
public sealed record BasicAuthConfig
{
    public string Realm { get; init; } = "restricted";

    /// <summary>
    /// Lines of an htpasswd file: <c>name:hash</c> with {SHA}, {SSHA}, $apr1$, $5$, $6$ or $2y$, or
    /// {PLAIN} and the password itself.
    /// </summary>
    public ImmutableArray<string> Users { get; init; } = [];
}

/// <summary>How much of a route may be used.</summary>
public sealed record FlowConfig
{
    public ImmutableArray<RateLimitConfig> RateLimits { get; init; } = [];

    public ImmutableArray<ConnectionLimitConfig> ConnectionLimits { get; init; } = [];

    /// <summary>Bytes a second to one client's request; 0 sets no limit.</summary>
    public long BytesPerSecond { get; init; }

    /// <summary>Bytes of a response before <see cref="BytesPerSecond"/> holds.</summary>
    public long BytesBeforeLimit { get; init; }

    /// <summary>A larger request body gets 413; 0 sets no limit.</summary>
    public long MaxBodyBytes { get; init; }
}

/// <summary>
/// A leaky bucket for each value of a key, as nginx's limit_req. Limits with the same
/// <see cref="Zone"/> share their buckets.
/// </summary>
public sealed record RateLimitConfig
{
    public required string Zone { get; init; }

    /// <summary>A text with variables; a request whose key is empty is not limited.</summary>
    public string Key { get; init; } = "$remote_addr";

    /// <summary>Above 0.</summary>
    public required double RequestsPerSecond { get; init; }

    /// <summary>Requests beyond the rate that are taken; more are refused.</summary>
    public int Burst { get; init; }

    /// <summary>
    /// Of the burst, those that are not delayed; <see cref="int.MaxValue"/> is nginx's nodelay.
    /// </summary>
    public int BurstWithoutDelay { get; init; }

    /// <summary>429 or 503, or any other from 400 to 599.</summary>
    public int Status { get; init; } = 429;

    /// <summary>Keys kept; the one not used for longest goes first.</summary>
    public int MaxKeys { get; init; } = 65_536;
}

/// <summary>Requests of one key at once, as nginx's limit_conn.</summary>
public sealed record ConnectionLimitConfig
{
    public required string Zone { get; init; }

    public string Key { get; init; } = "$remote_addr";

    public required int Max { get; init; }

    public int Status { get; init; } = 503;

    /// <summary>Keys at once; beyond, requests of new keys are refused.</summary>
    public int MaxKeys { get; init; } = 65_536;
}
