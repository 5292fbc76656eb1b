using Tessera.Proxy.Answers;
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
        if (exchange.IsReplyBare)
        {
            return;
        }

        ResponseHead head = exchange.Response;
        writer.Write("HTTP/1.1 "u8);
        if (exchange.StatusOverride > 0)
        {
            writer.WriteNumber(exchange.StatusOverride);
            writer.Write((byte)' ');
            writer.Write(StatusLine.ReasonOf(exchange.StatusOverride));
        }
        else
        {
            writer.WriteNumber(head.StatusCode);
            writer.Write(head.ReasonLength > 0 ? " "u8 : default);
            writer.Write(reply.Slice(head.ReasonStart, head.ReasonLength));
        }

        writer.Write("\r\n"u8);
        WriteOwnFields(ref writer, exchange, rule, reply);
        WriteLength(ref writer, exchange);
        int location = WriteLocation(ref writer, exchange, rule, reply);
        AnswerHead.WriteConnection(ref writer, exchange, option);
        writer.Write(exchange.Varies ? "Vary: Accept-Encoding\r\n"u8 : default);
        writer.Write(exchange.AddedFields[..exchange.CarriedBytes]);
        for (int i = 0; i < head.HeaderCount; i++)
        {
            ref readonly HeaderField field = ref head.Headers[i];
            if (field.Kind == HeaderKind.ETag && (exchange.IsReworked || exchange.ReplacesETag))
            {
                ReadOnlySpan<byte> etag = field.Value(reply);
                exchange.WriteETag(ref writer, IsRepeated(head, i, reply) ? default : etag);
            }
            else if (field.Kind == HeaderKind.ContentEncoding && exchange.Inflates)
            {
                WriteOuterCodings(ref writer, field.Value(reply));
            }
            else if (i != location && Passes(exchange, field, rule, reply)
                && !IsRepeated(head, i, reply))
            {
                WriteField(ref writer, exchange, rule, field, reply);
            }
        }

        writer.Write(exchange.AddedFields[exchange.CarriedBytes..]);
        writer.Write(exchange.ReplyCoding == ContentCoding.Gzip
            ? "Content-Encoding: gzip\r\n"u8
            : default);
        writer.Write("\r\n"u8);
    }

    /// <summary>What is left of a list when its last coding was taken back.</summary>
    private static void WriteOuterCodings(
        ref ByteWriter writer, scoped ReadOnlySpan<byte> codings)
    {
        int comma = codings.LastIndexOf((byte)',');
        if (comma > 0)
        {
            writer.Write("Content-Encoding: "u8);
            writer.Write(codings[..comma].TrimEnd(" \t"u8));
            writer.Write("\r\n"u8);
        }
    }

    /// <summary>The fields of an interim response that the client may see.</summary>
    public static void WriteHints(
        ref ByteWriter writer, Exchange exchange, PassRule rule, scoped ReadOnlySpan<byte> reply)
    {
        ResponseHead head = exchange.Response;
        foreach (ref readonly HeaderField field in head.Headers.AsSpan(0, head.HeaderCount))
        {
            if (Passes(exchange, field, rule, reply))
            {
                WriteField(ref writer, exchange, rule, field, reply);
            }
        }
    }

    /// <summary>Who answers, when, and of which type it is.</summary>
    private static void WriteOwnFields(
        ref ByteWriter writer, Exchange exchange, PassRule rule, scoped ReadOnlySpan<byte> reply)
    {
        ResponseHead head = exchange.Response;
        int type = IndexOf(head, HeaderKind.ContentType);
        if (rule.Hides("Server"u8))
        {
            writer.Write(exchange.Style is { } style ? style.ServerLine : default);
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
            WriteType(ref writer, exchange, head.Headers[type].Value(reply));
            writer.Write("\r\n"u8);
        }
    }

    private static void WriteType(
        ref ByteWriter writer, Exchange exchange, scoped ReadOnlySpan<byte> type)
    {
        if (exchange.Style is { } style)
        {
            style.WriteType(ref writer, type, exchange);
        }
        else
        {
            writer.Write(type);
        }
    }

    private static void WriteLength(ref ByteWriter writer, Exchange exchange)
    {
        ResponseHead head = exchange.Response;
        bool isAsItWas = !exchange.LosesLength;
        if (isAsItWas && !head.IsChunked && head.ContentLength >= 0)
        {
            writer.Write("Content-Length: "u8);
            writer.WriteNumber(head.ContentLength);
            writer.Write("\r\n"u8);
        }

        bool isChunked = exchange.AddsChunks
            || (exchange.TakesChunks && exchange.SendsBody
                && (!isAsItWas || exchange.ReplyBody.Framing == BodyFraming.Chunked));
        writer.Write(isChunked ? "Transfer-Encoding: chunked\r\n"u8 : default);
    }

    /// <summary>
    /// A Location that proxy_redirect has made one of this server's own: nginx writes it in full,
    /// and further up (absolute_redirect). Returns its index, or -1 when there is none.
    /// </summary>
    private static int WriteLocation(
        ref ByteWriter writer, Exchange exchange, PassRule rule, scoped ReadOnlySpan<byte> reply)
    {
        int location = rule.Redirects.Length == 0 || rule.Hides("Location"u8)
            ? -1
            : IndexOf(exchange.Response, HeaderKind.Location);
        if (location < 0)
        {
            return -1;
        }

        int start = writer.Length;
        writer.Write("Location: "u8);
        int value = writer.Length;
        if (!ReplyRewrite.TryRedirect(
                ref writer, exchange, rule, exchange.Response.Headers[location].Value(reply))
            || writer.Length == value || writer.Written[value] != '/')
        {
            writer.Truncate(start);
            return -1;
        }

        exchange.SetRedirect(writer.Written[value..]);
        if (exchange.Style is not { Config.MakesLocationsAbsolute: true } style)
        {
            writer.Truncate(start);
            return -1;
        }

        writer.Truncate(start);
        exchange.WriteLocation(ref writer, style, isEarly: true);
        return location;
    }

    /// <summary>What was written already, or is for the backend's own hop, does not.</summary>
    private static bool Passes(
        Exchange exchange, in HeaderField field, PassRule rule, ReadOnlySpan<byte> reply) =>
        field.Kind is not (HeaderKind.Connection or HeaderKind.KeepAlive
            or HeaderKind.TransferEncoding or HeaderKind.ContentLength or HeaderKind.ContentType)
        && !(exchange.HasNewCoding && field.Kind == HeaderKind.AcceptRanges)
        && !((exchange.LosesValidators || exchange.ReplacesLastModified)
            && Is(field, reply, "Last-Modified"u8))
        && !(exchange.HasExpiry
            && (field.Kind == HeaderKind.CacheControl || Is(field, reply, "Expires"u8)))
        && !rule.Hides(field.Name(reply));

    /// <summary>
    /// A field that stands once in a response, and has come before: from 1.23 on nginx ignores what
    /// follows the first.
    /// </summary>
    private static bool IsRepeated(ResponseHead head, int index, ReadOnlySpan<byte> reply)
    {
        ref readonly HeaderField field = ref head.Headers[index];
        bool standsOnce = field.Kind is HeaderKind.ETag or HeaderKind.Location
                or HeaderKind.ContentEncoding or HeaderKind.AcceptRanges or HeaderKind.Server
                or HeaderKind.Date
            || (field.Kind == HeaderKind.Other
                && (Is(field, reply, "Last-Modified"u8) || Is(field, reply, "Expires"u8)
                    || Is(field, reply, "Refresh"u8) || Is(field, reply, "Status"u8)));
        for (int i = 0; standsOnce && i < index; i++)
        {
            ref readonly HeaderField other = ref head.Headers[i];
            if (other.Kind == field.Kind && Is(other, reply, field.Name(reply)))
            {
                return true;
            }
        }

        return false;
    }

    private static bool Is(
        in HeaderField field, ReadOnlySpan<byte> reply, ReadOnlySpan<byte> name) =>
        field.NameLength == name.Length
        && System.Text.Ascii.EqualsIgnoreCase(field.Name(reply), name);

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
