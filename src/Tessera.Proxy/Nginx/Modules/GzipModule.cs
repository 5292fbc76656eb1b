using System.Collections.Immutable;
using System.Text.RegularExpressions;

namespace Tessera.Proxy.Nginx;

/// <summary>
/// What is done to bodies: ngx_http_gzip_filter_module, ngx_http_gunzip_filter_module,
/// ngx_http_sub_filter_module. Stateless.
/// </summary>
internal static class GzipModule
{
    private static readonly string[] ProxiedWords =
    [
        "off", "expired", "no-cache", "no-store", "private", "no_last_modified", "no_etag",
        "auth", "any",
    ];

    public static DirectiveRule[] Directives { get; } =
    [
        new("gzip", NginxContext.HttpServerLocationIf) { Kind = ValueKind.Flag },
        new("gzip_types", NginxContext.HttpServerLocation, 1, -1) { MayRepeat = true },
        new("gzip_min_length", NginxContext.HttpServerLocation) { Kind = ValueKind.Size },
        new("gzip_comp_level", NginxContext.HttpServerLocation) { Kind = ValueKind.Number },
        new("gzip_http_version", NginxContext.HttpServerLocation) { Choices = ["1.0", "1.1"] },
        new("gzip_proxied", NginxContext.HttpServerLocation, 1, -1),
        new("gzip_vary", NginxContext.HttpServerLocation) { Kind = ValueKind.Flag },
        new("gzip_disable", NginxContext.HttpServerLocation, 1, -1) { MayRepeat = true },
        new("gzip_buffers", NginxContext.HttpServerLocation, 2, 2),
        new("gzip_window", NginxContext.HttpServerLocation) { Kind = ValueKind.Size },
        new("gzip_hash", NginxContext.HttpServerLocation) { Kind = ValueKind.Size },
        new("postpone_gzipping", NginxContext.HttpServerLocation) { Kind = ValueKind.Size },
        new("gzip_no_buffer", NginxContext.HttpServerLocation) { Kind = ValueKind.Flag },
        new("gunzip", NginxContext.HttpServerLocation) { Kind = ValueKind.Flag },
        new("gunzip_buffers", NginxContext.HttpServerLocation, 2, 2),
        new("sub_filter", NginxContext.HttpServerLocation, 2, 2) { MayRepeat = true },
        new("sub_filter_once", NginxContext.HttpServerLocation) { Kind = ValueKind.Flag },
        new("sub_filter_types", NginxContext.HttpServerLocation, 1, -1) { MayRepeat = true },
        new("sub_filter_last_modified", NginxContext.HttpServerLocation)
        {
            Kind = ValueKind.Flag,
        },
    ];

    public static RouteConfig Apply(
        NginxScope scope, RouteConfig route, HttpReading reading) => route with
        {
            Gzip = ReadGzip(scope),
            Substitution = ReadSubstitution(scope),
        };

    private static GzipConfig? ReadGzip(NginxScope scope)
    {
        bool isOn = scope.Flag("gzip", false);
        bool inflates = scope.Flag("gunzip", false);
        if (!isOn && !inflates && scope.Text("gzip_static", "off") == "off")
        {
            return null;
        }

        int level = scope.Number("gzip_comp_level", 1);
        if (level is < 1 or > 9)
        {
            throw scope.Find("gzip_comp_level")!.Error("value must be between 1 and 9");
        }

        return new GzipConfig
        {
            IsOn = isOn,
            Inflates = inflates,
            Types = ["text/html", .. scope.All("gzip_types").SelectMany(d => d.Arguments)],
            MinBytes = scope.Size("gzip_min_length", 20),
            Level = level,
            MinMinorVersion = scope.Text("gzip_http_version", "1.1") == "1.0" ? 0 : 1,
            Proxied = ReadProxied(scope),
            SaysVary = scope.Flag("gzip_vary", false),
            DisabledAgents =
            [
                .. scope.All("gzip_disable").SelectMany(ReadAgents),
            ],
        };
    }

    private static ProxiedAnswers ReadProxied(NginxScope scope)
    {
        var answers = ProxiedAnswers.None;
        NginxDirective? directive = scope.Find("gzip_proxied");
        foreach (string word in directive?.Arguments ?? [])
        {
            int index = Array.IndexOf(ProxiedWords, word);
            answers |= index switch
            {
                < 0 => throw directive!.Error($"invalid value \"{word}\""),
                0 => ProxiedAnswers.None,
                _ => (ProxiedAnswers)(1 << (index - 1)),
            };
        }

        return answers;
    }

    private static IEnumerable<string> ReadAgents(NginxDirective directive)
    {
        foreach (string agent in directive.Arguments)
        {
            try
            {
                _ = new Regex(agent);
            }
            catch (ArgumentException)
            {
                throw directive.Error($"pcre2_compile() failed: invalid expression in \"{agent}\"");
            }

            yield return agent;
        }
    }

    private static SubstitutionConfig? ReadSubstitution(NginxScope scope)
    {
        ImmutableArray<SubstitutionPair> pairs =
        [
            .. scope.All("sub_filter").Select(d => d.Value.Length > 0
                ? new SubstitutionPair(d.Value, d.Arguments[1])
                : throw d.Error("empty search pattern")),
        ];
        return pairs.IsEmpty ? null : new SubstitutionConfig
        {
            Pairs = pairs,
            IsOnce = scope.Flag("sub_filter_once", true),
            KeepsLastModified = scope.Flag("sub_filter_last_modified", false),
            Types = ["text/html", .. scope.All("sub_filter_types").SelectMany(d => d.Arguments)],
        };
    }
}
