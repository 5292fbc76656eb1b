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
        new("limit_req_zone", NginxContext.Http, 3, 4) { MayRepeat = true },
        new("limit_req", NginxContext.HttpServerLocation, 1, 3) { MayRepeat = true },
        new("limit_req_status", NginxContext.HttpServerLocation) { Kind = ValueKind.Number },
        new("limit_req_log_level", NginxContext.HttpServerLocation) { Choices = Levels },
        new("limit_req_dry_run", NginxContext.HttpServerLocation) { Kind = ValueKind.Flag },
        new("limit_conn_zone", NginxContext.Http, 2, 2) { MayRepeat = true },
        new("limit_conn", NginxContext.HttpServerLocation, 2, 2) { MayRepeat = true },
        new("limit_conn_status", NginxContext.HttpServerLocation) { Kind = ValueKind.Number },
        new("limit_conn_log_level", NginxContext.HttpServerLocation) { Choices = Levels },
        new("limit_conn_dry_run", NginxContext.HttpServerLocation) { Kind = ValueKind.Flag },
        new("limit_rate", NginxContext.HttpServerLocationIf),
        new("limit_rate_after", NginxContext.HttpServerLocationIf),
    ];

    public static RouteConfig Apply(
        NginxScope scope, RouteConfig route, HttpReading reading) => route with
    {
        Flow = (route.Flow ?? new FlowConfig()) with
        {
            RateLimits = [.. scope.All("limit_req").Select(limit => ReadRate(scope, limit))],
            ConnectionLimits =
            [
                .. scope.All("limit_conn").Select(limit => ReadConnections(scope, limit)),
            ],
            RateText = ReadSize(scope, "limit_rate"),
            RateAfterText = ReadSize(scope, "limit_rate_after"),
            MaxBodyBytes = scope.Size("client_max_body_size", 1_024 * 1_024),
        },
    };

    /// <summary>Null where nothing sets it.</summary>
    private static string? ReadSize(NginxScope scope, string name)
    {
        if (scope.Find(name) is not { } directive)
        {
            return null;
        }

        return directive.Value.Contains('$', StringComparison.Ordinal)
            || NginxValue.TrySize(directive.Value, out _)
            ? directive.Value
            : throw directive.Error($"\"{name}\" directive invalid value");
    }

    private static RateLimitConfig ReadRate(NginxScope scope, NginxDirective limit)
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

        NginxDirective zoneOf = FindZone(scope, "limit_req_zone", name)
            ?? throw limit.Error($"zero size shared memory zone \"{name}\"");
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
        NginxDirective zone = FindZone(scope, "limit_conn_zone", limit.Value)
            ?? throw limit.Error($"zero size shared memory zone \"{limit.Value}\"");
        string text = limit.Arguments[1];
        if (!TryNumber(text, out int max) || max == 0)
        {
            throw limit.Error($"invalid number of connections \"{text}\"");
        }

        if (max > ushort.MaxValue)
        {
            throw limit.Error("connection limit must be less 65536");
        }

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
                bytes = ReadZoneSize(directive, argument["zone=".Length..]);
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

    private static long ReadZoneSize(NginxDirective directive, string zone)
    {
        int colon = zone.IndexOf(':', StringComparison.Ordinal);
        if (colon < 1 || !NginxValue.TrySize(zone[(colon + 1)..], out long bytes))
        {
            throw directive.Error($"invalid zone size \"{zone}\"");
        }

        return bytes >= MinZoneBytes
            ? bytes
            : throw directive.Error($"zone \"{zone[..colon]}\" is too small");
    }

    /// <summary>In thousandths of requests a second, rounded down as nginx does.</summary>
    private static double ReadRate(NginxDirective directive, string text)
    {
        int seconds = text.EndsWith("r/s", StringComparison.Ordinal) ? 1
            : text.EndsWith("r/m", StringComparison.Ordinal) ? 60
            : 0;
        if (seconds == 0 || !TryNumber(text[..^3], out int number) || number == 0)
        {
            throw directive.Error($"invalid rate \"rate={text}\"");
        }

        return Math.Max(1, number * 1_000L / seconds) / 1_000.0;
    }

    private static int ReadStatus(NginxScope scope, string name)
    {
        int status = scope.Number(name, 503);
        return status is >= 400 and <= 599
            ? status
            : throw scope.Find(name)!.Error("value must be between 400 and 599");
    }

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
