using System.Collections.Immutable;
using System.Globalization;

namespace Tessera.Proxy.Nginx;

/// <summary>
/// How much of a location may be used: ngx_http_limit_req_module, limit_conn, limit_rate, and the
/// size of bodies. Stateless.
/// </summary>
internal static class LimitModule
{
    /// <summary>What nginx keeps of a key.</summary>
    private const int RateKeyBytes = 128;

    private const int ConnectionKeyBytes = 64;

    private const long MinZoneBytes = 8 * 4_096;

    private static readonly string[] Levels = ["info", "notice", "warn", "error"];

    public static DirectiveRule[] Directives { get; } =
    [
        new("limit_req_zone", NginxContext.Http, 3, 4)
        {
            MayRepeat = true, Check = (zone, _) => ReadZone(zone),
        },
        new("limit_req", NginxContext.HttpServerLocation, 1, 3)
        {
            MayRepeat = true, Check = (limit, _) => ReadParameters(limit),
        },
        new("limit_req_status", NginxContext.HttpServerLocation)
        {
            Kind = ValueKind.Number, Range = (400, 599),
        },
        new("limit_req_log_level", NginxContext.HttpServerLocation) { Choices = Levels },
        new("limit_req_dry_run", NginxContext.HttpServerLocation) { Kind = ValueKind.Flag },
        new("limit_conn_zone", NginxContext.Http, 2, 2)
        {
            MayRepeat = true, Check = (zone, _) => ReadZone(zone),
        },
        new("limit_conn", NginxContext.HttpServerLocation, 2, 2)
        {
            MayRepeat = true, Check = (limit, _) => ReadMax(limit),
        },
        new("limit_conn_status", NginxContext.HttpServerLocation)
        {
            Kind = ValueKind.Number, Range = (400, 599),
        },
        new("limit_conn_log_level", NginxContext.HttpServerLocation) { Choices = Levels },
        new("limit_conn_dry_run", NginxContext.HttpServerLocation) { Kind = ValueKind.Flag },
        new("limit_rate", NginxContext.HttpServerLocationIf) { Check = CheckSize },
        new("limit_rate_after", NginxContext.HttpServerLocationIf) { Check = CheckSize },
    ];

    public static RouteConfig Apply(
        NginxScope scope, RouteConfig route, HttpReading reading) => route with
    {
        Flow = (route.Flow ?? new FlowConfig()) with
        {
            RateLimits = [.. Distinct(scope, "limit_req").Select(limit => ReadRate(scope, limit))],
            ConnectionLimits =
            [
                .. Distinct(scope, "limit_conn").Select(limit => ReadConnections(scope, limit)),
            ],
            RateText = scope.Find("limit_rate")?.Value,
            RateAfterText = scope.Find("limit_rate_after")?.Value,
            MaxBodyBytes = scope.Size("client_max_body_size", 1_024 * 1_024),
        },
    };

    /// <summary>A size, or a text with variables that becomes one.</summary>
    internal static void CheckSize(NginxDirective directive, DirectiveCheck check)
    {
        if (directive.Value.Contains('$', StringComparison.Ordinal))
        {
            NginxVariables.CheckText(directive, directive.Value);
        }
        else if (!NginxValue.TrySize(directive.Value, out _))
        {
            throw directive.Error($"\"{directive.Name}\" directive invalid value");
        }
    }

    /// <summary>Zones of an http block, each of one key and for one use.</summary>
    public static void CheckZones(NginxScope http)
    {
        var zones = new Dictionary<string, NginxDirective>(StringComparer.Ordinal);
        foreach (NginxDirective zone in http.AllHere("limit_req_zone")
            .Concat(http.AllHere("limit_conn_zone")))
        {
            string name = NameOf(zone);
            if (!zones.TryAdd(name, zone))
            {
                throw zones[name].Name == zone.Name
                    ? zone.Error($"{zone.Name} \"{name}\" is already bound to key "
                        + $"\"{zones[name].Value}\"")
                    : IsForOther(zone, name);
            }
        }
    }

    private static (string Name, int Burst, int Free) ReadParameters(NginxDirective limit)
    {
        string? name = null;
        int burst = 0;
        int free = 0;
        foreach (string argument in limit.Arguments)
        {
            string[] pair = argument.Split('=', 2);
            switch (pair)
            {
                case ["zone", var zone]:
                    name = zone;
                    break;
                case ["burst", var text] when TryNumber(text, out burst) && burst > 0:
                    break;
                case ["burst", _]:
                    throw limit.Error($"invalid burst value \"{argument}\"");
                case ["delay", var text] when TryNumber(text, out free) && free > 0:
                    break;
                case ["delay", _]:
                    throw limit.Error($"invalid delay value \"{argument}\"");
                case ["nodelay"]:
                    free = int.MaxValue;
                    break;
                default:
                    throw limit.Error($"invalid parameter \"{argument}\"");
            }
        }

        if (string.IsNullOrEmpty(name))
        {
            throw limit.Error($"\"{limit.Name}\" must have \"zone\" parameter");
        }

        return (name, burst, free);
    }

    /// <summary>Two of one zone in one block are an error.</summary>
    private static NginxDirective[] Distinct(NginxScope scope, string directive)
    {
        NginxDirective[] limits = [.. scope.All(directive)];
        var zones = new HashSet<string>(StringComparer.Ordinal);
        foreach (NginxDirective limit in limits)
        {
            if (!zones.Add(directive == "limit_conn" ? limit.Value : ReadParameters(limit).Name))
            {
                throw limit.Error($"\"{directive}\" directive is duplicate");
            }
        }

        return limits;
    }

