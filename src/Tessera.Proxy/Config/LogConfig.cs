using System.Net;

namespace Tessera.Proxy;

/// <summary>
/// A file that gets one line for each request. Those with the same path share the file and the
/// format of the first, unless they are apart.
/// </summary>
public sealed record AccessLogConfig
{
    /// <summary>nginx's combined format, with endpoints and times behind it.</summary>
    public const string CombinedFormat = "combined";

    /// <summary>One JSON object a line.</summary>
    public const string JsonFormat = "json";

    /// <summary>
    /// Of the file; a text with variables where <see cref="HasVariablePath"/>. Names a syslog as
    /// well as a file, where there is one.
    /// </summary>
    public required string Path { get; init; }

    /// <summary>
    /// <c>combined</c>, <c>json</c>, or a text with variables as nginx's log_format has them.
    /// </summary>
    public string Format { get; init; } = CombinedFormat;

    /// <summary>How the values of a text with variables are made safe.</summary>
    public LogEscaping Escaping { get; init; } = LogEscaping.Text;

    /// <summary>
    /// A text with variables: a request for which it is empty or "0" gets no line. Null writes
    /// all; nginx's access_log … if=.
    /// </summary>
    public string? Condition { get; init; }

    /// <summary>Its format is its own, whatever others write to the same file.</summary>
    public bool IsApart { get; init; }

    /// <summary>The path is filled in for each line; nginx's access_log with variables.</summary>
    public bool HasVariablePath { get; init; }

    /// <summary>
    /// Lines are handed on when so many bytes of them have come together, at most 65,536; nginx's
    /// access_log … buffer=.
    /// </summary>
    public int BufferBytes { get; init; } = 64 * 1_024;

    /// <summary>
    /// How old a line gets before it is handed on; 0 hands each on at once, and
    /// <see cref="int.MaxValue"/> waits for a full buffer. nginx's access_log … flush=.
    /// </summary>
    public int FlushMs { get; init; } = 1_000;

    /// <summary>
    /// 1 to 9 compresses what is written; 0 does not. nginx's access_log … gzip=.
    /// </summary>
    public int GzipLevel { get; init; }

    /// <summary>Where lines go instead of a file; null for a file.</summary>
    public SyslogConfig? Syslog { get; init; }

    /// <summary>Configurations with the same key write to the same log.</summary>
    internal object Key => IsApart ? this : Path;
}

/// <summary>What is done to values in a log; nginx's log_format … escape=.</summary>
public enum LogEscaping
{
    /// <summary>
    /// nginx's default: quotes, backslashes, controls and what is not ASCII become \xHH, and
    /// nothing becomes "-".
    /// </summary>
    Text,

    /// <summary>For text between the quotes of a JSON string.</summary>
    Json,

    /// <summary>Nothing: lines are only as trustworthy as their values.</summary>
    None,
}

/// <summary>A server that takes log lines as datagrams (RFC 3164).</summary>
/// <param name="Server">An IP address and port, or the path of a unix socket.</param>
/// <param name="Priority">Facility × 8 + severity, 0 to 191.</param>
/// <param name="Tag">Stands before each line.</param>
/// <param name="HasHostname">The name of this machine stands before the tag.</param>
public sealed record SyslogConfig(
    EndPoint Server, int Priority, string Tag = "nginx", bool HasHostname = true);

/// <summary>A file that gets what went wrong, in the form of nginx's error_log.</summary>
/// <param name="Path">
/// Of the file; empty for the standard error output. Names a syslog, where there is one.
/// </param>
/// <param name="Level">The least that is worth a line.</param>
/// <param name="Syslog">Where lines go instead; its priority's severity is each line's.</param>
public sealed record ErrorLogConfig(
    string Path, ErrorLevel Level = ErrorLevel.Error, SyslogConfig? Syslog = null);
