using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using Tessera.Stack.Compose.Schema;
using Tessera.Stack.Compose.Yaml;
using Tessera.Stack.Routing;

namespace Tessera.Stack.Compose.Model;

/// <summary>
/// From the canonical keys about requests to <see cref="RouteRules"/>; what is wrong with their
/// values goes to the reader's problems.
/// </summary>
internal static class RuleBinder
{
    /// <summary>Sizes that a limit may have; more is no limit.</summary>
    private const long MaxBytes = 1L << 50;

    private const int MaxReplayBytes = 16 * 1_024 * 1_024;

    private const int MaxCount = 1_000_000_000;
    private const int MaxBurst = 268_000;

    /// <summary>A request gets one of them.</summary>
    private static readonly string[] Actions = ["redirect", "reply", "files"];

    /// <summary>Fields that frame messages and steer connections are the balancer's own.</summary>
    private static readonly string[] OwnFields =
    [
        "connection", "content-length", "expect", "keep-alive", "proxy-connection", "te",
        "trailer", "transfer-encoding", "upgrade",
    ];

    public static RouteRules Bind(OptionReader options)
    {
        var rules = new RouteRules
        {
            Redirect = BindRedirect(options.Section("redirect")),
            Reply = BindReply(options.Section("reply")),
            Files = BindFiles(options.Section("files")),
            Rewrite = BindRewrite(options.Section("rewrite")),
            Headers = BindHeaders(options.Section("headers")),
            Access = BindAccess(options.Section("access")),
            Limits = BindLimits(options.Section("limits")),
            Compression = BindCompression(options.Section("compression")),
            Retry = BindRetry(options.Section("retry")),
            ConnectTimeout = options.Duration("connect_timeout"),
            ReadTimeout = options.Duration("read_timeout"),
            SendTimeout = options.Duration("send_timeout"),
            TunnelTimeout = options.Duration("tunnel_timeout"),
        };
        string[] actions =
            [.. Actions.Where(action => options.Node[action] is MappingNode)];
        if (actions.Length > 1)
        {
            options.Refuse(actions[1], $"and {actions[0]} exclude each other");
        }

        return rules;
    }

    private static RedirectOptions? BindRedirect(OptionReader? options)
    {
        if (options is null)
        {
            return null;
        }

        int status = options.Number("status", 302, 300, 399);
        if (status is not (301 or 302 or 303 or 307 or 308))
        {
            options.Refuse("status", $"must be 301, 302, 303, 307 or 308, not {status}");
        }

        string target = options.Template("to") ?? "";
        if (target.Any(char.IsControl))
        {
            options.Refuse("to", "must be one line without control characters");
        }

        return new RedirectOptions(target, status);
    }

    private static ReplyOptions? BindReply(OptionReader? options) => options is null
        ? null
        : new ReplyOptions(
            options.Number("status", 200, 200, 599),
            options.Template("body") ?? "",
            options.Text("type"));

    private static FilesOptions? BindFiles(OptionReader? options)
    {
        if (options is null)
        {
            return null;
        }

        return new FilesOptions
        {
            Root = options.Text("root") ?? "",
            StripPrefix = Slashed(options, "strip_prefix"),
            Index = options.Words("index", ["index.html"]),
            TryFiles = options.Words("try_files"),
            Types = options.Pairs("types").ToImmutableSortedDictionary(
                pair => pair.Name.TrimStart('.').ToLowerInvariant(), pair => pair.Value,
                StringComparer.Ordinal),
            DefaultType = options.Text("default_type"),
            IsPrecompressed = options.Flag("precompressed", fallback: false),
            FollowsLinks = options.Flag("follow_links", fallback: false),
            ListsFolders = options.Flag("list", fallback: false),
            CacheControl = options.Text("cache_control"),
        };
    }

    private static RewriteOptions? BindRewrite(OptionReader? options)
    {
        if (options is null)
        {
            return null;
        }

        string? pattern = options.Text("pattern");
        if (pattern is not null && PathSyntax.ProblemOf(pattern) is { } problem)
        {
            options.Refuse("pattern", $"is no regular expression: {problem}");
        }

        if (pattern is null && options.Text("replacement") is not null)
        {
            options.Refuse("replacement", "needs a pattern beside it");
        }

        return new RewriteOptions(
            Slashed(options, "strip_prefix"),
            pattern,
            options.Template("replacement") ?? "",
            Slashed(options, "add_prefix"));
    }

    private static HeaderOptions? BindHeaders(OptionReader? options) => options is null
        ? null
        : new HeaderOptions
        {
            Request = BindFields(options, "request"),
            Response = BindFields(options, "response"),
            Add = BindFields(options, "add"),
        };

    private static ImmutableArray<HeaderLine> BindFields(OptionReader options, string key)
    {
        var lines = ImmutableArray.CreateBuilder<HeaderLine>();
        foreach ((string name, string value) in options.Pairs(key))
        {
            if (!IsFieldName(name))
            {
                options.Refuse(key, $"has \"{name}\", which is no name of a header field");
            }
            else if (OwnFields.Contains(name.ToLowerInvariant()))
            {
                options.Refuse(key, $"has {name}, which belongs to the connection: the balancer " +
                    "writes it as the message needs it");
            }
            else if (value.AsSpan().ContainsAny('\r', '\n', '\0'))
            {
                options.Refuse(key, $"has {name} with a line break in its value");
            }
            else if (key == "add" && value.Length == 0)
            {
                options.Refuse(key, $"has {name} without a value; \"response\" takes fields away");
            }

            options.CheckTemplate(key, value);
            lines.Add(new HeaderLine(name, value));
        }

        return lines.ToImmutable();
    }

