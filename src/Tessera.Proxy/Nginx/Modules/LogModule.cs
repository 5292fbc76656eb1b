using System.Collections.Immutable;

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
        new("log_subrequest", NginxContext.HttpServerLocation) { Kind = ValueKind.Flag },
        new("open_log_file_cache", NginxContext.HttpServerLocation | NginxContext.Stream
            | NginxContext.StreamServer, 1, 4),
    ];

    /// <summary>The logs of a location: those of the innermost block that names any.</summary>
    public static RouteConfig Apply(
        NginxScope scope, RouteConfig route, HttpReading reading) =>
        route with
        {
            AccessLogs = ReadAccessLogs(scope, reading.Files),
            ErrorLogs = ReadErrorLogs(scope, reading.Files),
            TellsMissingFiles = scope.Flag("log_not_found", true),
        };

    public static ImmutableArray<AccessLogConfig> ReadAccessLogs(
        NginxScope scope, NginxFiles files)
    {
        NginxDirective[] logs = [.. scope.All("access_log")];
        if (logs.Length == 0)
        {
            return
            [
                new AccessLogConfig
                {
                    Path = files.Resolve(files.Source.AccessLog),
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
            var text => new ErrorLogConfig(files.Resolve(text), level),
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
        (string format, LogEscaping escaping) = ReadFormat(log, scope);
        var config = new AccessLogConfig
        {
            Path = isSyslog ? log.Value : files.Resolve(log.Value),
            Format = format,
            Escaping = escaping,
            IsApart = true,
            FlushMs = 0,
            HasVariablePath = !isSyslog && log.Value.Contains('$'),
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

    private static (string Format, LogEscaping Escaping) ReadFormat(
        NginxDirective log, NginxScope scope)
    {
        string name = log.Arguments.ElementAtOrDefault(1) ?? "combined";
        NginxScope top = scope;
        while (top.Outer is { Context: not NginxContext.Main } outer)
        {
            top = outer;
        }

        NginxDirective? format = top.AllHere("log_format").FirstOrDefault(f => f.Value == name);
        if (format is null)
        {
            return name == "combined"
                ? (Combined, LogEscaping.Text)
                : throw log.Error($"unknown log format \"{name}\"");
        }

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
}
