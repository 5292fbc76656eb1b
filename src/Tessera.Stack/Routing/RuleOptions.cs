using System.Collections.Immutable;

namespace Tessera.Stack.Routing;

/// <summary>
/// Who may use a route. What <see cref="Deny"/> names is refused; where <see cref="Allow"/> names
/// anything, so is all that it does not name.
/// </summary>
public sealed record AccessOptions
{
    /// <summary>Networks in CIDR form, addresses, or <c>all</c>.</summary>
    public ImmutableArray<string> Allow { get; init; } = [];

    public ImmutableArray<string> Deny { get; init; } = [];

    public BasicAuthOptions? BasicAuth { get; init; }

    /// <summary>Either the address or the password is enough.</summary>
    public bool IsAnyEnough { get; init; }
}

/// <param name="Users">Lines as in an htpasswd file.</param>
public sealed record BasicAuthOptions(string Realm, ImmutableArray<string> Users);

/// <summary>How much of a route may be used.</summary>
public sealed record LimitOptions
{
    public ImmutableArray<RateOptions> Rates { get; init; } = [];

    public ImmutableArray<ConnectionOptions> Connections { get; init; } = [];

    /// <summary>Bytes a second to one client's request; 0 sets no limit.</summary>
    public long Bandwidth { get; init; }

    /// <summary>Bytes of a response before <see cref="Bandwidth"/> holds.</summary>
    public long BandwidthAfter { get; init; }

    /// <summary>Largest request body in bytes; 0 sets no limit.</summary>
    public long MaxBodyBytes { get; init; }
}

/// <param name="Key">A text with variables.</param>
/// <param name="Delay">
/// Of the burst, those that are not delayed; null delays none of it.
/// </param>
public sealed record RateOptions(
    string Key, double RequestsPerSecond, int Burst, int? Delay, int Status);

/// <param name="Key">A text with variables.</param>
public sealed record ConnectionOptions(string Key, int Max, int Status);

/// <summary>A folder whose files are the answers.</summary>
public sealed record FilesOptions
{
    /// <summary>Absolute.</summary>
    public required string Root { get; init; }

    public string? StripPrefix { get; init; }

    public ImmutableArray<string> Index { get; init; } = ["index.html"];

    public ImmutableArray<string> TryFiles { get; init; } = [];

    /// <summary>Media type by extension without dot.</summary>
    public ImmutableSortedDictionary<string, string> Types { get; init; } =
        ImmutableSortedDictionary<string, string>.Empty;

    public string? DefaultType { get; init; }

    public bool IsPrecompressed { get; init; }

    public bool FollowsLinks { get; init; }

    public bool ListsFolders { get; init; }

    public string? CacheControl { get; init; }
}

/// <summary>Compression of responses; what is not set has the balancer's default.</summary>
public sealed record CompressionOptions
{
    /// <summary>False takes the service's compression away from one route.</summary>
    public bool IsOn { get; init; } = true;

    public bool UsesGzip { get; init; } = true;

    public bool UsesBrotli { get; init; } = true;

    /// <summary>Empty for the default.</summary>
    public ImmutableArray<string> Types { get; init; } = [];

    public int MinBytes { get; init; } = 256;

    /// <summary>1 (fast) to 9 (small).</summary>
    public int Level { get; init; } = 5;
}

/// <param name="IsOn">False writes none.</param>
/// <param name="Format"><c>combined</c>, <c>json</c>, or a text with variables.</param>
public sealed record AccessLogOptions(bool IsOn = true, string Format = "combined");