    private static AccessOptions? BindAccess(OptionReader? options)
    {
        if (options is null)
        {
            return null;
        }

        foreach (string key in (string[])["allow", "deny"])
        {
            foreach (string network in options.Words(key).Where(text => !IsNetwork(text)))
            {
                options.Refuse(key, $"has \"{network}\", which is neither an address, nor a " +
                    "network such as 192.0.2.0/24, nor \"all\"");
            }
        }

        return new AccessOptions
        {
            Allow = options.Words("allow"),
            Deny = options.Words("deny"),
            BasicAuth = BindUsers(options.Section("basic_auth")),
            IsAnyEnough = options.Text("satisfy") == "any",
        };
    }

    /// <summary>
    /// A value that does not begin as a hash does is the password itself.
    /// </summary>
    private static BasicAuthOptions? BindUsers(OptionReader? options)
    {
        if (options is null)
        {
            return null;
        }

        if (options.Pairs("users").Any(user => user.Name.Contains(':')))
        {
            options.Refuse("users", "has a name with a colon, which nobody could log in with");
        }

        ImmutableArray<string> users = [.. options.Pairs("users").Select(user =>
            user.Value.StartsWith('$') || user.Value.StartsWith('{')
                ? $"{user.Name}:{user.Value}"
                : $"{user.Name}:{{PLAIN}}{user.Value}")];
        if (users.IsEmpty && !options.Node.Contains("file"))
        {
            options.Refuse("users", "is missing: without any, nobody could log in");
        }

        return new BasicAuthOptions(options.Text("realm") ?? "restricted", users);
    }

    private static LimitOptions? BindLimits(OptionReader? options) => options is null
        ? null
        : new LimitOptions
        {
            Rates = [.. options.Sections("rate").Select(BindRate)],
            Connections = [.. options.Sections("connections").Select(limit =>
                new ConnectionOptions(
                    limit.Template("key") ?? "$remote_addr",
                    limit.Number("max", 1, 1, MaxCount),
                    limit.Number("status", 503, 400, 599)))],
            Bandwidth = options.Bytes("bandwidth", 0, 0, MaxBytes),
            BandwidthAfter = options.Bytes("bandwidth_after", 0, 0, MaxBytes),
            MaxBodyBytes = options.Bytes("body", 0, 0, MaxBytes),
        };

    private static RateOptions BindRate(OptionReader limit)
    {
        string text = limit.Text("requests") ?? "";
        double? rate = ParseRate(text);
        if (rate is null)
        {
            limit.Refuse("requests", $"must be a rate such as 10/s or 300/m, not \"{text}\"");
        }

        int? delay = limit.Node.Contains("delay") ? limit.Number("delay", 0, 0, MaxCount)
            : limit.Flag("nodelay", fallback: false) ? null
            : 0;
        return new RateOptions(
            limit.Template("key") ?? "$remote_addr",
            rate ?? 1,
            limit.Number("burst", 0, 0, MaxBurst),
            delay,
            limit.Number("status", 429, 400, 599));
    }

    /// <summary>nginx's <c>10r/s</c> too. Null when it is no rate.</summary>
    private static double? ParseRate(string text)
    {
        string[] parts = text.Split('/');
        if (parts.Length > 2 || !double.TryParse(
                parts[0].TrimEnd('r'), NumberStyles.AllowDecimalPoint,
                CultureInfo.InvariantCulture, out double count)
            || count is <= 0 or > MaxCount)
        {
            return null;
        }

        return (parts.Length == 1 ? "s" : parts[1]) switch
        {
            "s" => count,
            "m" => count / 60,
            "h" => count / 3_600,
            _ => null,
        };
    }

    private static CompressionOptions? BindCompression(OptionReader? options)
    {
        CompressionOptions standard = new();
        return options is null ? null : standard with
        {
            IsOn = options.Flag(RuleSchema.Enabled, fallback: true),
            UsesGzip = options.Flag("gzip", standard.UsesGzip),
            UsesBrotli = options.Flag("brotli", standard.UsesBrotli),
            Types = options.Words("types"),
            MinBytes = (int)options.Bytes("min_length", standard.MinBytes, 0, int.MaxValue),
            Level = options.Number("level", standard.Level, 1, 9),
        };
    }

    private static RetryOptions? BindRetry(OptionReader? options)
    {
        RetryOptions standard = new();
        return options is null ? null : standard with
        {
            On = options.Flag(RuleSchema.Enabled, fallback: true)
                ? options.Words("on", standard.On)
                : [],
            Tries = options.Number("tries", 0, 0, 1_000),
            Timeout = options.Duration("timeout", TimeSpan.Zero),
            BudgetPercent = options.Number("budget", standard.BudgetPercent, 0, 1_000),
            ReplayBytes = (int)options.Bytes("replay", standard.ReplayBytes, 0, MaxReplayBytes),
            BufferBytes = (int)options.Bytes("buffer", 0, 0, MaxReplayBytes),
        };
    }

    private static string? Slashed(OptionReader options, string key)
    {
        string? path = options.Text(key);
        if (path is not null && path[0] != '/')
        {
            options.Refuse(key, $"must begin with \"/\", not \"{path}\"");
        }

        return path;
    }

    private static bool IsNetwork(string text) =>
        text == "all" || IPAddress.TryParse(text, out _) || IPNetwork.TryParse(text, out _);

    /// <summary>A token of RFC 9110 section 5.6.2.</summary>
    private static bool IsFieldName(string name) => name.Length > 0 && name.All(c =>
        char.IsAsciiLetterOrDigit(c) || "!#$%&'*+-.^_`|~".Contains(c, StringComparison.Ordinal));
}
