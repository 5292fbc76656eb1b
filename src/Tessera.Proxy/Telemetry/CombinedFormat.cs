using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Http;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Telemetry;

/// <summary>
/// nginx's combined format, and behind it the endpoints that were tried with their times:
/// <c>"$upstream_addr" rt=$request_time uct=$upstream_connect_time urt=$upstream_response_time</c>.
/// Several tries are separated by a comma and a space, as nginx separates them. Stateless.
/// </summary>
internal static class CombinedFormat
{
    /// <summary>Returns the bytes written, or 0 when there is too little room.</summary>
    public static int Write(
        Exchange exchange, ReactorClock clock, long nowMs, Span<byte> destination)
    {
        RequestHead head = exchange.Request;
        ReadOnlySpan<byte> received = exchange.Received;
        var writer = new ByteWriter(destination);
        writer.Write(exchange.Client.PeerText);
        writer.Write(" - - ["u8);
        writer.Write(clock.LogTime);
        writer.Write("] \""u8);
        WriteRequestLine(ref writer, head, received);
        writer.Write("\" "u8);
        writer.WriteNumber(exchange.Status);
        writer.Write((byte)' ');
        writer.WriteNumber(exchange.BodyBytesSent);
        WriteFields(ref writer, head, received);
        WriteUpstream(ref writer, exchange, nowMs);
        return writer.HasOverflowed ? 0 : writer.Length;
    }

    /// <summary>"-" for a request whose line was not understood.</summary>
    private static void WriteRequestLine(
        ref ByteWriter writer, RequestHead head, ReadOnlySpan<byte> received)
    {
        if (head.TargetLength == 0)
        {
            writer.Write((byte)'-');
            return;
        }

        // Method, target and version stand as they were sent, up to the line's end.
        int end = head.TargetStart + head.TargetLength;
        LogEscape.WriteText(ref writer, received[head.MethodStart..end]);
        writer.Write(head.MinorVersion == 1 ? " HTTP/1.1"u8 : " HTTP/1.0"u8);
    }

    private static void WriteFields(
        ref ByteWriter writer, RequestHead head, ReadOnlySpan<byte> received)
    {
        ReadOnlySpan<byte> referer = "-"u8;
        ReadOnlySpan<byte> userAgent = "-"u8;
        foreach (ref readonly HeaderField field in head.Headers.AsSpan(0, head.HeaderCount))
        {
            if (field.Kind == HeaderKind.Referer)
            {
                referer = field.Value(received);
            }
            else if (field.Kind == HeaderKind.UserAgent)
            {
                userAgent = field.Value(received);
            }
        }

        writer.Write(" \""u8);
        LogEscape.WriteText(ref writer, referer);
        writer.Write("\" \""u8);
        LogEscape.WriteText(ref writer, userAgent);
        writer.Write("\" \""u8);
    }

    private static void WriteUpstream(ref ByteWriter writer, Exchange exchange, long nowMs)
    {
        ReadOnlySpan<Try> tries = exchange.Tries;
        tries = tries[..Math.Min(tries.Length, UpstreamValue.MaxTries)];
        if (tries.IsEmpty)
        {
            writer.Write((byte)'-');
        }

        for (int i = 0; i < tries.Length; i++)
        {
            writer.Write(i > 0 ? ", "u8 : default);
            writer.Write(tries[i].Endpoint.AddressText);
        }

        writer.Write("\" rt="u8);
        VariableValue.WriteSeconds(ref writer, nowMs - exchange.StartMs);
        writer.Write(" uct="u8);
        for (int i = 0; i < tries.Length; i++)
        {
            writer.Write(i > 0 ? ", "u8 : default);
            UpstreamValue.WriteSpan(ref writer, tries[i].StartMs, tries[i].ConnectedMs);
        }

        writer.Write(tries.IsEmpty ? "- urt=-"u8 : " urt="u8);
        for (int i = 0; i < tries.Length; i++)
        {
            writer.Write(i > 0 ? ", "u8 : default);
            UpstreamValue.WriteSpan(ref writer, tries[i].StartMs, tries[i].EndMs);
        }

        writer.Write((byte)'\n');
    }
}
