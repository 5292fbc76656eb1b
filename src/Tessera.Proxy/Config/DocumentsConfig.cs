using System.Collections.Immutable;

namespace Tessera.Proxy;

/// <summary>How a folder without an index file is listed: nginx's autoindex_format.</summary>
public enum ListingFormat
{
    Html,
    Xml,
    Json,

    /// <summary>JSON within a call of the function that the query's callback names.</summary>
    Jsonp,
}

/// <summary>Which files may be sent that are older than the client's: if_modified_since.</summary>
public enum ModifiedSinceRule
{
    /// <summary>The condition is not looked at.</summary>
    Off,

    /// <summary>The client's time must be the file's.</summary>
    Exact,

    /// <summary>The file must not be newer.</summary>
    Before,
}

/// <summary>
/// Answers from files as nginx does it, below the location's <see cref="LocationConfig.Root"/>.
/// Links are followed wherever they lead.
/// </summary>
public sealed record DocumentsConfig
{
    /// <summary>
    /// Texts with variables. One that begins with a slash is a path of the server, and ends the
    /// search.
    /// </summary>
    public ImmutableArray<string> Index { get; init; } = ["index.html"];

    /// <summary>Lists folders without an index file: nginx's autoindex.</summary>
    public bool ListsFolders { get; init; }

    public ListingFormat ListingFormat { get; init; }

    /// <summary>False rounds to K, M and G: autoindex_exact_size.</summary>
    public bool ListsExactSizes { get; init; } = true;

    /// <summary>Times of the machine's zone, else UTC: autoindex_localtime.</summary>
    public bool ListsLocalTimes { get; init; }

    public bool SendsETag { get; init; } = true;

    public ModifiedSinceRule ModifiedSince { get; init; } = ModifiedSinceRule.Exact;

    /// <summary>Ranges of one request; beyond, the whole file is sent. 0 takes none.</summary>
    public int MaxRanges { get; init; } = int.MaxValue;

    /// <summary>file.gz beside a file goes to who accepts it: gzip_static.</summary>
    public bool IsPrecompressed { get; init; }

    /// <summary>file.gz is sent whatever the client accepts: gzip_static always.</summary>
    public bool IsAlwaysPrecompressed { get; init; }
}
