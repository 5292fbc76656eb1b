using System.Collections.Immutable;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Nginx;

/// <summary>Logs and their formats. Stateless.</summary>
internal static class LogModule
{
    private const string Combined =
        "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent "
        + "\"$http_referer\" \"$http_user_agent\"";

    /// <summary>What buffer= is when only gzip asks for one.</summary>
    private const int GzipBufferBytes = 64 * 1_024;

    public static DirectiveRule[] Directives { get; } =
    [
        new("error_log", NginxContext.Main | NginxContext.HttpServerLocation
            | NginxContext.Stream | NginxContext.StreamServer, 1, -1)
        {
            MayRepeat = true,
        },
        new("access_log", NginxContext.HttpServerLocationIf | NginxContext.LimitExcept
            | NginxContext.Stream | NginxContext.StreamServer, 1, -1)
        {
            MayRepeat = true,
        },
        new("log_format", NginxContext.Http | NginxContext.Stream, 2, -1) { MayRepeat = true },
        new("log_not_found", NginxContext.HttpServerLocation) { Kind = ValueKind.Flag },
        new("log_subrequest", NginxContext.HttpServerLocation)
        {
            Kind = ValueKind.Flag, HasNoEffect = true,
        },
        new("open_log_file_cache", NginxContext.HttpServerLocation | NginxContext.Stream
            | NginxContext.StreamServer, 1, 4)
        {
            HasNoEffect = true, Check = (cache, _) => CheckCache(cache),
        },
    ];

    /// <summary>The logs of a location: those of the innermost block that names any.</summary>
    public static RouteConfig Apply(NginxScope scope, RouteConfig route, HttpReading reading)
    {
        if (scope.Find("open_log_file_cache") is { } cache)
        {
            CheckCache(cache);
        }

        return route with
        {
            AccessLogs = ReadAccessLogs(scope, reading.Files),
            ErrorLogs = ReadErrorLogs(scope, reading.Files),
            TellsMissingFiles = scope.Flag("log_not_found", true),
        };
    }

    /// <summary>Throws what is wrong with the logs of one block alone.</summary>
    public static void CheckHere(NginxScope scope, NginxFiles files)
    {
        if (scope.FindHere("open_log_file_cache") is { } cache)
        {
            CheckCache(cache);
        }

        foreach (NginxDirective log in scope.AllHere("access_log"))
        {
            ReadAccessLog(log, scope, files);
        }

        foreach (NginxDirective log in scope.AllHere("error_log"))
        {
            ReadErrorLog(log, files);
        }
    }

    /// <exception cref="NginxConfigException">A format's name or escaping is wrong.</exception>
    public static void CheckFormats(NginxScope http)
    {
        var known = new HashSet<string>(StringComparer.Ordinal) { "combined" };
        foreach (NginxDirective format in http.AllHere("log_format"))
        {
            if (!known.Add(format.Value))
            {
                throw format.Error($"duplicate \"log_format\" name \"{format.Value}\"");
            }

            ReadFormat(format);
        }
    }

    /// <summary>Formats are held against the variables that there are, used or not.</summary>
    /// <exception cref="UnknownVariableException">There is no such variable.</exception>
    public static void CheckVariables(NginxScope http)
    {
        foreach (NginxDirective format in http.AllHere("log_format"))
        {
            Template.Parse(ReadFormat(format).Format);
        }

        CheckConditions(http.Directives);
    }

    public static ImmutableArray<AccessLogConfig> ReadAccessLogs(
        NginxScope scope, NginxFiles files)
    {
        NginxDirective[] logs = [.. scope.All("access_log")];
        if (logs.Length == 0)
        {
            // What nobody asked for is done without where there is no place for it.
            string usual = files.Resolve(files.Source.AccessLog);
            bool isGuest = files.Source.IsGuest;
            return !isGuest && !Directory.Exists(Path.GetDirectoryName(usual)) ? [] :
            [
                new AccessLogConfig
                {
                    Path = isGuest ? usual : files.ResolveLog(files.Source.AccessLog),
                    Format = Combined,
                    IsApart = true,
                    FlushMs = 0,
                },
            ];
        }

        ImmutableArray<AccessLogConfig> read =
            [.. logs.Select(log => ReadAccessLog(log, scope, files)).OfType<AccessLogConfig>()];
        return logs.Any(log => log.Value == "off") ? [] : read;
    }

