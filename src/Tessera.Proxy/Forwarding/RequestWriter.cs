using Tessera.Proxy.Http;
using Tessera.Proxy.Routing;

namespace Tessera.Proxy.Forwarding;

/// <summary>
/// Writes the head that goes upstream: the client's own fields in their order, without those of its
/// hop, and with what a server behind a proxy wants to know. Stateless.
/// </summary>
internal static class RequestWriter
{
    /// <summary>A head grows by less than this.</summary>
    public const int MaxAddedBytes = 1_024;

    /// <summary>
    /// Returns the bytes written; <paramref name="destination"/> has room for them.
    /// </summary>
    /// <param name="received">The client's head, from the byte that the parser began at.</param>
    /// <param name="clientAddress">In text.</param>
    /// <param name="endpointAddress">Stands for the host when a HTTP/1.0 client names none.</param>
    /// <param name="exchange">Whose route has the last word; for its variables too.</param>
    /// <param name="traceParent">In place of the client's; empty passes that on.</param>
    public static int Write(
        RequestHead head,
        ReadOnlySpan<byte> received,
        ReadOnlySpan<byte> clientAddress,
        ReadOnlySpan<byte> endpointAddress,
        Exchange exchange,
        ReadOnlySpan<byte> traceParent,
        Span<byte> destination)
    {
        var writer = new ByteWriter(destination);
        FieldEdit? edit = exchange.Route?.RequestFields;
        WriteRequestLine(ref writer, head, received, exchange.MethodText, exchange.Target);
        if (edit is null || !edit.Drops("host"u8))
        {
            WriteHost(ref writer, head, received, endpointAddress);
        }

        WriteKeptFields(ref writer, head, received, edit, isTraced: !traceParent.IsEmpty);
        if (head.IsChunked)
        {
            writer.Write("Transfer-Encoding: chunked\r\n"u8);
        }

        if (head.IsUpgrade)
        {
            WriteUpgrade(ref writer, head, received);
        }

        if (!traceParent.IsEmpty && (edit is null || !edit.Drops("traceparent"u8)))
        {
            writer.Write("traceparent: "u8);
            writer.Write(traceParent);
            writer.Write("\r\n"u8);
        }

        if (edit is null)
        {
            WriteClient(ref writer, head, received, clientAddress);
        }
        else
        {
            WriteClient(ref writer, head, received, clientAddress, edit);
            edit.Write(ref writer, exchange);
            writer.Write("\r\n"u8);
        }

        return writer.HasOverflowed
            ? throw new InvalidOperationException("the request head outgrew its buffer")
            : writer.Length;
    }

    /// <summary>Who asked, and the end of the head.</summary>
    private static void WriteClient(
        ref ByteWriter writer, RequestHead head, ReadOnlySpan<byte> received,
        ReadOnlySpan<byte> clientAddress)
    {
        writer.Write("X-Real-IP: "u8);
        writer.Write(clientAddress);
        writer.Write("\r\nX-Forwarded-For: "u8);
        WriteForwardedFor(ref writer, head, received);
        writer.Write(clientAddress);
        writer.Write("\r\nX-Forwarded-Proto: http\r\n\r\n"u8);
    }

    /// <summary>Who asked, where the route does not say it in its own way.</summary>
    private static void WriteClient(
        ref ByteWriter writer, RequestHead head, ReadOnlySpan<byte> received,
        ReadOnlySpan<byte> clientAddress, FieldEdit edit)
    {
        if (!edit.Drops("x-real-ip"u8))
        {
            writer.Write("X-Real-IP: "u8);
            writer.Write(clientAddress);
            writer.Write("\r\n"u8);
        }

        if (!edit.Drops("x-forwarded-for"u8))
        {
            writer.Write("X-Forwarded-For: "u8);
            WriteForwardedFor(ref writer, head, received);
            writer.Write(clientAddress);
            writer.Write("\r\n"u8);
        }

        if (!edit.Drops("x-forwarded-proto"u8))
        {
            writer.Write("X-Forwarded-Proto: http\r\n"u8);
        }
    }

