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
        LogFields fields = FindFields(head, received);
        writer.Write(" - "u8);
        WriteUser(ref writer, fields.Authorization);
        writer.Write(" ["u8);
        writer.Write(clock.LogTime);
        writer.Write("] \""u8);
        WriteRequestLine(ref writer, head, received);
        writer.Write("\" "u8);
        writer.WriteNumber(exchange.Status);
        writer.Write((byte)' ');
        writer.WriteNumber(exchange.BodyBytesSent);
        writer.Write(" \""u8);
        LogEscape.WriteText(ref writer, fields.Referer);
        writer.Write("\" \""u8);
        LogEscape.WriteText(ref writer, fields.UserAgent);
        writer.Write("\" \""u8);
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

    /// <summary>nginx's <c>$remote_user</c>; "-" for a request without one.</summary>
    private static void WriteUser(ref ByteWriter writer, ReadOnlySpan<byte> authorization)
    {
        if (authorization.IsEmpty)
        {
            writer.Write((byte)'-');
            return;
        }

        var user = new ByteWriter(stackalloc byte[VariableValue.MaxCredentialBytes]);
        VariableValue.WriteUser(ref user, authorization);
        LogEscape.WriteText(ref writer, user.Length == 0 ? "-"u8 : user.Written);
    }

    private static LogFields FindFields(RequestHead head, ReadOnlySpan<byte> received)
    {
        LogFields found = new() { Referer = "-"u8, UserAgent = "-"u8 };
        foreach (ref readonly HeaderField field in head.Headers.AsSpan(0, head.HeaderCount))
        {
            switch (field.Kind)
            {
                case HeaderKind.Referer:
                    found.Referer = field.Value(received);
                    break;
                case HeaderKind.UserAgent:
                    found.UserAgent = field.Value(received);
                    break;
                case HeaderKind.Authorization:
                    found.Authorization = field.Value(received);
                    break;
            }
        }

        return found;
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
            writer.Write(tries[i].AddressText);
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

    /// <summary>Values of the fields that a line has, found in one walk.</summary>
    private ref struct LogFields
    {
        public ReadOnlySpan<byte> Referer;
        public ReadOnlySpan<byte> UserAgent;
        public ReadOnlySpan<byte> Authorization;
    }
}
