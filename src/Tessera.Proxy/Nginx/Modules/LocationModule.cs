using System.Collections.Immutable;

namespace Tessera.Proxy.Nginx;

/// <summary>
/// Locations: their paths, what is within them, and what they do, which each module adds to.
/// Stateless.
/// </summary>
internal static class LocationModule
{
    /// <summary>Methods that limit_except knows.</summary>
    private static readonly string[] Methods =
    [
        "GET", "HEAD", "POST", "PUT", "DELETE", "MKCOL", "COPY", "MOVE", "OPTIONS", "PROPFIND",
        "PROPPATCH", "LOCK", "UNLOCK", "PATCH",
    ];

    /// <summary>What each module makes of a location, in this order.</summary>
    private static readonly Func<NginxScope, RouteConfig, HttpReading, RouteConfig>[] Parts =
    [
        LogModule.Apply,
        RealIpModule.Apply,
        AccessModule.Apply,
        LinkModule.Apply,
        BrowserModule.Apply,
        AnswerModule.Apply,
        CharsetModule.Apply,
        ClientModule.Apply,
        GzipModule.Apply,
        LimitModule.Apply,
        RedirectionModule.Apply,
        ContentModule.Apply,
        StatusModule.Apply,
    ];

    public static DirectiveRule[] Directives { get; } =
    [
        new("location", NginxContext.Server | NginxContext.Location, 1, 2)
        {
            Block = NginxContext.Location, MayRepeat = true,
        },
        new("internal", NginxContext.Location, 0, 0),
        new("limit_except", NginxContext.Location, 1, -1) { Block = NginxContext.LimitExcept },
    ];

    /// <summary>The locations of a server or of a location.</summary>
    /// <exception cref="NginxConfigException">Two have the same path.</exception>
    public static ImmutableArray<RouteConfig> ReadAll(
        NginxScope scope, PathMatch? outer, HttpReading reading)
    {
        var known = new HashSet<(bool IsExact, string Text)>();
        var locations = ImmutableArray.CreateBuilder<RouteConfig>();
        foreach (NginxDirective directive in scope.AllHere("location"))
        {
            PathMatch path = ReadPath(directive, reading);
            CheckPlace(directive, path, outer);
            bool isExpression = path.Kind is PathMatchKind.Regex or PathMatchKind.RegexIgnoreCase;
            bool mayRepeat = isExpression || path.Kind == PathMatchKind.Named;
            if (!mayRepeat && !known.Add((path.Kind == PathMatchKind.Exact, path.Text)))
            {
                throw directive.Error($"duplicate location \"{path.Text}\"");
            }

            locations.Add(ReadRoute(
                scope.Within(directive, NginxContext.Location, path), path, reading));
        }

        return locations.ToImmutable();
    }

    /// <summary>
    /// Throws what is wrong with what the http block says for all servers, whether or not one uses
    /// it.
    /// </summary>
    public static void CheckOutermost(NginxScope http, HttpReading reading)
    {
        var route = new RouteConfig
        {
            Path = new PathMatch(PathMatchKind.Prefix, ""),
            Location = new LocationConfig(),
        };
        LogModule.CheckHere(http, reading.Files);
        foreach (Func<NginxScope, RouteConfig, HttpReading, RouteConfig> apply in Parts.Skip(1))
        {
            route = apply(http, route, reading);
        }
    }

    /// <summary>
    /// What holds in one block: a location, an if or a limit_except in it, or a server where no
    /// location is.
    /// </summary>
    public static RouteConfig ReadRoute(NginxScope scope, PathMatch path, HttpReading reading)
    {
        bool isLocation = scope.Context == NginxContext.Location;
        var route = new RouteConfig
        {
            Path = path,
            Location = new LocationConfig
            {
                Nested = isLocation ? ReadAll(scope, path, reading) : [],
                Script = isLocation
                    ? RewriteModule.ReadScript(
                        scope, reading, inner => ReadRoute(inner, path, reading))
                    : [],
                IsInternal = scope.Find("internal") is not null,
                WarnsOfUnset = scope.Flag("uninitialized_variable_warn", true),
                AppendsSlash = isLocation && path.Text.EndsWith('/')
                    && scope.FindHere("proxy_pass") is not null,
                MethodLimit = scope.FindHere("limit_except") is { } limit
                    ? ReadMethodLimit(scope, limit, path, reading)
                    : null,
            },
        };
        return Parts.Aggregate(route, (made, apply) => apply(scope, made, reading));
    }

    private static MethodLimitConfig ReadMethodLimit(
        NginxScope scope, NginxDirective limit, PathMatch path, HttpReading reading)
    {
        string? unknown = limit.Arguments.FirstOrDefault(
            name => !Methods.Contains(name, StringComparer.OrdinalIgnoreCase));
        if (unknown is not null)
        {
            throw limit.Error($"invalid method \"{unknown}\"");
        }

        IEnumerable<string> methods = limit.Arguments.Select(name => name.ToUpperInvariant());
        return new MethodLimitConfig(
            [.. limit.Arguments.Contains("GET", StringComparer.OrdinalIgnoreCase)
                ? methods.Append("HEAD")
                : methods],
            ReadRoute(scope.Within(limit, NginxContext.LimitExcept), path, reading));
    }

    private static PathMatch ReadPath(NginxDirective location, HttpReading reading)
    {
        (string modifier, string text) = location.Arguments is [var first, var second]
            ? (first, second)
            : SplitModifier(location.Value);
        PathMatchKind kind = modifier switch
        {
            "" when text.StartsWith('@') => PathMatchKind.Named,
            "" => PathMatchKind.Prefix,
            "=" => PathMatchKind.Exact,
            "^~" => PathMatchKind.PrefixBeforeRegex,
            "~" => PathMatchKind.Regex,
            "~*" => PathMatchKind.RegexIgnoreCase,
            _ => throw location.Error($"invalid location modifier \"{modifier}\""),
        };
        if (kind is PathMatchKind.Regex or PathMatchKind.RegexIgnoreCase)
        {
            reading.Variables.CheckExpression(location, text);
        }

        return new PathMatch(kind, text);
    }

    /// <summary>One word may be both: <c>=/path</c>.</summary>
    private static (string Modifier, string Text) SplitModifier(string word)
    {
        int length = word.StartsWith("^~", StringComparison.Ordinal)
            || word.StartsWith("~*", StringComparison.Ordinal) ? 2
            : word.StartsWith('=') || word.StartsWith('~') ? 1
            : 0;
        return (word[..length], word[length..]);
    }

    private static void CheckPlace(NginxDirective location, PathMatch path, PathMatch? outer)
    {
        if (outer is null)
        {
            return;
        }

        if (outer.Kind is PathMatchKind.Exact or PathMatchKind.Named)
        {
            string kind = outer.Kind == PathMatchKind.Exact ? "exact" : "named";
            throw location.Error(
                $"location \"{path.Text}\" cannot be inside the {kind} location \"{outer.Text}\"");
        }

        if (path.Kind == PathMatchKind.Named)
        {
            throw location.Error(
                $"named location \"{path.Text}\" can be on the server level only");
        }

        bool isExpression = path.Kind is PathMatchKind.Regex or PathMatchKind.RegexIgnoreCase;
        if (!isExpression && !path.Text.StartsWith(outer.Text, StringComparison.Ordinal))
        {
            throw location.Error(
                $"location \"{path.Text}\" is outside location \"{outer.Text}\"");
        }
    }
}
