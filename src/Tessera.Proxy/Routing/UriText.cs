using System.Buffers;
using Tessera.Proxy.Forwarding;

namespace Tessera.Proxy.Routing;

/// <summary>Percent-encoding (RFC 3986 section 2.1), to and fro. Stateless.</summary>
internal static class UriText
{
    private const string Unreserved =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

    /// <summary>pchar and "/" (RFC 3986 section 3.3).</summary>
    private static readonly SearchValues<byte> InPath = Bytes(Unreserved + "!$&'()*+,;=:@/");

    /// <summary>Whatever may stand somewhere in a URI, escapes that are there included.</summary>
    private static readonly SearchValues<byte> InUri =
        Bytes(Unreserved + "!$&'()*+,;=:@/?#[]%");

    private static readonly SearchValues<byte> InChangedPath =
        Bytes(Unreserved + "!$&'()*+,;=:@/[]");

    /// <summary>Writes a decoded path so that it means itself, whatever is in it.</summary>
    public static void WritePath(ref ByteWriter writer, scoped ReadOnlySpan<byte> path) =>
        Write(ref writer, path, InPath);

    /// <summary>
    /// Writes a decoded path as nginx sends one that is not the client's own: only what would mean
    /// something else is encoded (NGX_ESCAPE_URI).
    /// </summary>
    public static void WriteChangedPath(ref ByteWriter writer, scoped ReadOnlySpan<byte> path) =>
        Write(ref writer, path, InChangedPath);

    /// <summary>Writes a URI without the bytes that no URI has: spaces, controls, quotes.</summary>
    public static void WriteUri(ref ByteWriter writer, scoped ReadOnlySpan<byte> uri) =>
        Write(ref writer, uri, InUri);

    /// <summary>
    /// Decodes a name or value of a query, "+" as a space. Returns the length; what has no room
    /// is left out.
    /// </summary>
    public static int Decode(ReadOnlySpan<byte> text, Span<byte> destination)
    {
        int length = 0;
        for (int i = 0; i < text.Length && length < destination.Length; i++)
        {
            byte value = text[i];
            if (value == '%' && i + 2 < text.Length
                && char.IsAsciiHexDigit((char)text[i + 1])
                && char.IsAsciiHexDigit((char)text[i + 2]))
            {
                value = (byte)((Digit(text[i + 1]) << 4) | Digit(text[i + 2]));
                i += 2;
            }
            else if (value == '+')
            {
                value = (byte)' ';
            }

            destination[length++] = value;
        }

        return length;
    }

    private static void Write(
        ref ByteWriter writer, scoped ReadOnlySpan<byte> text, SearchValues<byte> allowed)
    {
        while (!text.IsEmpty)
        {
            int run = text.IndexOfAnyExcept(allowed);
            if (run < 0)
            {
                writer.Write(text);
                return;
            }

            writer.Write(text[..run]);
            writer.Write((byte)'%');
            writer.Write(Hex(text[run] >> 4));
            writer.Write(Hex(text[run] & 15));
            text = text[(run + 1)..];
        }
    }

    private static int Digit(byte hex) => hex <= '9' ? hex - '0' : (hex | 0x20) - 'a' + 10;

    private static byte Hex(int digit) => (byte)(digit < 10 ? '0' + digit : 'A' + digit - 10);

    private static SearchValues<byte> Bytes(string text) =>
        SearchValues.Create([.. text.Select(c => (byte)c)]);
}
