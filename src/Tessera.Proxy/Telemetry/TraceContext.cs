using System.Buffers.Text;
using Tessera.Proxy.Forwarding;

namespace Tessera.Proxy.Telemetry;

/// <summary>
/// Where a request stands in a trace, as W3C Trace Context has it (sections 3.2 and 4.3). Part of
/// one exchange's state.
/// </summary>
internal struct TraceContext
{
    /// <summary>"00-" trace id "-" span id "-" flags.</summary>
    public const int TraceParentBytes = 55;

    private const int FlagsStart = 53;
    private const byte SampledFlag = 1;

    /// <summary>The trace's id; both halves are 0 without tracing.</summary>
    public ulong High;
    public ulong Low;

    /// <summary>The span that the client named; 0 when the trace begins here.</summary>
    public ulong ParentId;

    /// <summary>The span of this request.</summary>
    public ulong SpanId;

    /// <summary>The spans of this request are recorded.</summary>
    public bool IsSampled;

    /// <summary>When its head was parsed, on <see cref="System.Diagnostics.Stopwatch"/>.</summary>
    public long StartTicks;

    public readonly bool IsOn => SpanId != 0;

    /// <summary>
    /// Reads what a client sent; false for what is invalid, which counts as nothing. Versions to
    /// come begin as this one does.
    /// </summary>
    public static bool TryParse(ReadOnlySpan<byte> text, out TraceContext context)
    {
        context = default;
        bool isFramed = text.Length >= TraceParentBytes
            && text[2] == '-' && text[35] == '-' && text[52] == '-'
            && (text.Length == TraceParentBytes
                || (text[TraceParentBytes] == '-' && !text.StartsWith("00"u8)));
        if (!isFramed
            || !TryParseHex(text[..2], out ulong version) || version == 0xFF
            || !TryParseHex(text.Slice(3, 16), out context.High)
            || !TryParseHex(text.Slice(19, 16), out context.Low)
            || !TryParseHex(text.Slice(36, 16), out context.ParentId)
            || !TryParseHex(text.Slice(FlagsStart, 2), out ulong flags))
        {
            return false;
        }

        context.IsSampled = (flags & SampledFlag) != 0;
        return (context.High | context.Low) != 0 && context.ParentId != 0;
    }

    /// <summary>The value of traceparent for the next hop, whose parent is our span.</summary>
    public readonly void WriteTraceParent(ref ByteWriter writer, ulong spanId)
    {
        writer.Write("00-"u8);
        writer.WriteHex(High);
        writer.WriteHex(Low);
        writer.Write((byte)'-');
        writer.WriteHex(spanId);
        writer.Write(IsSampled ? "-01"u8 : "-00"u8);
    }

    public readonly void WriteTraceId(ref ByteWriter writer)
    {
        if (IsOn)
        {
            writer.WriteHex(High);
            writer.WriteHex(Low);
        }
    }

    private static bool TryParseHex(ReadOnlySpan<byte> text, out ulong value) =>
        Utf8Parser.TryParse(text, out value, out int read, 'x')
        && read == text.Length
        && !text.ContainsAnyInRange((byte)'A', (byte)'F');
}
