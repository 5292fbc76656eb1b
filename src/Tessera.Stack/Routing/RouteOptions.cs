using System.Collections.Immutable;

namespace Tessera.Stack.Routing;

/// <summary>How a path is compared; nginx's kinds of locations, and whole segments.</summary>
public enum RoutePathKind
{
    /// <summary><c>/api</c>: itself and what lies below it.</summary>
    Segments,

    /// <summary><c>/api*</c>: whatever begins with it.</summary>
    Prefix,

    /// <summary><c>^~ /api</c>: as <see cref="Prefix"/>, and expressions are not asked.</summary>
    PrefixFirst,

    /// <summary><c>= /api</c>: nothing else.</summary>
    Exact,

    /// <summary><c>~ ^/api/</c>: a regular expression.</summary>
    Pattern,

    /// <summary><c>~* ^/api/</c>: the same without regard to letter case.</summary>
    PatternIgnoreCase,
}

/// <param name="Text">Without the sign that tells the kind.</param>
public sealed record RoutePath(RoutePathKind Kind, string Text)
{
    public static RoutePath Any { get; } = new(RoutePathKind.Segments, "/");

    /// <summary>As it is written in a file.</summary>
    public override string ToString() => Kind switch
    {
        RoutePathKind.Prefix => Text + "*",
        RoutePathKind.PrefixFirst => "^~ " + Text,
        RoutePathKind.Exact => "= " + Text,
        RoutePathKind.Pattern => "~ " + Text,
        RoutePathKind.PatternIgnoreCase => "~* " + Text,
        _ => Text,
    };
}

/// <summary>
/// A header field or query parameter that must be there; equal to <see cref="Value"/> or matching
/// <see cref="Pattern"/> where one is given.
/// </summary>
public sealed record RouteCondition(string Name, string? Value = null, string? Pattern = null);

/// <summary>One way to a service: which requests, and what is done with them.</summary>
public sealed record RouteOptions
{
    /// <summary>
    /// Everything that comes to the service's port: what a service without routes has.
    /// </summary>
    public static RouteOptions Everything { get; } = new();

    /// <summary>Empty for a service without routes.</summary>
    public string Name { get; init; } = "";

    /// <summary>
    /// Lower case; exact, <c>*.example.com</c> or <c>www.example.*</c>. Empty for every host.
    /// </summary>
    public ImmutableArray<string> Hosts { get; init; } = [];

    public RoutePath Path { get; init; } = RoutePath.Any;

    /// <summary>Upper case; empty for all.</summary>
    public ImmutableArray<string> Methods { get; init; } = [];

    public ImmutableArray<RouteCondition> Headers { get; init; } = [];

    public ImmutableArray<RouteCondition> Query { get; init; } = [];

    /// <summary>Target port; null is the service's first.</summary>
    public int? Port { get; init; }

    /// <summary>
    /// The backend that it leads to together with routes of other services that name it too; see
    /// <see cref="SharedBackend"/>. Null leads to its own service alone, as does a name that no
    /// other service has.
    /// </summary>
    public string? Backend { get; init; }

    public RouteRules Rules { get; init; } = RouteRules.None;
}

/// <summary>
/// What is done with requests. On a route, null leaves the service's own rule in force.
/// </summary>
public sealed record RouteRules
{
    public static RouteRules None { get; } = new();

    public RedirectOptions? Redirect { get; init; }

    public ReplyOptions? Reply { get; init; }

    public FilesOptions? Files { get; init; }

    public RewriteOptions? Rewrite { get; init; }

    public HeaderOptions? Headers { get; init; }

    public AccessOptions? Access { get; init; }

    public LimitOptions? Limits { get; init; }

    public CompressionOptions? Compression { get; init; }

    public RetryOptions? Retry { get; init; }

    /// <summary>These four in the place of the service's; null leaves each.</summary>
    public TimeSpan? ConnectTimeout { get; init; }

    public TimeSpan? ReadTimeout { get; init; }

    public TimeSpan? SendTimeout { get; init; }

    public TimeSpan? TunnelTimeout { get; init; }

    /// <summary>Answers without any instance.</summary>
    public bool Answers => Redirect is not null || Reply is not null || Files is not null;

    /// <summary>These rules, and <paramref name="others"/> where they say nothing.</summary>
    public RouteRules Over(RouteRules others)
    {
        // One action: a route that answers by itself takes none of the service's.
        RouteRules action = Answers ? this : others;
        return new RouteRules
        {
            Redirect = action.Redirect,
            Reply = action.Reply,
            Files = action.Files,
            Rewrite = Rewrite ?? others.Rewrite,
            Headers = Headers ?? others.Headers,
            Access = Access ?? others.Access,
            Limits = Limits ?? others.Limits,
            Compression = Compression ?? others.Compression,
            Retry = Retry ?? others.Retry,
            ConnectTimeout = ConnectTimeout ?? others.ConnectTimeout,
            ReadTimeout = ReadTimeout ?? others.ReadTimeout,
            SendTimeout = SendTimeout ?? others.SendTimeout,
            TunnelTimeout = TunnelTimeout ?? others.TunnelTimeout,
        };
    }
}

/// <param name="To">A text with variables, and $1 … of the path's expression.</param>
/// <param name="Status">301, 302, 303, 307 or 308.</param>
public sealed record RedirectOptions(string To, int Status = 302);

/// <param name="Body">A text with variables.</param>
public sealed record ReplyOptions(int Status, string Body, string? ContentType);

/// <summary>What the path becomes on its way to an instance, in the order of the keys.</summary>
public sealed record RewriteOptions(
    string? StripPrefix, string? Pattern, string Replacement, string? AddPrefix);

/// <summary>Header fields; an empty value takes the field away.</summary>
public sealed record HeaderOptions
{
    /// <summary>Set on requests to instances.</summary>
    public ImmutableArray<HeaderLine> Request { get; init; } = [];

    /// <summary>Set on responses in the place of what the instance sent.</summary>
    public ImmutableArray<HeaderLine> Response { get; init; } = [];

    /// <summary>Added to responses.</summary>
    public ImmutableArray<HeaderLine> Add { get; init; } = [];
}

/// <param name="Value">A text with variables.</param>
public sealed record HeaderLine(string Name, string Value);