    /// <param name="target">Rewritten; empty for the client's own.</param>
    private static void WriteRequestLine(
        ref ByteWriter writer, RequestHead head, ReadOnlySpan<byte> received,
        ReadOnlySpan<byte> method, ReadOnlySpan<byte> target)
    {
        writer.Write(method);
        writer.Write((byte)' ');
        if (!target.IsEmpty)
        {
            writer.Write(target);
            writer.Write(" HTTP/1.1\r\n"u8);
            return;
        }

        // An origin server gets origin form (RFC 9112 section 3.2.1), whose path is never empty.
        if (head.IsAbsoluteForm && head.PathLength == 0)
        {
            writer.Write((byte)'/');
        }

        writer.Write(received.Slice(head.OriginFormStart, head.OriginFormLength));
        writer.Write(" HTTP/1.1\r\n"u8);
    }

    private static void WriteHost(
        ref ByteWriter writer,
        RequestHead head,
        ReadOnlySpan<byte> received,
        ReadOnlySpan<byte> endpointAddress)
    {
        writer.Write("Host: "u8);
        writer.Write(head.HostLength > 0 || head.MinorVersion == 1
            ? received.Slice(head.HostStart, head.HostLength)
            : endpointAddress);
        writer.Write("\r\n"u8);
    }

    /// <summary>Copies runs of neighbouring fields that are kept in one piece each.</summary>
    private static void WriteKeptFields(
        ref ByteWriter writer, RequestHead head, ReadOnlySpan<byte> received, FieldEdit? edit,
        bool isTraced)
    {
        ReadOnlySpan<HeaderField> fields = head.Headers.AsSpan(0, head.HeaderCount);
        int runStart = -1;
        int runEnd = -1;
        for (int i = 0; i < fields.Length; i++)
        {
            ref readonly HeaderField field = ref fields[i];
            bool isKept = !field.IsHopByHop && !IsReplaced(field.Kind)
                && !(isTraced && field.Kind == HeaderKind.TraceParent)
                && (edit is null || !edit.Drops(field.Name(received)));
            if (isKept && runStart < 0)
            {
                runStart = field.Start;
            }
            else if (!isKept && runStart >= 0)
            {
                writer.Write(received[runStart..runEnd]);
                runStart = -1;
            }

            runEnd = field.End;
        }

        if (runStart >= 0)
        {
            writer.Write(received[runStart..runEnd]);
        }
    }

    /// <summary>
    /// Expect is answered here; the others are written anew, so that no client can vouch for
    /// itself. As with nginx, X-Forwarded-Host, X-Forwarded-Port and Forwarded pass as the client
    /// sent them: a server must not trust them. Trailers pass too; their framing and bytes were
    /// checked by the rules of a head's fields.
    /// </summary>
    private static bool IsReplaced(HeaderKind kind) => kind
        is HeaderKind.Host or HeaderKind.Expect or HeaderKind.XRealIp
        or HeaderKind.XForwardedFor or HeaderKind.XForwardedProto;

    private static void WriteUpgrade(
        ref ByteWriter writer, RequestHead head, ReadOnlySpan<byte> received)
    {
        writer.Write("Connection: upgrade\r\n"u8);
        foreach (ref readonly HeaderField field in head.Headers.AsSpan(0, head.HeaderCount))
        {
            if (field.Kind == HeaderKind.Upgrade)
            {
                writer.Write(received[field.Start..field.End]);
            }
        }
    }

    /// <summary>
    /// What the client says about those before it, as nginx's $proxy_add_x_forwarded_for.
    /// </summary>
    private static void WriteForwardedFor(
        ref ByteWriter writer, RequestHead head, ReadOnlySpan<byte> received)
    {
        foreach (ref readonly HeaderField field in head.Headers.AsSpan(0, head.HeaderCount))
        {
            if (field.Kind == HeaderKind.XForwardedFor && field.ValueLength > 0
                && !field.IsHopByHop)
            {
                writer.Write(field.Value(received));
                writer.Write(", "u8);
            }
        }
    }
}
