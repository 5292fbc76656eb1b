using System.Collections.Immutable;

namespace Tessera.Proxy;

/// <summary>Answers from a folder. No path leaves it.</summary>
public sealed record FilesConfig
{
    /// <summary>Absolute.</summary>
    public required string Root { get; init; }

    /// <summary>
    /// Taken off the path before it is looked up below <see cref="Root"/>: nginx's alias.
    /// </summary>
    public string? StripPrefix { get; init; }

    /// <summary>Files that stand for their folder, in order of preference.</summary>
    public ImmutableArray<string> Index { get; init; } = ["index.html"];

    /// <summary>
    /// Paths tried in turn, with variables, as nginx's try_files: <c>$uri</c>, <c>$uri/</c>, then
    /// a path, <c>=404</c>, or <c>@backend</c> for the route's backend. Empty looks up the path.
    /// </summary>
    public ImmutableArray<string> TryFiles { get; init; } = [];

    /// <summary>Media type by extension without dot, over the built-in ones.</summary>
    public ImmutableSortedDictionary<string, string> Types { get; init; } =
        ImmutableSortedDictionary<string, string>.Empty;

    public string DefaultType { get; init; } = "application/octet-stream";

    /// <summary>Sends file.br or file.gz beside a file to who accepts it.</summary>
    public bool IsPrecompressed { get; init; }

    /// <summary>False refuses whatever a symbolic link leads out of the root.</summary>
    public bool MayLeaveByLink { get; init; }

    /// <summary>Lists folders without an index file.</summary>
    public bool ListsFolders { get; init; }

    /// <summary>Value of Cache-Control; null sends none.</summary>
    public string? CacheControl { get; init; }
}

/// <summary>Compresses responses for clients that accept it.</summary>
public sealed record CompressionConfig
{
    public bool UsesGzip { get; init; } = true;

    public bool UsesBrotli { get; init; } = true;

    /// <summary>Media types that are compressed; a trailing * stands for any rest.</summary>
    public ImmutableArray<string> Types { get; init; } =
    [
        "text/*", "application/json", "application/javascript", "application/xml",
        "application/xhtml+xml", "application/rss+xml", "application/atom+xml",
        "application/wasm", "image/svg+xml", "application/manifest+json",
    ];

    /// <summary>Shorter responses are left as they are.</summary>
    public int MinBytes { get; init; } = 256;

    /// <summary>1 (fast) to 9 (small).</summary>
    public int Level { get; init; } = 5;
}
