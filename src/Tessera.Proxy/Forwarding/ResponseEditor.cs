using System.Text;
using Tessera.Proxy.Http;
using Tessera.Proxy.Routing;

namespace Tessera.Proxy.Forwarding;

/// <summary>What the head that goes to the client says about its connection.</summary>
internal enum ConnectionOption : byte
{
    /// <summary>Nothing: an HTTP/1.1 connection stays open.</summary>
    Implied,

    Close,

    /// <summary>Said to an HTTP/1.0 client that asked for it.</summary>
    KeepAlive,

    /// <summary>The connection becomes a tunnel.</summary>
    Upgrade,
}

/// <summary>
/// Makes the head that the endpoint sent the one that the client gets, in the buffer it was
/// received in: what stands before a dropped field moves over it, so the body behind the head stays
/// where it is and both leave in one send. Stateless.
/// </summary>
internal static class ResponseEditor
{
    /// <summary>
    /// Bytes to leave free before a head that will be edited: for "Connection: keep-alive" (24 with
    /// its CRLF) and a date (37).
    /// </summary>
    public const int Headroom = 64;

    /// <summary>
    /// "HTTP/1.1 200" and CRLF at least: the position of the minor version's digit.
    /// </summary>
    private const int MinorVersionIndex = 7;

    /// <summary>
    /// Returns where the head begins now. Offsets in <paramref name="head"/> are void afterwards.
    /// </summary>
    /// <param name="buffer">Holds the head at <paramref name="start"/>, after the headroom.</param>
    /// <param name="keepsChunks">False when the body goes on without its chunk framing.</param>
    /// <param name="edit">Fields that the route takes away; null for none.</param>
    /// <param name="added">Field lines, for which there is headroom.</param>
    /// <param name="date">
    /// The value of Date for a response that comes without (RFC 9110 section 6.6.1); empty for
    /// none.
    /// </param>
    public static int Edit(
        ResponseHead head,
        Span<byte> buffer,
        int start,
        ConnectionOption option,
        bool keepsChunks,
        FieldEdit? edit,
        ReadOnlySpan<byte> added,
        ReadOnlySpan<byte> date)
    {
        int statusLineEnd = head.HeaderCount > 0 ? head.Headers[0].Start : head.Length - 2;
        buffer[start + MinorVersionIndex] = (byte)'1';
        int shift = Drop(
            head, buffer, start, option == ConnectionOption.Upgrade, keepsChunks, edit,
            out bool hasDate);
        start += shift;
        ReadOnlySpan<byte> line = option switch
        {
            ConnectionOption.Close => "Connection: close\r\n"u8,
            ConnectionOption.KeepAlive => "Connection: keep-alive\r\n"u8,
            ConnectionOption.Upgrade => "Connection: upgrade\r\n"u8,
            _ => default,
        };
        ReadOnlySpan<byte> dateName = "Date: "u8;
        bool addsDate = !hasDate && !date.IsEmpty && !HasDate(added);
        int length = line.Length + added.Length
            + (addsDate ? dateName.Length + date.Length + 2 : 0);
        if (length == 0)
        {
            return start;
        }

        buffer.Slice(start, statusLineEnd).CopyTo(buffer[(start - length)..]);
        start -= length;
        var writer = new ByteWriter(buffer.Slice(start + statusLineEnd, length));
        if (addsDate)
        {
            writer.Write(dateName);
            writer.Write(date);
            writer.Write("\r\n"u8);
        }

        writer.Write(line);
        writer.Write(added);
        return start;
    }

    /// <summary>
    /// From the last field to the first, each kept run moves once. Returns the bytes dropped.
    /// </summary>
    private static int Drop(
        ResponseHead head, Span<byte> buffer, int start, bool isUpgrade, bool keepsChunks,
        FieldEdit? edit, out bool hasDate)
    {
        hasDate = false;
        bool isBare = head.StatusCode is < 200 or 204;
        int shift = 0;
        int runEnd = head.Length;
        for (int i = head.HeaderCount - 1; i >= 0; i--)
        {
            ref readonly HeaderField field = ref head.Headers[i];
            // 1xx and 204 have neither length nor chunks (RFC 9110 section 8.6, RFC 9112 section
            // 6.1), and without chunks there is no trailer.
            bool isKept = !field.IsHopByHop
                || (field.Kind == HeaderKind.TransferEncoding && keepsChunks && !isBare)
                || (field.Kind == HeaderKind.Upgrade && isUpgrade);
            isKept &= !(field.Kind == HeaderKind.ContentLength && isBare)
                && !(field.Kind == HeaderKind.Trailer && head.IsChunked && !keepsChunks);
            if (isKept && (edit is null || !edit.Drops(field.Name(buffer[start..]))))
            {
                hasDate |= field.Kind == HeaderKind.Date;
                continue;
            }

            Move(buffer, start + field.End, start + runEnd, shift);
            shift += field.End - field.Start;
            runEnd = field.Start;
        }

        Move(buffer, start, start + runEnd, shift);
        return shift;
    }

    /// <summary>The route writes a date of its own.</summary>
    private static bool HasDate(ReadOnlySpan<byte> added)
    {
        while (!added.IsEmpty)
        {
            if (added.Length >= 5 && Ascii.EqualsIgnoreCase(added[..5], "date:"u8))
            {
                return true;
            }

            added = added[(added.IndexOf((byte)'\n') + 1)..];
        }

        return false;
    }

    private static void Move(Span<byte> buffer, int start, int end, int shift)
    {
        if (shift > 0)
        {
            buffer[start..end].CopyTo(buffer[(start + shift)..]);
        }
    }
}
