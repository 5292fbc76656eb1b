using System.Globalization;
using System.Text;

namespace Tessera.Proxy.Telemetry;

/// <summary>
/// Where the lines of an error log in nginx's form go: each place takes what is heavy enough for
/// it. Immutable; safe from any thread.
/// </summary>
internal sealed class ErrorSinks
{
    /// <summary>As nginx's NGX_MAX_ERROR_STR: the rest of a longer line is cut.</summary>
    private const int MaxLineBytes = 2_048;

    private readonly (ErrorLevel Level, LogTarget Target)[] _sinks;
    private readonly ErrorLevel _least;
    private readonly LogWriter _writer;

    public ErrorSinks(IEnumerable<ErrorLogConfig> logs, LogWriter writer)
    {
        _sinks = [.. logs.Select(log => (log.Level, new LogTarget(log.Path, 0, log.Syslog)))];
        _least = _sinks.Length == 0 ? (ErrorLevel)int.MaxValue : _sinks.Min(sink => sink.Level);
        _writer = writer;
    }

    public bool Takes(ErrorLevel level) => level >= _least;

    /// <param name="text">What goes behind the process's number.</param>
    public void Write(ErrorLevel level, string text)
    {
        DateTime now = DateTime.Now;
        int pid = Environment.ProcessId;
        string line = string.Create(
            CultureInfo.InvariantCulture,
            $"{now:yyyy/MM/dd HH:mm:ss} [{NameOf(level)}] {pid}#{pid}: {text}");
        byte[] bytes = Encoding.UTF8.GetBytes(line);
        int length = Math.Min(bytes.Length, MaxLineBytes - 1);
        Array.Resize(ref bytes, length + 1);
        bytes[length] = (byte)'\n';
        foreach ((ErrorLevel least, LogTarget target) in _sinks)
        {
            if (level >= least)
            {
                _writer.Enqueue(new LogChunk(WithSeverity(target, level), bytes, bytes.Length, 1));
            }
        }
    }

    /// <summary>As nginx writes it.</summary>
    public static string NameOf(ErrorLevel level) => level switch
    {
        ErrorLevel.Debug => "debug",
        ErrorLevel.Information => "info",
        ErrorLevel.Notice => "notice",
        ErrorLevel.Warning => "warn",
        ErrorLevel.Error => "error",
        ErrorLevel.Critical => "crit",
        ErrorLevel.Alert => "alert",
        _ => "emerg",
    };

    /// <summary>The severity of a datagram is its line's (RFC 3164 section 4.1.1).</summary>
    private static LogTarget WithSeverity(LogTarget target, ErrorLevel level) =>
        target.Syslog is not { } syslog ? target : target with
        {
            Syslog = syslog with
            {
                Priority = (syslog.Priority & ~7) | (ErrorLevel.Emergency - level),
            },
        };
}
