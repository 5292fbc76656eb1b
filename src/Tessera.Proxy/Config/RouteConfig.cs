using System.Collections.Immutable;

namespace Tessera.Proxy;

/// <summary>How a path is compared.</summary>
public enum PathMatchKind
{
    /// <summary>Whole segments: /api matches /api and /api/x, not /apis.</summary>
    SegmentPrefix,

    /// <summary>Whatever begins with the text, as nginx's prefix locations.</summary>
    Prefix,

    /// <summary>As <see cref="Prefix"/>, and no expression is looked at: nginx's ^~.</summary>
    PrefixBeforeRegex,

    /// <summary>The whole path: nginx's =.</summary>
    Exact,

    /// <summary>A regular expression, the first that matches: nginx's ~.</summary>
    Regex,

    /// <summary>The same without regard to letter case: nginx's ~*.</summary>
    RegexIgnoreCase,

    /// <summary>No path leads here, only the proxy itself does: nginx's @name.</summary>
    Named,
}

/// <param name="Text">
/// Compared with the path after percent-decoding, with dot segments and repeated slashes resolved.
/// </param>
public sealed record PathMatch(PathMatchKind Kind, string Text)
{
    /// <summary>Matches every path.</summary>
    public static PathMatch Any { get; } = new(PathMatchKind.SegmentPrefix, "/");

    public static PathMatch Below(string prefix) => new(PathMatchKind.SegmentPrefix, prefix);
}

/// <summary>
/// A header field or a query parameter that must be there; with <see cref="Value"/> it must be
/// equal to it, with <see cref="Pattern"/> it must match the regular expression.
/// </summary>
public sealed record ValueMatch(string Name, string? Value = null, string? Pattern = null);

/// <summary>
/// Requests that match get the route's one action: <see cref="Backend"/>, <see cref="Redirect"/>,
/// <see cref="Reply"/> or <see cref="Files"/>. Among routes of a listener the one with the most
/// specific host wins (exact, longest leading wildcard, longest trailing wildcard, none), then
/// nginx's order of paths (exact, then the longest prefix, unless an expression matches), then the
/// one with more conditions.
/// </summary>
public sealed record RouteConfig
{
    /// <summary>For logs and metrics; empty names it by its host and path.</summary>
    public string Name { get; init; } = "";

    /// <summary>
    /// Host name without port: exact, <c>*.example.com</c>, <c>www.example.*</c>, or null for all.
    /// </summary>
    public string? Host { get; init; }

    public PathMatch Path { get; init; } = PathMatch.Any;

    /// <summary>Empty for every method.</summary>
    public ImmutableArray<string> Methods { get; init; } = [];

    /// <summary>All of them must hold.</summary>
    public ImmutableArray<ValueMatch> Headers { get; init; } = [];

    /// <summary>All of them must hold.</summary>
    public ImmutableArray<ValueMatch> Query { get; init; } = [];

    /// <summary><see cref="BackendConfig.Name"/> of the backend that answers.</summary>
    public string? Backend { get; init; }

    public RedirectConfig? Redirect { get; init; }

    public ReplyConfig? Reply { get; init; }

    public FilesConfig? Files { get; init; }

    /// <summary>
    /// How requests are made anew for <see cref="Backend"/>; null passes them as they are.
    /// </summary>
    public ProxyPassConfig? Pass { get; init; }

    /// <summary>What the path becomes before it goes to the backend; null leaves it.</summary>
    public RewriteConfig? Rewrite { get; init; }

    /// <summary>Instead of the backend's; null leaves them.</summary>
    public BackendLimits? Limits { get; init; }

    /// <summary>Instead of the backend's; null leaves it.</summary>
    public RetryConfig? Retry { get; init; }

    /// <summary>Who may use the route; null lets everyone.</summary>
    public AccessConfig? Access { get; init; }

    /// <summary>How much of it may be used; null sets no limit.</summary>
    public FlowConfig? Flow { get; init; }

    /// <summary>
    /// Header fields set on requests to the backend, in place of those the client sent; an empty
    /// value removes the field. Values may have variables.
    /// </summary>
    public ImmutableArray<FieldConfig> RequestHeaders { get; init; } = [];

    /// <summary>
    /// Header fields added to responses; an empty value removes the field that the backend sent.
    /// </summary>
    public ImmutableArray<FieldConfig> ResponseHeaders { get; init; } = [];

    /// <summary>Compresses responses on the way; null leaves them as they are.</summary>
    public CompressionConfig? Compression { get; init; }

    /// <summary>Instead of the listener's; default leaves them, empty writes nothing.</summary>
    public ImmutableArray<AccessLogConfig> AccessLogs { get; init; }

    /// <summary>Instead of the configuration's; default leaves them.</summary>
    public ImmutableArray<ErrorLogConfig> ErrorLogs { get; init; }

    /// <summary>A file that does not exist is an error; nginx's log_not_found.</summary>
    public bool TellsMissingFiles { get; init; } = true;

    /// <summary>
    /// Of a TCP listener's route; null passes bytes through and does nothing else.
    /// </summary>
    public StreamConfig? Stream { get; init; }

    /// <summary>Answers from files as nginx does; null where something else answers.</summary>
    public DocumentsConfig? Documents { get; init; }

    /// <summary>How answers look; null answers in plain words.</summary>
    public AnswerConfig? Answers { get; init; }

    /// <summary>Compresses answers as nginx does; null leaves them.</summary>
    public GzipConfig? Gzip { get; init; }

    /// <summary>Replaces texts in answers; null leaves them.</summary>
    public SubstitutionConfig? Substitution { get; init; }

    /// <summary>How clients are waited for; null takes <see cref="ProxyOptions"/>.</summary>
    public ClientConfig? Client { get; init; }

    /// <summary>Null for a route that is no location of a <see cref="ServerConfig"/>.</summary>
    public LocationConfig? Location { get; init; }
}

/// <param name="Value">A text with variables.</param>
/// <param name="Always">Also on responses that are errors, as nginx's add_header … always.</param>
public sealed record FieldConfig(string Name, string Value, bool Always = true);

/// <summary>Sends the client elsewhere.</summary>
/// <param name="Location">A text with variables, and $1 … of the path's expression.</param>
/// <param name="Status">301, 302, 303, 307 or 308.</param>
public sealed record RedirectConfig(string Location, int Status = 302);

/// <summary>An answer of the proxy itself.</summary>
/// <param name="Status">200 to 599.</param>
/// <param name="Body">A text with variables.</param>
public sealed record ReplyConfig(
    int Status, string Body = "", string ContentType = "text/plain; charset=utf-8")
{
    /// <summary>Other methods than GET and HEAD get 405.</summary>
    public bool IsForReading { get; init; }

    /// <summary>When it was changed, in seconds since 1970; -1 says nothing of it.</summary>
    public long ModifiedSeconds { get; init; } = -1;

    /// <summary>Stand in the place of <see cref="Body"/> as they are; default for a text.</summary>
    public ImmutableArray<byte> Bytes { get; init; }
}

/// <summary>Changes the path on its way to the backend, in the order of the properties.</summary>
public sealed record RewriteConfig
{
    /// <summary>Taken away from the front, in whole segments.</summary>
    public string? StripPrefix { get; init; }

    /// <summary>Replaced by <see cref="Replacement"/> where it matches.</summary>
    public string? Pattern { get; init; }

    /// <summary>With $1 … for the groups of <see cref="Pattern"/>.</summary>
    public string Replacement { get; init; } = "";

    /// <summary>Put before the path.</summary>
    public string? AddPrefix { get; init; }
}
