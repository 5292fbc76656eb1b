using System.Collections.Immutable;

namespace Tessera.Proxy;

/// <summary>
/// How requests of a route are made anew for its backend and what of the answers passes, by the
/// rules of nginx's proxy module. Null on a route: the request passes as it is.
/// </summary>
public sealed record ProxyPassConfig
{
    /// <summary>$proxy_host: the backend as proxy_pass names it, without a default port.</summary>
    public string Host { get; init; } = "";

    /// <summary>$proxy_port.</summary>
    public string Port { get; init; } = "80";

    /// <summary>
    /// A text with variables that becomes the address, "http://host:port/uri"; null where the
    /// route's backend is known from the beginning.
    /// </summary>
    public string? Url { get; init; }

    /// <summary>
    /// What takes the place of <see cref="Matched"/> in the path; null passes the client's own.
    /// </summary>
    public string? Uri { get; init; }

    /// <summary>The location's prefix, as the file has it.</summary>
    public string Matched { get; init; } = "";

    /// <summary>proxy_http_version 1.1; false is 1.0.</summary>
    public bool UsesHttp11 { get; init; }

    /// <summary>proxy_set_header, in its order; an empty value drops the field.</summary>
    public ImmutableArray<FieldConfig> Fields { get; init; } = [];

    /// <summary>proxy_pass_request_headers.</summary>
    public bool PassesFields { get; init; } = true;

    /// <summary>proxy_pass_request_body.</summary>
    public bool PassesBody { get; init; } = true;

    /// <summary>proxy_method, with variables; null is the client's.</summary>
    public string? Method { get; init; }

    /// <summary>proxy_set_body, with variables; null is the client's.</summary>
    public string? Body { get; init; }

    /// <summary>proxy_request_buffering: the body is here before an endpoint is taken.</summary>
    public bool BuffersRequest { get; init; } = true;

    /// <summary>
    /// proxy_buffering: what a slow client has not taken yet waits here, so that its endpoint need
    /// not.
    /// </summary>
    public bool BuffersReply { get; init; }

    /// <summary>proxy_max_temp_file_size: of an answer that waits; 0 uses memory alone.</summary>
    public long MaxTemporaryBytes { get; init; } = 1_024L * 1_024 * 1_024;

    /// <summary>proxy_temp_path; null lets no answer wait.</summary>
    public TemporaryFolderConfig? TemporaryFolder { get; init; }

    /// <summary>proxy_buffer_size, in bytes: a longer head of an answer is 502.</summary>
    public int MaxHeadBytes { get; init; } = 4_096;

    /// <summary>proxy_hide_header, besides those that are always hidden.</summary>
    public ImmutableArray<string> HiddenFields { get; init; } = [];

    /// <summary>proxy_pass_header: of what is always hidden, what is not.</summary>
    public ImmutableArray<string> ShownFields { get; init; } = [];

    /// <summary>proxy_ignore_headers: they pass and mean nothing here.</summary>
    public ImmutableArray<string> IgnoredFields { get; init; } = [];

    /// <summary>proxy_redirect, the first that fits; of Location and Refresh.</summary>
    public ImmutableArray<TextReplacement> Redirects { get; init; } = [];

    /// <summary>proxy_cookie_domain.</summary>
    public ImmutableArray<TextReplacement> CookieDomains { get; init; } = [];

    /// <summary>proxy_cookie_path.</summary>
    public ImmutableArray<TextReplacement> CookiePaths { get; init; } = [];

    /// <summary>proxy_cookie_flags.</summary>
    public ImmutableArray<CookieFlags> CookieFlags { get; init; } = [];

    /// <summary>proxy_intercept_errors: error_page is asked about 300 and more.</summary>
    public bool InterceptsErrors { get; init; }

    /// <summary>proxy_bind, with variables; null lets the kernel choose.</summary>
    public string? LocalAddress { get; init; }

    /// <summary>proxy_bind … transparent: the address need not be this machine's.</summary>
    public bool IsTransparent { get; init; }

    /// <summary>proxy_socket_keepalive.</summary>
    public bool ProbesIdleSockets { get; init; }

    /// <summary>proxy_limit_rate, bytes a second with variables; null or 0 sets none.</summary>
    public string? BytesPerSecond { get; init; }

    /// <summary>proxy_ignore_client_abort: the answer is awaited though nobody does.</summary>
    public bool OutlastsClient { get; init; }

    /// <summary>proxy_pass_trailers: fields behind chunks reach the client.</summary>
    public bool PassesTrailers { get; init; }

    /// <summary>
    /// early_hints: 103 passes when one of the texts, with variables, is neither empty nor 0.
    /// </summary>
    public ImmutableArray<string> EarlyHints { get; init; } = [];

    /// <summary>Keeps answers as files; null keeps none.</summary>
    public StoreConfig? Store { get; init; }

    /// <summary>Finds addresses of names that <see cref="Url"/> gives; null finds none.</summary>
    public ResolverConfig? Resolver { get; init; }
}

/// <summary>A text in the place of another, the beginning of a value or what a pattern matches.
/// </summary>
/// <param name="Pattern">
/// With variables; after "~" a regular expression, after "~*" one without regard to case.
/// </param>
/// <param name="Replacement">With variables; null leaves what fits as it is.</param>
public sealed record TextReplacement(string Pattern, string? Replacement);

/// <summary>Attributes of cookies that are set or taken away; nginx's proxy_cookie_flags.</summary>
/// <param name="Cookie">The cookie's name; after "~" a regular expression.</param>
/// <param name="Flags">secure, nosecure, samesite=lax and so on, with variables.</param>
public sealed record CookieFlags(string Cookie, ImmutableArray<string> Flags);

/// <summary>Servers of the Domain Name System that are asked for addresses; nginx's resolver.
/// </summary>
public sealed record ResolverConfig
{
    /// <summary>"address:port" of each server.</summary>
    public required ImmutableArray<string> Servers { get; init; }

    /// <summary>How long an answer is good, in milliseconds; 0 as it says itself.</summary>
    public int ValidMs { get; init; }

    /// <summary>resolver_timeout, in milliseconds.</summary>
    public int TimeoutMs { get; init; } = 30_000;

    /// <summary>ipv4=on.</summary>
    public bool AsksIPv4 { get; init; } = true;

    /// <summary>ipv6=on.</summary>
    public bool AsksIPv6 { get; init; } = true;

    /// <summary>The same servers are asked for the same; the time for it may differ.</summary>
    public bool Equals(ResolverConfig? other) => other is not null
        && ValidMs == other.ValidMs && AsksIPv4 == other.AsksIPv4 && AsksIPv6 == other.AsksIPv6
        && Servers.AsSpan().SequenceEqual(other.Servers.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Servers[0], Servers.Length, ValidMs);
}
