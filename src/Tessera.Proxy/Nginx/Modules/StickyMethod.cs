using System.Collections.Immutable;

namespace Tessera.Proxy.Nginx;

/// <summary>
/// How an upstream keeps its clients: sticky cookie, route and learn
/// (ngx_http_upstream_sticky_module). Stateless.
/// </summary>
internal static class StickyMethod
{
    /// <summary>What nginx keeps of a session: 4,000 in a megabyte.</summary>
    private const int SessionBytes = 256;

    private const long MinZoneBytes = 8 * 4_096;

    public static PersistenceConfig Read(NginxDirective directive) => directive.Value switch
    {
        "cookie" => ReadCookie(directive),
        "route" => ReadRoute(directive),
        "learn" => ReadLearn(directive),
        _ => throw directive.Error($"invalid parameter \"{directive.Value}\""),
    };

    private static PersistenceConfig ReadCookie(NginxDirective directive)
    {
        var cookie = new PersistenceCookieConfig(directive.Arguments[1]);
        if (cookie.Name.Length == 0)
        {
            throw directive.Error("invalid cookie name \"\"");
        }

        foreach (string parameter in directive.Arguments.Skip(2))
        {
            string[] pair = parameter.Split('=', 2);
            cookie = (pair[0], pair.ElementAtOrDefault(1)) switch
            {
                ("expires", "max") => cookie with
                {
                    LifetimeSeconds = PersistenceCookieConfig.MaxLifetimeSeconds,
                },
                ("expires", { } time) => cookie with
                {
                    LifetimeSeconds = ReadTime(directive, parameter, time) / 1_000,
                },
                ("path", { } path) => cookie with { Path = path },
                ("domain", { } domain) => cookie with
                {
                    Domain = CheckText(directive, domain),
                },
                ("httponly", null) => cookie with { IsHttpOnly = true },
                ("secure", null) => cookie with { IsSecure = true },
                ("samesite", "strict" or "lax" or "none") => cookie with { SameSite = pair[1] },
                ("samesite", { } text) when text.Contains('$') => cookie with
                {
                    SameSite = CheckText(directive, text),
                },
                _ => throw directive.Error($"invalid parameter \"{parameter}\""),
            };
        }

        return new PersistenceConfig { Lookup = ["$cookie_" + cookie.Name], Cookie = cookie };
    }

    private static PersistenceConfig ReadRoute(NginxDirective directive) => new()
    {
        Lookup = [.. directive.Arguments.Skip(1).Select(text => CheckText(directive, text))],
    };

    private static PersistenceConfig ReadLearn(NginxDirective directive)
    {
        var create = ImmutableArray.CreateBuilder<string>();
        var lookup = ImmutableArray.CreateBuilder<string>();
        var learn = new LearnConfig("", 0, []);
        foreach (string parameter in directive.Arguments.Skip(1))
        {
            string[] pair = parameter.Split('=', 2);
            switch (pair)
            {
                case ["create", var text]:
                    create.Add(CheckText(directive, text));
                    break;
                case ["lookup", var text]:
                    lookup.Add(CheckText(directive, text));
                    break;
                case ["timeout", var time]:
                    int timeoutMs = ReadTime(directive, parameter, time);
                    learn = learn with { TimeoutMs = timeoutMs };
                    break;
                case ["zone", var zone]:
                    learn = ReadZone(directive, learn, zone);
                    break;
                case ["header"]:
                    learn = learn with { IsFromHead = true };
                    break;

                // Nothing is to be kept in step with: there is one process.
                case ["sync"]:
                    break;
                default:
                    throw directive.Error($"invalid parameter \"{parameter}\"");
            }
        }

        string? missing = create.Count == 0 ? "create"
            : lookup.Count == 0 ? "lookup"
            : learn.Zone.Length == 0 ? "zone"
            : null;
        return missing is not null
            ? throw directive.Error($"\"sticky learn\" requires \"{missing}\" parameter")
            : new PersistenceConfig
            {
                Lookup = lookup.ToImmutable(),
                Learn = learn with { Create = create.ToImmutable() },
            };
    }

    private static LearnConfig ReadZone(
        NginxDirective directive, LearnConfig learn, string zone)
    {
        string[] parts = zone.Split(':');
        if (parts is not [{ Length: > 0 } name, var size] || !NginxValue.TrySize(size, out long n))
        {
            throw directive.Error($"invalid zone size \"zone={zone}\"");
        }

        return n < MinZoneBytes
            ? throw directive.Error($"zone \"{name}\" is too small")
            : learn with
            {
                Zone = name,
                MaxSessions = (int)Math.Min(n / SessionBytes, int.MaxValue),
            };
    }

    private static int ReadTime(NginxDirective directive, string parameter, string time) =>
        NginxValue.TryMilliseconds(time, out int milliseconds) && milliseconds > 0
            ? milliseconds
            : throw directive.Error($"invalid parameter \"{parameter}\"");

    private static string CheckText(NginxDirective directive, string text)
    {
        NginxVariables.CheckText(directive, text);
        return text;
    }
}
