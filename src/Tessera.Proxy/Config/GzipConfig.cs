using System.Collections.Immutable;

namespace Tessera.Proxy;

/// <summary>Answers to requests that came through another proxy: nginx's gzip_proxied.</summary>
[Flags]
public enum ProxiedAnswers
{
    None = 0,
    Expired = 1,
    NoCache = 2,
    NoStore = 4,
    Private = 8,
    NoLastModified = 16,
    NoETag = 32,
    Authorized = 64,
    Any = 128,
}

/// <summary>Compresses answers as nginx's gzip module does.</summary>
public sealed record GzipConfig
{
    /// <summary>False compresses nothing, but says what precompressed files vary by.</summary>
    public bool IsOn { get; init; }

    /// <summary>
    /// What comes compressed is decompressed for whoever does not take it so: nginx's gunzip.
    /// </summary>
    public bool Inflates { get; init; }

    /// <summary>Whole media types; * is any. text/html is always among them.</summary>
    public ImmutableArray<string> Types { get; init; } = ["text/html"];

    /// <summary>Shorter answers of known length are left as they are.</summary>
    public long MinBytes { get; init; } = 20;

    /// <summary>1 (fast) to 9 (small).</summary>
    public int Level { get; init; } = 1;

    /// <summary>Of HTTP/1.x, below which nothing is compressed: 0 or 1.</summary>
    public int MinMinorVersion { get; init; } = 1;

    public ProxiedAnswers Proxied { get; init; }

    /// <summary>Says Vary: Accept-Encoding: nginx's gzip_vary.</summary>
    public bool SaysVary { get; init; }

    /// <summary>
    /// Clients whose User-Agent one of these expressions fits get no compression.
    /// </summary>
    public ImmutableArray<string> DisabledAgents { get; init; } = [];
}

/// <summary>Replaces texts in bodies: nginx's sub_filter.</summary>
public sealed record SubstitutionConfig
{
    /// <summary>
    /// What is looked for, whatever its letters' case, and what stands there then.
    /// </summary>
    public required ImmutableArray<SubstitutionPair> Pairs { get; init; }

    /// <summary>Each is replaced once.</summary>
    public bool IsOnce { get; init; } = true;

    /// <summary>Whole media types; * is any. text/html is always among them.</summary>
    public ImmutableArray<string> Types { get; init; } = ["text/html"];

    /// <summary>Last-Modified and a weak ETag stay.</summary>
    public bool KeepsLastModified { get; init; }
}

/// <param name="Text">A text with variables; not empty.</param>
/// <param name="Replacement">A text with variables.</param>
public sealed record SubstitutionPair(string Text, string Replacement);
