using System.Collections.Immutable;

namespace Tessera.Proxy;

/// <summary>
/// One of several servers at an address: nginx's server block. The request's host decides which
/// serves it, before any path is looked at.
/// </summary>
public sealed record ServerConfig
{
    /// <summary>
    /// Exact, <c>*.example.com</c>, <c>www.example.*</c>, <c>.example.com</c>, a regular expression
    /// behind <c>~</c>, or "" for requests without a host. The first is the server's own name.
    /// </summary>
    public ImmutableArray<string> Names { get; init; } = [""];

    /// <summary>Serves hosts that no name fits; else the first server does.</summary>
    public bool IsDefault { get; init; }

    /// <summary>Repeated slashes of a path count as one: nginx's merge_slashes.</summary>
    public bool MergesSlashes { get; init; } = true;

    /// <summary>Run before a location is looked for.</summary>
    public ImmutableArray<ScriptStep> Script { get; init; } = [];

    /// <summary>The locations, in the order in which they were written.</summary>
    public ImmutableArray<RouteConfig> Locations { get; init; } = [];

    /// <summary>What holds where no location does.</summary>
    public required RouteConfig Fallback { get; init; }
}

/// <summary>What the parts of a route add when it is a location of nginx's kind.</summary>
public sealed record LocationConfig
{
    public static LocationConfig Plain { get; } = new();

    /// <summary>Locations that are looked for among the paths of this one.</summary>
    public ImmutableArray<RouteConfig> Nested { get; init; } = [];

    /// <summary>Run once the location is found: nginx's rewrite module.</summary>
    public ImmutableArray<ScriptStep> Script { get; init; } = [];

    /// <summary>Clients get 404; only what was sent here by the proxy itself is served.</summary>
    public bool IsInternal { get; init; }

    /// <summary>A variable asked for before it was set is worth a line in the log.</summary>
    public bool WarnsOfUnset { get; init; }

    /// <summary>A path that lacks the location's last slash is sent there with 301.</summary>
    public bool AppendsSlash { get; init; }

    /// <summary>What is served instead of errors; null leaves them.</summary>
    public ErrorPagesConfig? ErrorPages { get; init; }

    /// <summary>Files that are looked for before the content; null looks for none.</summary>
    public TryFilesConfig? TryFiles { get; init; }

    /// <summary>Where files are, for variables and for whatever looks for them.</summary>
    public DocumentRootConfig? Root { get; init; }

    /// <summary>Other settings for other methods than those named; null treats all alike.</summary>
    public MethodLimitConfig? MethodLimit { get; init; }

    /// <summary>A path that is asked whether the request may pass; null asks none.</summary>
    public AuthRequestConfig? AuthRequest { get; init; }

    /// <summary>Whom referers may name; null leaves <c>$invalid_referer</c> empty.</summary>
    public RefererConfig? Referers { get; init; }

    /// <summary>What <c>$modern_browser</c> and <c>$ancient_browser</c> go by.</summary>
    public BrowserConfig? Browsers { get; init; }

    /// <summary>How links are proven; null leaves <c>$secure_link</c> empty.</summary>
    public SecureLinkConfig? SecureLink { get; init; }

    /// <summary>Whose word on the client's address counts; null takes nobody's.</summary>
    public RealIpConfig? RealIp { get; init; }
}

/// <summary>Where the files of a location are.</summary>
/// <param name="Path">A text with variables; absolute.</param>
/// <param name="Alias">
/// The location's own text when <paramref name="Path"/> stands in its place (nginx's alias), "" in
/// a location that is an expression; null for a root, behind which the whole path comes.
/// </param>
public sealed record DocumentRootConfig(string Path, string? Alias = null)
{
    /// <summary>Null follows links wherever they lead to.</summary>
    public LinkCheckConfig? Links { get; init; }
}

/// <summary>Symbolic links are not followed: nginx's disable_symlinks.</summary>
/// <param name="FollowsOwners">
/// But for those that belong to whom what they lead to belongs.
/// </param>
/// <param name="From">
/// A text with variables: of a path that begins with it, only what is behind is looked at. Null
/// looks at all of it.
/// </param>
public sealed record LinkCheckConfig(bool FollowsOwners, string? From);

/// <summary>nginx's try_files.</summary>
/// <param name="Paths">Texts with variables; one that ends with "/" looks for a folder.</param>
/// <param name="Fallback">A URI or the name of a location, as a text with variables.</param>
/// <param name="Status">Answered in place of <paramref name="Fallback"/> when not 0.</param>
public sealed record TryFilesConfig(
    ImmutableArray<string> Paths, string Fallback, int Status = 0);

/// <summary>nginx's error_page.</summary>
/// <param name="IsRecursive">Errors of what is served instead have pages of their own.</param>
public sealed record ErrorPagesConfig(
    ImmutableArray<ErrorPage> Pages, bool IsRecursive = false);

/// <param name="Status">300 to 599.</param>
/// <param name="Target">
/// A path, the name of a location, or a URL to redirect to; a text with variables.
/// </param>
/// <param name="NewStatus">-1 keeps the status; 0 leaves it to the target.</param>
public sealed record ErrorPage(int Status, string Target, int NewStatus = -1);

/// <summary>nginx's limit_except.</summary>
/// <param name="Methods">To which the location's own settings apply.</param>
/// <param name="Others">For the other methods.</param>
public sealed record MethodLimitConfig(ImmutableArray<string> Methods, RouteConfig Others);

/// <summary>nginx's auth_request.</summary>
/// <param name="Uri">A text with variables.</param>
/// <param name="Variables">Set from its answer, in this order.</param>
/// <param name="IsAlternative">
/// Either it or the address or the password is enough: nginx's satisfy any.
/// </param>
public sealed record AuthRequestConfig(
    string Uri, ImmutableArray<SetStep> Variables, bool IsAlternative = false);

/// <summary>nginx's valid_referers.</summary>
/// <param name="AllowsNone">A request without the field is valid.</param>
/// <param name="AllowsBlocked">So is one whose field lacks http:// and https://.</param>
/// <param name="Names">
/// Hosts, perhaps with "*" at an end and a path behind them; expressions behind "~".
/// </param>
public sealed record RefererConfig(
    bool AllowsNone, bool AllowsBlocked, ImmutableArray<string> Names);

/// <summary>nginx's secure_link and secure_link_md5, or its secure_link_secret.</summary>
/// <param name="Link">A text with variables: hash, and perhaps a comma and a time.</param>
/// <param name="Text">A text with variables, whose MD5 must be the hash.</param>
/// <param name="Secret">Of links with the hash in their path; then the others are empty.</param>
public sealed record SecureLinkConfig(string Link, string Text, string? Secret = null);

/// <summary>nginx's realip module.</summary>
/// <param name="Trusted">Who may name a client.</param>
/// <param name="Field">The header field in lower case, with "_" for "-".</param>
/// <param name="IsRecursive">The last address that is not trusted counts.</param>
public sealed record RealIpConfig(
    ImmutableArray<AddressRule> Trusted, string Field, bool IsRecursive)
{
    /// <summary>
    /// The PROXY protocol's head names the client; <see cref="Field"/> is not looked at.
    /// </summary>
    public bool IsFromProxyProtocol { get; init; }
}
