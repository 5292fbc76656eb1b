using System.Collections.Immutable;
using System.Net;
using Tessera.Proxy.Access;
using Tessera.Proxy.Flow;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy;

/// <summary>Who may use a route.</summary>
public sealed record AccessConfig
{
    /// <summary>The first that holds decides; without one that holds, access is allowed.</summary>
    public ImmutableArray<AddressRule> Addresses { get; init; } = [];

    public BasicAuthConfig? BasicAuth { get; init; }

    /// <summary>Either the address or the password is enough: nginx's satisfy any.</summary>
    public bool IsAnyEnough { get; init; }

    /// <summary>How long a 401 is held back, in milliseconds; 0 says it at once.</summary>
    public int DelayMs { get; init; }
}

/// <param name="Network">Null holds for every address.</param>
public sealed record AddressRule(bool IsAllowed, IPNetwork? Network)
{
    /// <summary>Holds for connections over unix sockets alone; no network then.</summary>
    public bool IsUnix { get; init; }
}

/// <summary>User names and passwords (RFC 7617).</summary>
public sealed record BasicAuthConfig
{
    public string Realm { get; init; } = "restricted";

    /// <summary>
    /// The realm is a text with variables, and goes to the client alone; one that becomes "off"
    /// lets everyone in: nginx's auth_basic.
    /// </summary>
    public bool HasVariables { get; init; }

    /// <summary>Whoever has a name and a password gets 403: their list could not be read.</summary>
    public bool IsUnreadable { get; init; }

    /// <summary>
    /// A file of such lines that is read anew when it has changed, a text with variables; null for
    /// <see cref="Users"/>.
    /// </summary>
    public string? File { get; init; }

    /// <summary>Where a name begins that is not absolute.</summary>
    public string Folder { get; init; } = "/";

    /// <summary>
    /// Lines of an htpasswd file: <c>name:hash</c> with {SHA}, {SSHA}, $apr1$, $5$, $6$ or $2y$, or
    /// {PLAIN} and the password itself.
    /// </summary>
    public ImmutableArray<string> Users { get; init; } = [];

    /// <summary>What is wrong with it, in words; null when it can be used.</summary>
    public string? FindFault()
    {
        foreach (string line in Users)
        {
            if (PasswordEntry.FindFault(line) is { } fault)
            {
                return fault;
            }
        }

        return null;
    }
}

/// <summary>How much of a route may be used.</summary>
public sealed record FlowConfig
{
    /// <summary>Of <see cref="RateLimits"/>, and of <see cref="ConnectionLimits"/>.</summary>
    public const int MaxRules = 16;

    public ImmutableArray<RateLimitConfig> RateLimits { get; init; } = [];

    public ImmutableArray<ConnectionLimitConfig> ConnectionLimits { get; init; } = [];

    /// <summary>Bytes a second to one client's request; 0 sets no limit.</summary>
    public long BytesPerSecond { get; init; }

    /// <summary>Bytes of a response before <see cref="BytesPerSecond"/> holds.</summary>
    public long BytesBeforeLimit { get; init; }

    /// <summary>
    /// In place of <see cref="BytesPerSecond"/>, a text with variables that becomes a size ("64k");
    /// null leaves that.
    /// </summary>
    public string? RateText { get; init; }

    /// <summary>The same for <see cref="BytesBeforeLimit"/>.</summary>
    public string? RateAfterText { get; init; }

    /// <summary>
    /// A larger request body gets 413; 0 sets no limit. One whose length is not told in advance is
    /// cut when it turns out to be larger.
    /// </summary>
    public long MaxBodyBytes { get; init; }

    /// <summary>What is wrong with it, in words; null when it can be used.</summary>
    public string? FindFault()
    {
        if (RateLimits.Length > MaxRules || ConnectionLimits.Length > MaxRules)
        {
            return $"a route has at most {MaxRules} limits of a kind";
        }

        return RateLimits.Select(r => r.FindFault())
            .Concat(ConnectionLimits.Select(c => c.FindFault()))
            .FirstOrDefault(fault => fault is not null);
    }

    internal static string? FindFault(string zone, string key, int maxKeys, int status)
    {
        if (maxKeys is < 1 or > 8_388_608)
        {
            return $"limit \"{zone}\": keys are 1 to 8388608, not {maxKeys}";
        }

        if (status is < 400 or > 599)
        {
            return $"limit \"{zone}\": a status is 400 to 599, not {status}";
        }

        try
        {
            Template.Parse(key);
            return null;
        }
        catch (FormatException exception)
        {
            return $"limit \"{zone}\": {exception.Message}";
        }
    }
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

    /// <summary>0.001 to 1,000,000, in steps of 0.001.</summary>
    public required double RequestsPerSecond { get; init; }

    /// <summary>
    /// Requests beyond the rate that are taken; more are refused. 0 to 268,000.
    /// </summary>
    public int Burst { get; init; }

    /// <summary>
    /// Of the burst, those that are not delayed; <see cref="int.MaxValue"/> is nginx's nodelay.
    /// </summary>
    public int BurstWithoutDelay { get; init; }

    /// <summary>429 or 503, or any other from 400 to 599.</summary>
    public int Status { get; init; } = 429;

    /// <summary>
    /// Of the line about a request that is refused; one that is delayed weighs a level less:
    /// nginx's limit_req_log_level.
    /// </summary>
    public ErrorLevel LogLevel { get; init; } = ErrorLevel.Error;

    /// <summary>Counts, and lets everything pass: nginx's limit_req_dry_run.</summary>
    public bool IsDryRun { get; init; }

    /// <summary>
    /// About so many keys are kept, in 32 bytes each; the one not used for longest goes first.
    /// </summary>
    public int MaxKeys { get; init; } = 65_536;

    internal string? FindFault() =>
        RequestsPerSecond is not (>= 0.001 and <= 1_000_000)
            ? $"limit \"{Zone}\": a rate is 0.001 to 1000000 requests a second"
        : Burst is < 0 or > RateZone.MaxBurst
            ? $"limit \"{Zone}\": a burst is 0 to {RateZone.MaxBurst}, not {Burst}"
        : BurstWithoutDelay < 0
            ? $"limit \"{Zone}\": a burst without delay is 0 or more, not {BurstWithoutDelay}"
        : FlowConfig.FindFault(Zone, Key, MaxKeys, Status);
}

/// <summary>Requests of one key at once, as nginx's limit_conn.</summary>
public sealed record ConnectionLimitConfig
{
    public required string Zone { get; init; }

    public string Key { get; init; } = "$remote_addr";

    /// <summary>1 to 1,048,575.</summary>
    public required int Max { get; init; }

    public int Status { get; init; } = 503;

    /// <summary>
    /// Of the line about a request that is refused: nginx's limit_conn_log_level.
    /// </summary>
    public ErrorLevel LogLevel { get; init; } = ErrorLevel.Error;

    /// <summary>Counts, and lets everything pass: nginx's limit_conn_dry_run.</summary>
    public bool IsDryRun { get; init; }

    /// <summary>
    /// About so many keys at once, in 16 bytes each; beyond, requests of new keys are refused.
    /// </summary>
    public int MaxKeys { get; init; } = 65_536;

    internal string? FindFault() =>
        Max is < 1 or > ConnectionZone.MaxCount
            ? $"limit \"{Zone}\": requests at once are 1 to {ConnectionZone.MaxCount}, not {Max}"
        : FlowConfig.FindFault(Zone, Key, MaxKeys, Status);
}
