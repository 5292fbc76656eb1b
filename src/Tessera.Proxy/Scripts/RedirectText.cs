using System.Buffers;
using System.Globalization;
using Tessera.Proxy.Forwarding;

namespace Tessera.Proxy.Scripts;

/// <summary>How rewrites encode and decode parts of URIs. Stateless.</summary>
internal static class RedirectText
{
    /// <summary>What has no place in a query (NGX_ESCAPE_ARGS).</summary>
    private static readonly SearchValues<byte> Escaped = SearchValues.Create(
        [.. Enumerable.Range(0, 33).Select(i => (byte)i), .. "\"#%&+;<>?\\^`{|}"u8,
            .. Enumerable.Range(127, 129).Select(i => (byte)i)]);

    public static void Escape(ref ByteWriter writer, scoped ReadOnlySpan<byte> text)
    {
        foreach (byte value in text)
        {
            if (Escaped.Contains(value))
            {
                writer.Write((byte)'%');
                writer.Write((byte)"0123456789ABCDEF"[value >> 4]);
                writer.Write((byte)"0123456789ABCDEF"[value & 15]);
            }
            else
            {
                writer.Write(value);
            }
        }
    }

    /// <summary>
    /// Decodes, in place, what needs no escape before the query (NGX_UNESCAPE_REDIRECT). Returns
    /// the new length.
    /// </summary>
    public static int Unescape(Span<byte> text)
    {
        int length = 0;
        for (int i = 0; i < text.Length; i++)
        {
            byte value = text[i];
            bool isEscape = value == '%' && i + 2 < text.Length
                && char.IsAsciiHexDigit((char)text[i + 1])
                && char.IsAsciiHexDigit((char)text[i + 2]);
            byte decoded = isEscape
                ? byte.Parse(text.Slice(i + 1, 2), NumberStyles.AllowHexSpecifier)
                : value;
            bool endsPath = decoded == '?';
            if (isEscape && decoded is > (byte)'%' and < 0x7F)
            {
                text[length++] = decoded;
                i += 2;
            }
            else
            {
                text[length++] = value;
                endsPath = value == '?';
            }

            if (endsPath)
            {
                text[(i + 1)..].CopyTo(text[length..]);
                return length + text.Length - i - 1;
            }
        }

        return length;
    }
}
