using System.Text;
using Tessera.Proxy.Http;

namespace Tessera.Proxy.Files;

/// <summary>
/// Ranges as nginx takes them (ngx_http_range_parse): in the order asked for, as they are, and a
/// list that makes no sense is one that cannot be satisfied. Stateless.
/// </summary>
internal static class DocumentRanges
{
    /// <summary>Whatever is allowed: a request must not cost more memory than this.</summary>
    private const int MostRanges = 1_024;

    /// <summary>Room for a few is used again; more make an array of their own.</summary>
    public static RangeOutcome Parse(
        ReadOnlySpan<byte> field, long length, int maxRanges, List<ByteRange> ranges)
    {
        ranges.Clear();
        ReadOnlySpan<byte> unit = "bytes="u8;
        if (field.Length < unit.Length + 1 || !Ascii.EqualsIgnoreCase(field[..unit.Length], unit))
        {
            return RangeOutcome.Whole;
        }

        long sum = 0;
        ReadOnlySpan<byte> list = field[unit.Length..];
        foreach (Range member in list.Split((byte)','))
        {
            if (!TryRead(list[member].Trim((byte)' '), length, out long first, out long end))
            {
                return RangeOutcome.NotSatisfiable;
            }

            if (first < end)
            {
                if (ranges.Count >= Math.Min(maxRanges, MostRanges))
                {
                    return RangeOutcome.Whole;
                }

                ranges.Add(new ByteRange(first, end - 1));
                sum = sum > long.MaxValue - (end - first) ? long.MaxValue : sum + end - first;
            }
            else if (first == 0)
            {
                return RangeOutcome.Whole;
            }
        }

        return ranges.Count == 0 ? RangeOutcome.NotSatisfiable
            : sum > length ? RangeOutcome.Whole
            : RangeOutcome.Parts;
    }

    /// <summary>A range is only of use while the client's part is of the same file.</summary>
    public static bool IsOfThis(
        RequestHead head, ReadOnlySpan<byte> received, ReadOnlySpan<byte> etag, long modified)
    {
        if (!DocumentConditions.TryFind(head, received, HeaderKind.IfRange, out var validator))
        {
            return true;
        }

        return validator.Length >= 2 && validator[^1] == '"'
            ? !etag.IsEmpty && validator.SequenceEqual(etag)
            : modified >= 0 && HttpDate.TryParse(validator, out long seconds)
                && seconds == modified;
    }

    /// <param name="end">Behind the last byte.</param>
    private static bool TryRead(
        ReadOnlySpan<byte> text, long length, out long first, out long end)
    {
        first = 0;
        end = 0;
        int dash = text.IndexOf((byte)'-');
        if (dash < 0)
        {
            return false;
        }

        ReadOnlySpan<byte> from = text[..dash].TrimEnd((byte)' ');
        ReadOnlySpan<byte> to = text[(dash + 1)..].TrimStart((byte)' ');
        bool hasFrom = TryNumber(from, out first);
        bool hasTo = TryNumber(to, out end);
        if (from.IsEmpty)
        {
            first = end < length ? length - end : 0;
            end = length;
            return hasTo;
        }

        if (!hasFrom || !(hasTo || to.IsEmpty))
        {
            return false;
        }

        end = hasTo && end < length ? end + 1 : length;
        return true;
    }

    private static bool TryNumber(ReadOnlySpan<byte> digits, out long value)
    {
        value = 0;
        foreach (byte digit in digits)
        {
            if (!char.IsAsciiDigit((char)digit) || value > (long.MaxValue - 9) / 10)
            {
                return false;
            }

            value = (value * 10) + (digit - '0');
        }

        return !digits.IsEmpty;
    }
}
