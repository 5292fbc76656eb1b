using Tessera.Proxy.Compression;
using Tessera.Proxy.Http;
using Tessera.Proxy.Routing;

namespace Tessera.Proxy.Forwarding;

/// <summary>
/// Writes the head that a client gets for an answer of a backend, in nginx's order
/// (ngx_http_header_filter): what says who answers, what, how long and over which connection, then
/// the backend's other fields in theirs. Stateless.
/// </summary>
internal static class PassReplyWriter
{
    /// <param name="reply">Begins at the head's first byte.</param>
    /// <param name="body">How the client gets it: in chunks that the backend did not make.</param>
    public static void Write(
        ref ByteWriter writer, Exchange exchange, PassRule rule, scoped ReadOnlySpan<byte> reply,
        ConnectionOption option)
    {
        ResponseHead head = exchange.Response;
        int lineEnd = head.HeaderCount > 0 ? head.Headers[0].Start : head.Length - 2;
        writer.Write("HTTP/1.1 "u8);
        writer.Write(reply["HTTP/1.1 ".Length..lineEnd]);
        WriteOwnFields(ref writer, exchange, rule, reply);
        WriteLength(ref writer, exchange);
        writer.Write(option switch
        {
            ConnectionOption.Close => "Connection: close\r\n"u8,
            ConnectionOption.Upgrade => "Connection: upgrade\r\n"u8,
            _ => "Connection: keep-alive\r\n"u8,
        });
        foreach (ref readonly HeaderField field in head.Headers.AsSpan(0, head.HeaderCount))
        {
            if (Passes(field, rule, reply, exchange.ReplyCoding))
            {
                WriteField(ref writer, exchange, rule, field, reply);
            }
        }

        writer.Write(exchange.AddedFields);
        writer.Write("\r\n"u8);
    }

    /// <summary>Who answers, when, and of which type it is.</summary>
    private static void WriteOwnFields(
        ref ByteWriter writer, Exchange exchange, PassRule rule, scoped ReadOnlySpan<byte> reply)
    {
        ResponseHead head = exchange.Response;
        int type = IndexOf(head, HeaderKind.ContentType);
        if (rule.Hides("Server"u8))
        {
            writer.Write("Server: "u8);
            writer.Write(ServerName.Text);
            writer.Write("\r\n"u8);
        }

        if (rule.Hides("Date"u8))
        {
            writer.Write("Date: "u8);
            writer.Write(exchange.Client.Shard.Clock.HttpDate);
            writer.Write("\r\n"u8);
        }

        if (type >= 0 && head.Headers[type].ValueLength > 0 && !rule.Hides("Content-Type"u8))
        {
            writer.Write("Content-Type: "u8);
            writer.Write(head.Headers[type].Value(reply));
            writer.Write("\r\n"u8);
        }
    }

    private static void WriteLength(ref ByteWriter writer, Exchange exchange)
    {
        ResponseHead head = exchange.Response;
        bool isAsItWas = exchange.ReplyCoding == ContentCoding.Identity;
        if (isAsItWas && !head.IsChunked && head.ContentLength >= 0)
        {
            writer.Write("Content-Length: "u8);
            writer.WriteNumber(head.ContentLength);
            writer.Write("\r\n"u8);
        }

        bool isChunked = exchange.AddsChunks
            || (isAsItWas && exchange.ReplyBody.Framing == BodyFraming.Chunked
                && exchange.Request.MinorVersion == 1);
        writer.Write(isChunked ? "Transfer-Encoding: chunked\r\n"u8 : default);
    }

    /// <summary>What was written already, or is for the backend's own hop, does not.</summary>
    private static bool Passes(
        in HeaderField field, PassRule rule, ReadOnlySpan<byte> reply, ContentCoding coding) =>
        field.Kind is not (HeaderKind.Connection or HeaderKind.KeepAlive
            or HeaderKind.TransferEncoding or HeaderKind.ContentLength or HeaderKind.ContentType
            or HeaderKind.Trailer)
        && !(coding != ContentCoding.Identity && field.IsHopByHop)
        && !rule.Hides(field.Name(reply));

    private static void WriteField(
        ref ByteWriter writer, Exchange exchange, PassRule rule, in HeaderField field,
        scoped ReadOnlySpan<byte> reply)
    {
        writer.Write(field.Name(reply));
        writer.Write(": "u8);
        int start = writer.Length;
        ReadOnlySpan<byte> value = field.Value(reply);
        bool isRewritten = field.Kind switch
        {
            HeaderKind.Location => ReplyRewrite.TryRedirect(ref writer, exchange, rule, value),
            HeaderKind.SetCookie when !rule.KeepsCookies =>
                ReplyRewrite.TryCookie(ref writer, exchange, rule, value),
            HeaderKind.Other when rule.Redirects.Length > 0 && field.NameLength == 7
                && System.Text.Ascii.EqualsIgnoreCase(field.Name(reply), "refresh"u8) =>
                ReplyRewrite.TryRefresh(ref writer, exchange, rule, value),
            _ => false,
        };
        if (isRewritten)
        {
            writer.RemoveControls(start);
        }
        else
        {
            writer.Write(value);
        }

        writer.Write("\r\n"u8);
    }

    private static int IndexOf(ResponseHead head, HeaderKind kind)
    {
        for (int i = 0; i < head.HeaderCount; i++)
        {
            if (head.Headers[i].Kind == kind)
            {
                return i;
            }
        }

        return -1;
    }
}