    /// <summary>Default where no block names one.</summary>
    public static ImmutableArray<ErrorLogConfig> ReadErrorLogs(
        NginxScope scope, NginxFiles files)
    {
        NginxDirective[] logs = [.. scope.All("error_log")];
        return logs.Length == 0
            ? default
            : [.. logs.Select(log => ReadErrorLog(log, files)).OfType<ErrorLogConfig>()];
    }

    public static ErrorLogConfig DefaultErrorLog(NginxSource source) => new(
        source.ErrorLogFile == NginxSource.StandardError ? "" : source.ErrorLogFile);

    /// <summary>Null for a log in memory, which nobody could read here.</summary>
    private static ErrorLogConfig? ReadErrorLog(NginxDirective log, NginxFiles files)
    {
        const string Memory = "memory:";
        ErrorLevel level = ReadLevel(log);
        return log.Value switch
        {
            NginxSource.StandardError => new ErrorLogConfig("", level),
            var text when text.StartsWith(SyslogParameters.Prefix, StringComparison.Ordinal) =>
                new ErrorLogConfig(text, level, SyslogParameters.Read(log, text)),
            var text when text.StartsWith(Memory, StringComparison.Ordinal) => null,
            var text => new ErrorLogConfig(files.ResolveLog(text), level),
        };
    }

    private static ErrorLevel ReadLevel(NginxDirective log)
    {
        var level = ErrorLevel.Error;
        foreach (string name in log.Arguments.Skip(1))
        {
            level = name switch
            {
                "emerg" => ErrorLevel.Emergency,
                "alert" => ErrorLevel.Alert,
                "crit" => ErrorLevel.Critical,
                "error" => ErrorLevel.Error,
                "warn" => ErrorLevel.Warning,
                "notice" => ErrorLevel.Notice,
                "info" => ErrorLevel.Information,
                "debug" or "debug_core" or "debug_alloc" or "debug_mutex" or "debug_event"
                    or "debug_http" or "debug_mail" or "debug_stream" => ErrorLevel.Debug,
                _ => throw log.Error($"invalid log level \"{name}\""),
            };
        }

        return level;
    }

    /// <summary>Null for "off".</summary>
    private static AccessLogConfig? ReadAccessLog(
        NginxDirective log, NginxScope scope, NginxFiles files)
    {
        if (log.Value == "off")
        {
            return log.Arguments.Length == 1
                ? null
                : throw log.Error($"invalid parameter \"{log.Arguments[1]}\"");
        }

        bool isSyslog = log.Value.StartsWith(SyslogParameters.Prefix, StringComparison.Ordinal);
        bool hasVariables = !isSyslog && log.Value.Contains('$');
        (string format, LogEscaping escaping) = FormatOf(log, scope);
        var config = new AccessLogConfig
        {
            Path = isSyslog ? log.Value
                : hasVariables ? files.Resolve(log.Value)
                : files.ResolveLog(log.Value),
            Format = format,
            Escaping = escaping,
            IsApart = true,
            FlushMs = 0,
            HasVariablePath = hasVariables,
            Syslog = isSyslog ? SyslogParameters.Read(log, log.Value) : null,
        };
        bool hasBuffer = false;
        bool hasFlush = false;
        foreach (string parameter in log.Arguments.Skip(2))
        {
            config = WithParameter(log, config, parameter, ref hasBuffer, ref hasFlush);
        }

        if (!hasBuffer)
        {
            return hasFlush
                ? throw log.Error($"no buffer is defined for access_log \"{log.Value}\"")
                : config;
        }

        return config switch
        {
            { HasVariablePath: true } =>
                throw log.Error("buffered logs cannot have variables in name"),
            { Syslog: not null } => throw log.Error("logs to syslog cannot be buffered"),
            _ => hasFlush ? config : config with { FlushMs = int.MaxValue },
        };
    }

