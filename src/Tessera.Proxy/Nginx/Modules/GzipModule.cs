using System.Collections.Immutable;

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
        new("gzip_types", NginxContext.HttpServerLocation, 1, -1)
        {
            Kind = ValueKind.Types, MayRepeat = true,
        },
        new("gzip_min_length", NginxContext.HttpServerLocation) { Kind = ValueKind.Size },
        new("gzip_comp_level", NginxContext.HttpServerLocation)
        {
            Kind = ValueKind.Number, Range = (1, 9),
        },
        new("gzip_http_version", NginxContext.HttpServerLocation) { Choices = ["1.0", "1.1"] },
        new("gzip_proxied", NginxContext.HttpServerLocation, 1, -1)
        {
            Kind = ValueKind.Words, Choices = ProxiedWords,
        },
        new("gzip_vary", NginxContext.HttpServerLocation) { Kind = ValueKind.Flag },
        new("gzip_disable", NginxContext.HttpServerLocation, 1, -1)
        {
            MayRepeat = true, Check = CheckAgents,
        },
        new("gzip_buffers", NginxContext.HttpServerLocation, 2, 2) { HasNoEffect = true },
        new("gzip_window", NginxContext.HttpServerLocation)
        {
            Kind = ValueKind.Size, HasNoEffect = true,
        },
        new("gzip_hash", NginxContext.HttpServerLocation)
        {
            Kind = ValueKind.Size, HasNoEffect = true,
        },
        new("postpone_gzipping", NginxContext.HttpServerLocation)
        {
            Kind = ValueKind.Size, HasNoEffect = true,
        },
        new("gzip_no_buffer", NginxContext.HttpServerLocation)
        {
            Kind = ValueKind.Flag, HasNoEffect = true,
        },
        new("gunzip", NginxContext.HttpServerLocation) { Kind = ValueKind.Flag },
        new("gunzip_buffers", NginxContext.HttpServerLocation, 2, 2) { HasNoEffect = true },
        new("sub_filter", NginxContext.HttpServerLocation, 2, 2)
        {
            MayRepeat = true, Check = CheckPair,
        },
        new("sub_filter_once", NginxContext.HttpServerLocation) { Kind = ValueKind.Flag },
        new("sub_filter_types", NginxContext.HttpServerLocation, 1, -1)
        {
            Kind = ValueKind.Types, MayRepeat = true,
        },
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

        return new GzipConfig
        {
            IsOn = isOn,
            Inflates = inflates,
            Types = ["text/html", .. scope.All("gzip_types").SelectMany(d => d.Arguments)],
            MinBytes = scope.Size("gzip_min_length", 20),
            Level = scope.Number("gzip_comp_level", 1),
            MinMinorVersion = scope.Text("gzip_http_version", "1.1") == "1.0" ? 0 : 1,
            Proxied = ReadProxied(scope),
            SaysVary = scope.Flag("gzip_vary", false),
            DisabledAgents =
            [
                .. scope.All("gzip_disable").SelectMany(directive => directive.Arguments),
            ],
        };
    }

    private static ProxiedAnswers ReadProxied(NginxScope scope)
    {
        var answers = ProxiedAnswers.None;
        NginxDirective? directive = scope.Find("gzip_proxied");
        foreach (string word in directive?.Arguments ?? [])
        {
            int index = Array.FindIndex(
                ProxiedWords, known => known.Equals(word, StringComparison.OrdinalIgnoreCase));
            answers |= index == 0 ? ProxiedAnswers.None : (ProxiedAnswers)(1 << (index - 1));
        }

        return answers;
    }

    private static void CheckAgents(NginxDirective directive, DirectiveCheck check)
    {
        foreach (string agent in directive.Arguments)
        {
            NginxVariables.CheckPattern(directive, agent);
        }
    }

    private static void CheckPair(NginxDirective directive, DirectiveCheck check)
    {
        if (directive.Value.Length == 0)
        {
            throw directive.Error("empty search pattern");
        }
    }

    private static SubstitutionConfig? ReadSubstitution(NginxScope scope)
    {
        ImmutableArray<SubstitutionPair> pairs =
        [
            .. scope.All("sub_filter").Select(
                d => new SubstitutionPair(d.Value, d.Arguments[1])),
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
