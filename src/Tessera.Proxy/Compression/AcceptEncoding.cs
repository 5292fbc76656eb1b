using System.Text;
using Tessera.Proxy.Http;

namespace Tessera.Proxy.Compression;

/// <summary>
/// Chooses a coding by what the client says it accepts (RFC 9110 section 12.5.3). Stateless.
/// </summary>
internal static class AcceptEncoding
{
    private const int MaxWeight = 1_000;

    /// <summary>Not named by the client.</summary>
    private const int Unnamed = -1;

    /// <summary>
    /// The coding of <paramref name="offered"/> with the highest weight, Brotli before gzip where
    /// they are equal; identity when none is accepted, or the client would rather have that.
    /// </summary>
    public static ContentCoding Choose(
        RequestHead head, ReadOnlySpan<byte> received, ContentCodings offered)
    {
        int gzip = Unnamed;
        int brotli = Unnamed;
        int identity = Unnamed;
        int any = Unnamed;
        foreach (ref readonly HeaderField field in head.Headers.AsSpan(0, head.HeaderCount))
        {
            if (field.Kind == HeaderKind.AcceptEncoding)
            {
                Read(field.Value(received), ref gzip, ref brotli, ref identity, ref any);
            }
        }

        gzip = Weigh(gzip, any, offered.HasFlag(ContentCodings.Gzip));
        brotli = Weigh(brotli, any, offered.HasFlag(ContentCodings.Brotli));
        (ContentCoding best, int weight) = brotli >= gzip
            ? (ContentCoding.Brotli, brotli)
            : (ContentCoding.Gzip, gzip);
        return weight > 0 && weight >= identity ? best : ContentCoding.Identity;
    }

    private static int Weigh(int named, int any, bool isOffered) =>
        !isOffered ? 0 : named != Unnamed ? named : Math.Max(any, 0);

    private static void Read(
        ReadOnlySpan<byte> list, ref int gzip, ref int brotli, ref int identity, ref int any)
    {
        while (!list.IsEmpty)
        {
            int comma = list.IndexOf((byte)',');
            ReadOnlySpan<byte> member = comma < 0 ? list : list[..comma];
            list = comma < 0 ? default : list[(comma + 1)..];
            int semicolon = member.IndexOf((byte)';');
            ReadOnlySpan<byte> name = (semicolon < 0 ? member : member[..semicolon]).Trim(" \t"u8);
            int weight = semicolon < 0 ? MaxWeight : ReadWeight(member[(semicolon + 1)..]);
            if (Ascii.EqualsIgnoreCase(name, "gzip"u8) || Ascii.EqualsIgnoreCase(name, "x-gzip"u8))
            {
                gzip = weight;
            }
            else if (Ascii.EqualsIgnoreCase(name, "br"u8))
            {
                brotli = weight;
            }
            else if (Ascii.EqualsIgnoreCase(name, "identity"u8))
            {
                identity = weight;
            }
            else if (name.SequenceEqual("*"u8))
            {
                any = weight;
            }
        }
    }

    /// <summary>
    /// "q=" and up to three digits behind the point (RFC 9110 section 12.4.2), in thousandths; what
    /// is malformed weighs nothing.
    /// </summary>
    private static int ReadWeight(ReadOnlySpan<byte> text)
    {
        text = text.Trim(" \t"u8);
        if (text.Length < 3 || (text[0] | 0x20) != 'q' || text[1] != '=')
        {
            return 0;
        }

        text = text[2..];
        if (text[0] is not ((byte)'0' or (byte)'1') || text.Length > 5
            || (text.Length > 1 && text[1] != '.'))
        {
            return 0;
        }

        int weight = (text[0] - '0') * MaxWeight;
        int unit = MaxWeight;
        foreach (byte digit in text.Length > 2 ? text[2..] : default)
        {
            if (!char.IsAsciiDigit((char)digit))
            {
                return 0;
            }

            unit /= 10;
            weight += (digit - '0') * unit;
        }

        return Math.Min(weight, MaxWeight);
    }
}
