using System.Collections.Immutable;

namespace Tessera.Proxy;

/// <summary>
/// How the answers of the proxy itself look: as nginx's do, with its fields in its order and its
/// pages for errors. A route without it answers in plain words.
/// </summary>
public sealed record AnswerConfig
{
    /// <summary>Value of Server, and the last line of pages; empty leaves both out.</summary>
    public string Server { get; init; } = NginxVersion.Product;

    /// <summary>A Location without host gets the request's: nginx's absolute_redirect.</summary>
    public bool MakesLocationsAbsolute { get; init; } = true;

    /// <summary>Its host is the server's own name, else the client's.</summary>
    public bool UsesServerName { get; init; }

    /// <summary>Such a Location names the listener's port, unless it is the usual one.</summary>
    public bool NamesPort { get; init; } = true;

    /// <summary>Pages for Internet Explorer and its kin are made long enough to be shown.</summary>
    public bool PadsPages { get; init; } = true;

    /// <summary>Internet Explorer gets a page that refreshes in place of a redirect.</summary>
    public bool RefreshesPages { get; init; }

    /// <summary>Media type by extension without dot.</summary>
    public ImmutableSortedDictionary<string, string> Types { get; init; } =
        ImmutableSortedDictionary<string, string>.Empty;

    /// <summary>Of a path without a known extension; empty says none.</summary>
    public string DefaultType { get; init; } = "text/plain";

    /// <summary>A text with variables; null leaves the type without a charset.</summary>
    public string? Charset { get; init; }

    /// <summary>Types that the charset is added to; * is any.</summary>
    public ImmutableArray<string> CharsetTypes { get; init; } =
    [
        "text/html", "text/xml", "text/plain", "text/vnd.wap.wml", "application/javascript",
        "application/rss+xml",
    ];

    /// <summary>
    /// What bodies are in whose type names no charset: a text with variables; null when nobody
    /// knows. They are written in <see cref="Charset"/> where a map tells how.
    /// </summary>
    public string? SourceCharset { get; init; }

    /// <summary>A charset that an endpoint has named does not stay: override_charset.</summary>
    public bool OverridesCharset { get; init; }

    public ImmutableArray<CharsetMapConfig> CharsetMaps { get; init; } = [];

    /// <summary>
    /// When a response expires: epoch, max, off, or a time as
    /// <see cref="ExpiryConfig"/> has it; null says nothing.
    /// </summary>
    public ExpiryConfig? Expiry { get; init; }

    /// <summary>Fields behind a body in chunks: nginx's add_trailer.</summary>
    public ImmutableArray<FieldConfig> Trailers { get; init; } = [];
}

/// <summary>What Expires and Cache-Control are made of: nginx's expires.</summary>
/// <param name="Text">
/// epoch, max, off, a time ("30d", "-1", "@15h30m"), or a text with variables that becomes one.
/// </param>
/// <param name="IsAfterChange">Counted from when the file was changed.</param>
public sealed record ExpiryConfig(string Text, bool IsAfterChange = false);
