using System.Collections.Immutable;

namespace Tessera.Proxy.Nginx;

/// <summary>
/// Where requests come from and what proves them: ngx_http_referer_module and
/// ngx_http_secure_link_module. Stateless.
/// </summary>
internal static class LinkModule
{
    public static DirectiveRule[] Directives { get; } =
    [
        new("valid_referers", NginxContext.Server | NginxContext.Location, 1, -1)
        {
            MayRepeat = true,
        },
        new("referer_hash_max_size", NginxContext.Server | NginxContext.Location)
        {
            Kind = ValueKind.Number, HasNoEffect = true,
        },
        new("referer_hash_bucket_size", NginxContext.Server | NginxContext.Location)
        {
            Kind = ValueKind.Number, HasNoEffect = true,
        },
        new("secure_link", NginxContext.HttpServerLocation),
        new("secure_link_md5", NginxContext.HttpServerLocation),
        new("secure_link_secret", NginxContext.Location),
    ];

    public static RouteConfig Apply(NginxScope scope, RouteConfig route, HttpReading reading) =>
        route with
        {
            Location = route.Location! with
            {
                Referers = ReadReferers(scope, reading),
                SecureLink = ReadSecureLink(scope),
            },
        };

    private static RefererConfig? ReadReferers(NginxScope scope, HttpReading reading)
    {
        var names = ImmutableArray.CreateBuilder<string>();
        bool allowsNone = false;
        bool allowsBlocked = false;
        NginxDirective? last = null;
        foreach (NginxDirective directive in scope.All("valid_referers"))
        {
            last = directive;
            foreach (string word in directive.Arguments)
            {
                switch (word)
                {
                    case "none":
                        allowsNone = true;
                        break;
                    case "blocked":
                        allowsBlocked = true;
                        break;
                    case "server_names":
                        names.AddRange(
                            scope.All("server_name").SelectMany(name => name.Arguments)
                                .Where(name => name.Length > 0));
                        break;
                    default:
                        CheckReferer(directive, word, reading);
                        names.Add(word);
                        break;
                }
            }
        }

        if (last is null)
        {
            return null;
        }

        bool hasServerNames = scope.All("valid_referers")
            .Any(directive => directive.Arguments.Contains("server_names"));
        return names.Count > 0 || hasServerNames
            ? new RefererConfig(allowsNone, allowsBlocked, names.ToImmutable())
            : throw new NginxConfigException(
                "the \"none\" or \"blocked\" referers are specified in the \"valid_referers\" "
                + "directive without any valid referer");
    }

    private static void CheckReferer(
        NginxDirective directive, string word, HttpReading reading)
    {
        if (word.StartsWith('~'))
        {
            if (word.Length == 1)
            {
                throw directive.Error($"empty regex in \"{word}\"");
            }

            reading.Variables.CheckExpression(directive, word[1..]);
        }
        else if (word.Contains("://", StringComparison.Ordinal))
        {
            throw directive.Error($"invalid server name or wildcard \"{word}\"");
        }
    }

    private static SecureLinkConfig? ReadSecureLink(NginxScope scope)
    {
        NginxDirective? link = scope.Find("secure_link");
        NginxDirective? text = scope.Find("secure_link_md5");
        if (scope.Find("secure_link_secret") is { } secret)
        {
            return link is null && text is null
                ? new SecureLinkConfig("", "", secret.Value)
                : throw secret.Error(
                    "\"secure_link_secret\" cannot be mixed with \"secure_link\" and "
                    + "\"secure_link_md5\"");
        }

        if (link is null || text is null)
        {
            return null;
        }

        NginxVariables.CheckText(link, link.Value);
        NginxVariables.CheckText(text, text.Value);
        return new SecureLinkConfig(link.Value, text.Value);
    }
}
