using System.Buffers;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Telemetry;

/// <summary>
/// What a line of an access log consists of, made ready once. The combined format has a way of its
/// own, which is quicker. Immutable.
/// </summary>
internal sealed class AccessLogFormat
{
    /// <summary>No line is longer than this.</summary>
    public const int MaxLineBytes = 64 * 1_024;

    /// <summary>Of a value, in a line whose values did not fit as they are.</summary>
    private const int CutValueBytes = 256;

    /// <summary>Values that are cut are no longer than this: a head fits.</summary>
    private const int MaxCutBytes = 256 * 1_024;

    /// <summary>"0" and "" are all that a condition is compared with.</summary>
    private const int ConditionBytes = 64;

    /// <summary>One object a line; numbers where there is always one.</summary>
    private const string Json =
        """
        {"time":"$time_iso8601","remote_addr":"$remote_addr","method":"$request_method",
        "host":"$http_host","uri":"$request_uri","protocol":"$server_protocol","status":$status,
        "body_bytes_sent":$body_bytes_sent,"request_length":$request_length,
        "request_time":$request_time,"referer":"$http_referer","user_agent":"$http_user_agent",
        "route":"$route","backend":"$backend","instance":"$instance",
        "upstream_addr":"$upstream_addr","upstream_status":"$upstream_status",
        "upstream_connect_time":"$upstream_connect_time",
        "upstream_header_time":"$upstream_header_time",
        "upstream_response_time":"$upstream_response_time","trace_id":"$trace_id"}
        """;

    private readonly Template? _template;
    private readonly Template? _condition;
    private readonly LogEscaping _escaping;

    private AccessLogFormat(Template? template, AccessLogConfig config, LogEscaping escaping)
    {
        _template = template;
        Template? condition = config.Condition is null ? null : Template.Parse(config.Condition);
        _condition = condition;
        _escaping = escaping;
        Path = config.HasVariablePath ? Template.Parse(config.Path) : null;
        KeepsHeads = template is { IsOfReplyHead: true } || condition is { IsOfReplyHead: true };
    }

    /// <summary>It wants what stood in the heads of responses.</summary>
    public bool KeepsHeads { get; }

    /// <summary>What the path of a line is made of; null where all lines have the same.</summary>
    public Template? Path { get; }

    /// <summary>What is wrong with a format, as a sentence; null when nothing is.</summary>
    public static string? ProblemOf(AccessLogConfig config)
    {
        try
        {
            Parse(config);
            return null;
        }
        catch (FormatException fault)
        {
            return fault.Message.TrimEnd('.') + '.';
        }
    }

    /// <exception cref="FormatException">It names a variable that does not exist.</exception>
    public static AccessLogFormat Parse(AccessLogConfig config) => config.Format switch
    {
        AccessLogConfig.CombinedFormat => new(null, config, LogEscaping.Text),
        AccessLogConfig.JsonFormat => new(
            Template.Parse(Json.ReplaceLineEndings("")), config, LogEscaping.Json),
        _ => new(Template.Parse(config.Format), config, config.Escaping),
    };

    /// <summary>False for a request that gets no line: nginx's access_log … if=.</summary>
    public bool Includes(Exchange exchange)
    {
        if (_condition is null)
        {
            return true;
        }

        var value = new ByteWriter(stackalloc byte[ConditionBytes]);
        _condition.Write(ref value, exchange);
        return value.HasOverflowed
            || !(value.Written.IsEmpty || value.Written.SequenceEqual("0"u8));
    }

    /// <summary>Returns the bytes written, or 0 when there is too little room.</summary>
    public int Write(Exchange exchange, ReactorClock clock, long nowMs, Span<byte> destination)
    {
        if (_template is null)
        {
            return CombinedFormat.Write(exchange, clock, nowMs, destination);
        }

        // The line is what has a limit: its values are cut only when they do not fit together.
        int written = WriteWhole(exchange, destination);
        if (written == 0 && destination.Length >= MaxLineBytes)
        {
            written = WriteCut(exchange, destination, LogEscape.MaxValueBytes);
            written = written > 0 ? written : WriteCut(exchange, destination, CutValueBytes);
        }

        return written;
    }

    private int WriteWhole(Exchange exchange, Span<byte> destination)
    {
        var writer = new ByteWriter(destination);
        foreach (Template.Part part in _template!.Parts)
        {
            if (part.Literal is { } literal)
            {
                writer.Write(literal);
                continue;
            }

            // Most values need no escaping, and are where they belong at once.
            int start = writer.Length;
            VariableValue.Write(part.Variable, ref writer, exchange);
            ReadOnlySpan<byte> value = writer.Written[start..];
            if (writer.HasOverflowed)
            {
                return 0;
            }

            if (value.IsEmpty && VariablePresence.IsThere(part.Variable, exchange))
            {
                continue;
            }

            if (value.IsEmpty || !LogEscape.IsPlain(value))
            {
                EscapeBehind(ref writer, start);
            }
        }

        writer.Write((byte)'\n');
        return writer.HasOverflowed ? 0 : writer.Length;
    }

    /// <summary>The same with values that are cut, however long each is.</summary>
    private int WriteCut(Exchange exchange, Span<byte> destination, int maxValueBytes)
    {
        byte[] scratch = ArrayPool<byte>.Shared.Rent(MaxCutBytes);
        var writer = new ByteWriter(destination);
        foreach (Template.Part part in _template!.Parts)
        {
            if (part.Literal is { } literal)
            {
                writer.Write(literal);
                continue;
            }

            var value = new ByteWriter(scratch);
            VariableValue.Write(part.Variable, ref value, exchange);
            if (value.Length > 0 || !VariablePresence.IsThere(part.Variable, exchange))
            {
                WriteEscaped(ref writer, value.Written[..Math.Min(value.Length, maxValueBytes)]);
            }
        }

        ArrayPool<byte>.Shared.Return(scratch);
        writer.Write((byte)'\n');
        return writer.HasOverflowed ? 0 : writer.Length;
    }

    /// <summary>Writes anew what stands behind <paramref name="start"/>.</summary>
    private void EscapeBehind(ref ByteWriter writer, int start)
    {
        int length = writer.Length - start;
        byte[]? rented = length > LogEscape.MaxValueBytes
            ? ArrayPool<byte>.Shared.Rent(length)
            : null;
        Span<byte> value = rented ?? stackalloc byte[LogEscape.MaxValueBytes];
        value = value[..length];
        writer.Written[start..].CopyTo(value);
        writer.Truncate(start);
        WriteEscaped(ref writer, value);
        if (rented is not null)
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    private void WriteEscaped(ref ByteWriter writer, scoped ReadOnlySpan<byte> value)
    {
        switch (_escaping)
        {
            case LogEscaping.Text:
                LogEscape.WriteText(ref writer, value, value.Length);
                break;
            case LogEscaping.Json:
                LogEscape.WriteJson(ref writer, value);
                break;
            default:
                writer.Write(value);
                break;
        }
    }
}
