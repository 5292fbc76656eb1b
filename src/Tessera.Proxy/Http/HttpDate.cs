using System.Buffers.Text;
using System.Globalization;
using System.Text;

namespace Tessera.Proxy.Http;

/// <summary>
/// HTTP-date in the form that is sent and the two old ones that are still taken (RFC 9110 section
/// 5.6.7), in seconds since 1970. Stateless; reading allocates nothing.
/// </summary>
internal static class HttpDate
{
    /// <summary>"Sun, 06 Nov 1994 08:49:37 GMT".</summary>
    private const int ImfLength = 29;

    /// <summary>"Sun Nov  6 08:49:37 1994".</summary>
    private const int AsctimeLength = 24;

    private static ReadOnlySpan<byte> Months => "JanFebMarAprMayJunJulAugSepOctNovDec"u8;

    public static byte[] Format(long unixSeconds)
    {
        // A file's time may be anything; a date may not.
        long known = Math.Clamp(
            unixSeconds,
            DateTimeOffset.MinValue.ToUnixTimeSeconds(),
            DateTimeOffset.MaxValue.ToUnixTimeSeconds());
        return Encoding.ASCII.GetBytes(
            DateTimeOffset.FromUnixTimeSeconds(known).ToString("r", CultureInfo.InvariantCulture));
    }

    /// <summary>False when the text is no date: it then counts as absent.</summary>
    public static bool TryParse(ReadOnlySpan<byte> text, out long unixSeconds)
    {
        unixSeconds = 0;
        if (text.Length == ImfLength && text[3] == ',')
        {
            return text[4] == ' ' && text[7] == ' ' && text[11] == ' '
                && TryCombine(
                    text[12..16], text[8..11], text[5..7], text[16..25], text[25..],
                    out unixSeconds);
        }

        if (text.Length == AsctimeLength && text[3] == ' ')
        {
            ReadOnlySpan<byte> day = text[8] == ' ' ? text[9..10] : text[8..10];
            return text[7] == ' ' && text[19] == ' '
                && TryCombine(
                    text[20..24], text[4..7], day, text[10..19], " GMT"u8, out unixSeconds);
        }

        // "Sunday, 06-Nov-94 08:49:37 GMT": a year of two digits that lies more than 50 years ahead
        // is one of the past.
        int comma = text.IndexOf((byte)',');
        if (comma < 0 || text.Length != comma + 24 || text[comma + 4] != '-'
            || text[comma + 8] != '-'
            || !TryNumber(text.Slice(comma + 9, 2), out int shortYear))
        {
            return false;
        }

        int now = DateTime.UtcNow.Year;
        int year = now - (now % 100) + shortYear;
        year -= year > now + 50 ? 100 : 0;
        Span<byte> full = stackalloc byte[4];
        return Utf8Formatter.TryFormat(year, full, out _)
            && text[comma + 1] == ' '
            && TryCombine(
                full, text.Slice(comma + 5, 3), text.Slice(comma + 2, 2),
                text.Slice(comma + 11, 9), text[(comma + 20)..], out unixSeconds);
    }

    /// <param name="time">" 08:49:37".</param>
    private static bool TryCombine(
        ReadOnlySpan<byte> year,
        ReadOnlySpan<byte> month,
        ReadOnlySpan<byte> day,
        ReadOnlySpan<byte> time,
        ReadOnlySpan<byte> zone,
        out long unixSeconds)
    {
        unixSeconds = 0;
        int monthAt = Months.IndexOf(month);
        if (!TryNumber(year, out int y) || !TryNumber(day, out int d)
            || monthAt < 0 || monthAt % 3 != 0
            || time[0] != ' ' || time[3] != ':' || time[6] != ':'
            || !TryNumber(time[1..3], out int h) || !TryNumber(time[4..6], out int min)
            || !TryNumber(time[7..9], out int s) || !zone.SequenceEqual(" GMT"u8))
        {
            return false;
        }

        int m = (monthAt / 3) + 1;
        if (y < 1 || d < 1 || d > DateTime.DaysInMonth(y, m) || h > 23 || min > 59 || s > 60)
        {
            return false;
        }

        // A leap second counts as the next one.
        unixSeconds = new DateTimeOffset(y, m, d, h, min, 0, TimeSpan.Zero).ToUnixTimeSeconds() + s;
        return true;
    }

    private static bool TryNumber(ReadOnlySpan<byte> digits, out int value)
    {
        value = 0;
        return !digits.ContainsAnyExceptInRange((byte)'0', (byte)'9')
            && Utf8Parser.TryParse(digits, out value, out int used)
            && used == digits.Length;
    }
}