    private static RateLimitConfig ReadRate(NginxScope scope, NginxDirective limit)
    {
        (string name, int burst, int free) = ReadParameters(limit);
        NginxDirective zoneOf = FindZone(scope, limit, "limit_req_zone", name);
        (long bytes, double rate) = ReadZone(zoneOf);
        return new RateLimitConfig
        {
            Zone = name,
            Key = zoneOf.Value,
            RequestsPerSecond = rate,
            Burst = Math.Min(burst, Flow.RateZone.MaxBurst),
            BurstWithoutDelay = free,
            Status = ReadStatus(scope, "limit_req_status"),
            LogLevel = ReadLevel(scope, "limit_req_log_level"),
            IsDryRun = scope.Flag("limit_req_dry_run", false),
            MaxKeys = KeysIn(bytes, RateKeyBytes),
        };
    }

    private static ConnectionLimitConfig ReadConnections(NginxScope scope, NginxDirective limit)
    {
        NginxDirective zone = FindZone(scope, limit, "limit_conn_zone", limit.Value);
        int max = ReadMax(limit);
        return new ConnectionLimitConfig
        {
            Zone = limit.Value,
            Key = zone.Value,
            Max = max,
            Status = ReadStatus(scope, "limit_conn_status"),
            LogLevel = ReadLevel(scope, "limit_conn_log_level"),
            IsDryRun = scope.Flag("limit_conn_dry_run", false),
            MaxKeys = KeysIn(ReadZone(zone).Bytes, ConnectionKeyBytes),
        };
    }

    private static int ReadMax(NginxDirective limit)
    {
        string text = limit.Arguments[1];
        if (!TryNumber(text, out int max) || max == 0)
        {
            throw limit.Error($"invalid number of connections \"{text}\"");
        }

        return max <= ushort.MaxValue
            ? max
            : throw limit.Error("connection limit must be less 65536");
    }

    private static NginxDirective FindZone(
        NginxScope scope, NginxDirective limit, string directive, string name)
    {
        string other = directive == "limit_req_zone" ? "limit_conn_zone" : "limit_req_zone";
        return FindZone(scope, directive, name)
            ?? throw (FindZone(scope, other, name) is not null
                ? IsForOther(limit, name)
                : new NginxConfigException($"zero size shared memory zone \"{name}\"")
                {
                    IsBehindSyntax = true,
                });
    }

    private static NginxConfigException IsForOther(NginxDirective directive, string zone) =>
        directive.Error(
            $"the shared memory zone \"{zone}\" is already declared for a different use");

    private static string NameOf(NginxDirective zone) =>
        zone.Arguments.First(a => a.StartsWith("zone=", StringComparison.Ordinal))
            ["zone=".Length..].Split(':')[0];

    private static NginxDirective? FindZone(NginxScope scope, string directive, string name)
    {
        for (NginxScope? at = scope; at is not null; at = at.Outer)
        {
            foreach (NginxDirective zone in at.AllHere(directive))
            {
                if (zone.Arguments.Any(a =>
                    a.StartsWith($"zone={name}:", StringComparison.Ordinal)))
                {
                    return zone;
                }
            }
        }

        return null;
    }

    private static (long Bytes, double Rate) ReadZone(NginxDirective directive)
    {
        long bytes = 0;
        double rate = 1;
        foreach (string argument in directive.Arguments.Skip(1))
        {
            if (argument.StartsWith("zone=", StringComparison.Ordinal))
            {
                bytes = ReadZoneSize(directive, argument);
            }
            else if (argument.StartsWith("rate=", StringComparison.Ordinal)
                && directive.Name == "limit_req_zone")
            {
                rate = ReadRate(directive, argument["rate=".Length..]);
            }
            else if (argument != "sync")
            {
                throw directive.Error($"invalid parameter \"{argument}\"");
            }
        }

        return bytes > 0
            ? (bytes, rate)
            : throw directive.Error($"\"{directive.Name}\" must have \"zone\" parameter");
    }

    /// <param name="zone">"zone=NAME:SIZE".</param>
    private static long ReadZoneSize(NginxDirective directive, string zone)
    {
        int colon = zone.IndexOf(':', StringComparison.Ordinal);
        if (colon <= "zone=".Length || !NginxValue.TrySize(zone[(colon + 1)..], out long bytes))
        {
            throw directive.Error($"invalid zone size \"{zone}\"");
        }

        return bytes >= MinZoneBytes
            ? bytes
            : throw directive.Error($"zone \"{zone}\" is too small");
    }

    /// <summary>In thousandths of requests a second, rounded down as nginx does.</summary>
    private static double ReadRate(NginxDirective directive, string text)
    {
        bool isPerMinute = text.EndsWith("r/m", StringComparison.Ordinal);
        bool hasUnit = isPerMinute || text.EndsWith("r/s", StringComparison.Ordinal);
        int seconds = isPerMinute ? 60 : 1;
        if (!TryNumber(hasUnit ? text[..^3] : text, out int number) || number == 0)
        {
            throw directive.Error($"invalid rate \"rate={text}\"");
        }

        return Math.Max(1, number * 1_000L / seconds) / 1_000.0;
    }

    private static int ReadStatus(NginxScope scope, string name) => scope.Number(name, 503);

    private static ErrorLevel ReadLevel(NginxScope scope, string name) =>
        scope.Text(name, "error") switch
        {
            "info" => ErrorLevel.Information,
            "notice" => ErrorLevel.Notice,
            "warn" => ErrorLevel.Warning,
            _ => ErrorLevel.Error,
        };

    private static int KeysIn(long bytes, int keyBytes) =>
        (int)Math.Clamp(bytes / keyBytes, 16, 1 << 22);

    private static bool TryNumber(string text, out int number) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