    private static AccessLogConfig WithParameter(
        NginxDirective log, AccessLogConfig config, string parameter,
        ref bool hasBuffer, ref bool hasFlush)
    {
        string[] pair = parameter.Split('=', 2);
        switch (pair)
        {
            case ["buffer", var size]:
                hasBuffer = true;
                return NginxValue.TrySize(size, out long bytes) && bytes > 0
                    ? config with { BufferBytes = (int)Math.Min(bytes, int.MaxValue) }
                    : throw log.Error($"invalid buffer size \"{size}\"");
            case ["flush", var time]:
                hasFlush = true;
                return NginxValue.TryMilliseconds(time, out int milliseconds) && milliseconds > 0
                    ? config with { FlushMs = milliseconds }
                    : throw log.Error($"invalid flush time \"{time}\"");
            case ["gzip"]:
                config = hasBuffer ? config : config with { BufferBytes = GzipBufferBytes };
                hasBuffer = true;
                return config with { GzipLevel = 1 };
            case ["gzip", var text]:
                config = hasBuffer ? config : config with { BufferBytes = GzipBufferBytes };
                hasBuffer = true;
                return int.TryParse(text, out int level) && level is >= 1 and <= 9
                    ? config with { GzipLevel = level }
                    : throw log.Error($"invalid compression level \"{text}\"");
            case ["if", var condition]:
                return config with { Condition = condition };
            default:
                throw log.Error($"invalid parameter \"{parameter}\"");
        }
    }

    private static (string Format, LogEscaping Escaping) FormatOf(
        NginxDirective log, NginxScope scope)
    {
        string name = log.Arguments.ElementAtOrDefault(1) ?? "combined";
        NginxScope top = scope;
        while (top.Outer is { Context: not NginxContext.Main } outer)
        {
            top = outer;
        }

        NginxDirective? format = top.AllHere("log_format").FirstOrDefault(f => f.Value == name);
        return format is not null ? ReadFormat(format)
            : name == "combined" ? (Combined, LogEscaping.Text)
            : throw log.Error($"unknown log format \"{name}\"");
    }

    private static (string Format, LogEscaping Escaping) ReadFormat(NginxDirective format)
    {
        const string Escape = "escape=";
        string[] texts = [.. format.Arguments.Skip(1)];
        var escaping = LogEscaping.Text;
        if (texts[0].StartsWith(Escape, StringComparison.Ordinal))
        {
            escaping = texts[0][Escape.Length..] switch
            {
                "default" => LogEscaping.Text,
                "json" => LogEscaping.Json,
                "none" => LogEscaping.None,
                var unknown => throw format.Error($"unknown log format escaping \"{unknown}\""),
            };
            texts = texts[1..];
        }

        return (string.Concat(texts), escaping);
    }

    private static void CheckConditions(ImmutableArray<NginxDirective> directives)
    {
        const string If = "if=";
        foreach (NginxDirective directive in directives)
        {
            if (directive.Name == "access_log")
            {
                foreach (string parameter in directive.Arguments.Skip(2)
                    .Where(p => p.StartsWith(If, StringComparison.Ordinal)))
                {
                    Template.Parse(parameter[If.Length..]);
                }
            }

            CheckConditions(directive.Block ?? []);
        }
    }

    /// <summary>Files stay open anyway: it is only read.</summary>
    private static void CheckCache(NginxDirective cache)
    {
        bool hasMax = false;
        foreach (string parameter in cache.Arguments)
        {
            bool isRight = parameter.Split('=', 2) switch
            {
                ["off"] => hasMax = true,
                ["max", var number] => hasMax = int.TryParse(number, out int max) && max > 0,
                ["min_uses", var number] => int.TryParse(number, out int uses) && uses > 0,
                ["inactive" or "valid", var time] => NginxValue.TryMilliseconds(time, out _),
                _ => false,
            };
            if (!isRight)
            {
                throw cache.Error($"invalid \"open_log_file_cache\" parameter \"{parameter}\"");
            }
        }

        if (!hasMax)
        {
            throw cache.Error("\"open_log_file_cache\" must have \"max\" parameter");
        }
    }
}
