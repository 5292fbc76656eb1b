using System.Text;
using Tessera.Proxy.Compression;
using Tessera.Proxy.Http;
using HttpMethod = Tessera.Proxy.Http.HttpMethod;

namespace Tessera.Proxy.Forwarding;

/// <summary>
/// Decides whether a response is compressed on its way, and makes its head say so. Stateless.
/// </summary>
internal static class ReplyCompression
{
    /// <summary>Longer tags are left out of a compressed response.</summary>
    private const int MaxTagBytes = 256;

    /// <summary>All lines that are added, the tag's among them.</summary>
    private const int MaxLinesBytes = MaxTagBytes + 128;

    /// <summary>
    /// Called with the head as the endpoint sent it. Fields that a compressed response must not
    /// have are marked to be dropped, the others are added to the exchange.
    /// </summary>
    /// <param name="hasRoom">Another body can be compressed now.</param>
    public static ContentCoding Prepare(
        Exchange exchange, CompressionRule rule, BodyFraming framing, bool hasRoom)
    {
        // (1) Is it of the kind that is compressed?
        ResponseHead head = exchange.Response;
        ReadOnlySpan<byte> reply = exchange.Reply.AsSpan(exchange.ReplyStart);
        bool isWhole = head.StatusCode is >= 200 and not (204 or 206 or 304);
        bool isLong = head.ContentLength < 0 || head.ContentLength >= rule.MinBytes;
        if (!isWhole || !isLong || !MayTransform(head, reply, rule))
        {
            return ContentCoding.Identity;
        }

        // (2) A cache must know that others may get it otherwise, whatever this client takes (RFC
        // 9110 section 12.5.5).
        RequestHead request = exchange.Request;
        if (!exchange.HasRoomForFields(MaxLinesBytes))
        {
            return ContentCoding.Identity;
        }

        if (!VariesByCoding(head, reply))
        {
            exchange.TryAddField("Vary"u8, "Accept-Encoding"u8);
        }

        // (3) Does this client take it? Chunks, which its length needs, are HTTP/1.1.
        bool canTake = framing != BodyFraming.None && request.MinorVersion == 1
            && request.Method != HttpMethod.Head && hasRoom;
        ContentCoding coding = canTake
            ? AcceptEncoding.Choose(request, exchange.Received, rule.Codings)
            : ContentCoding.Identity;
        if (coding != ContentCoding.Identity)
        {
            Edit(exchange, head, reply, coding);
        }

        return coding;
    }

    /// <summary>
    /// Its type is covered, it has no coding yet, and nobody forbids it (RFC 9111 section 5.2.2.6).
    /// </summary>
    private static bool MayTransform(
        ResponseHead head, ReadOnlySpan<byte> reply, CompressionRule rule)
    {
        bool isCovered = false;
        foreach (ref readonly HeaderField field in head.Headers.AsSpan(0, head.HeaderCount))
        {
            ReadOnlySpan<byte> value = field.Value(reply);
            switch (field.Kind)
            {
                case HeaderKind.ContentType:
                    isCovered = rule.Covers(value);
                    break;
                case HeaderKind.ContentEncoding when !value.IsEmpty:
                case HeaderKind.ContentRange:
                case HeaderKind.CacheControl when Lists(value, "no-transform"u8):
                    return false;
                default:
                    break;
            }
        }

        return isCovered;
    }

    private static bool VariesByCoding(ResponseHead head, ReadOnlySpan<byte> reply)
    {
        foreach (ref readonly HeaderField field in head.Headers.AsSpan(0, head.HeaderCount))
        {
            if (field.Kind == HeaderKind.Vary
                && (Lists(field.Value(reply), "Accept-Encoding"u8)
                    || field.Value(reply).SequenceEqual("*"u8)))
            {
                return true;
            }
        }

        return false;
    }

    private static bool Lists(ReadOnlySpan<byte> list, ReadOnlySpan<byte> member)
    {
        foreach (Range range in list.Split((byte)','))
        {
            if (Ascii.EqualsIgnoreCase(list[range].Trim(" \t"u8), member))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>
    /// Its length and its ranges are those of other bytes; its tag stands for the same content, no
    /// longer for the same bytes, so it becomes a weak one (RFC 9110 section 8.8.1).
    /// </summary>
    private static void Edit(
        Exchange exchange, ResponseHead head, ReadOnlySpan<byte> reply, ContentCoding coding)
    {
        exchange.TryAddField("Content-Encoding"u8, ContentCodingNames.TokenOf(coding));
        exchange.TryAddField("Transfer-Encoding"u8, "chunked"u8);
        Span<byte> weak = stackalloc byte[MaxTagBytes + 2];
        foreach (ref HeaderField field in head.Headers.AsSpan(0, head.HeaderCount))
        {
            ReadOnlySpan<byte> value = field.Value(reply);
            bool isStrongTag = field.Kind == HeaderKind.ETag && value.Length > 0 && value[0] == '"';
            field.IsHopByHop |= isStrongTag
                || field.Kind is HeaderKind.ContentLength or HeaderKind.AcceptRanges;
            if (isStrongTag && value.Length <= MaxTagBytes)
            {
                "W/"u8.CopyTo(weak);
                value.CopyTo(weak[2..]);
                exchange.TryAddField("ETag"u8, weak[..(value.Length + 2)]);
            }
        }
    }
}
