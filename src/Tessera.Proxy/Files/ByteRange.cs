using System.Text;

namespace Tessera.Proxy.Files;

/// <summary>What a Range field comes to.</summary>
internal enum RangeOutcome : byte
{
    /// <summary>The whole file: there is no range, or none that is understood.</summary>
    Whole,

    /// <summary>206.</summary>
    Parts,

    /// <summary>416: nothing of what is asked for is there.</summary>
    NotSatisfiable,
}

/// <summary>Bytes <paramref name="First"/> to <paramref name="Last"/>, both included.</summary>
internal readonly record struct ByteRange(long First, long Last)
{
    /// <summary>
    /// Ranges of one request; with more, the whole file is sent: a request must not cost more than
    /// that.
    /// </summary>
    public const int MaxRanges = 16;

    public long Length => Last - First + 1;

    /// <summary>
    /// Reads "bytes=0-499, -500, 9500-" (RFC 9110 section 14.1.2). Ranges that overlap or touch
    /// become one, so that no byte is sent twice.
    /// </summary>
    /// <param name="length">Of the file. An empty one has no ranges.</param>
    /// <param name="ranges">Has room for <see cref="MaxRanges"/>.</param>
    public static RangeOutcome Parse(
        ReadOnlySpan<byte> field, long length, Span<ByteRange> ranges, out int count)
    {
        count = 0;
        int equals = field.IndexOf((byte)'=');
        if (length == 0 || equals < 0 || !Ascii.EqualsIgnoreCase(field[..equals], "bytes"u8))
        {
            return RangeOutcome.Whole;
        }

        int members = 0;
        ReadOnlySpan<byte> list = field[(equals + 1)..];
        foreach (Range member in list.Split((byte)','))
        {
            ReadOnlySpan<byte> text = list[member].Trim(" \t"u8);
            if (text.IsEmpty)
            {
                continue;
            }

            if (++members > MaxRanges || !TryRead(text, length, out ByteRange range))
            {
                count = 0;
                return RangeOutcome.Whole;
            }

            if (range.First < length && range.Length > 0)
            {
                count = Merge(ranges, count, range);
            }
        }

        return members == 0 ? RangeOutcome.Whole
            : count == 0 ? RangeOutcome.NotSatisfiable
            : RangeOutcome.Parts;
    }

    /// <summary>False for what is no range at all, which voids its neighbours as well.</summary>
    private static bool TryRead(ReadOnlySpan<byte> text, long length, out ByteRange range)
    {
        range = default;
        int dash = text.IndexOf((byte)'-');
        if (dash < 0)
        {
            return false;
        }

        bool hasFirst = TryReadNumber(text[..dash], out long first);
        bool hasLast = TryReadNumber(text[(dash + 1)..], out long last);
        if (dash == 0)
        {
            // The last so many bytes; of a shorter file all of them.
            range = new ByteRange(Math.Max(0, length - last), length - 1);
            return hasLast;
        }

        if (!hasFirst || (hasLast ? last < first : dash + 1 < text.Length))
        {
            return false;
        }

        range = new ByteRange(first, hasLast ? Math.Min(last, length - 1) : length - 1);
        return true;
    }

    /// <summary>More than a number can hold is beyond every file.</summary>
    private static bool TryReadNumber(ReadOnlySpan<byte> digits, out long value)
    {
        value = 0;
        foreach (byte digit in digits)
        {
            if (!char.IsAsciiDigit((char)digit))
            {
                return false;
            }

            value = value > (long.MaxValue - 9) / 10
                ? long.MaxValue
                : (value * 10) + (digit - '0');
        }

        return !digits.IsEmpty;
    }

    /// <summary>
    /// Joins the range with all that it overlaps or touches; they keep the place of the first.
    /// </summary>
    private static int Merge(Span<ByteRange> ranges, int count, ByteRange range)
    {
        int place = count;
        for (int i = count - 1; i >= 0; i--)
        {
            ByteRange other = ranges[i];
            if (range.First > other.Last + 1 || other.First > range.Last + 1)
            {
                continue;
            }

            range = new ByteRange(
                Math.Min(range.First, other.First), Math.Max(range.Last, other.Last));
            ranges[(i + 1)..count].CopyTo(ranges[i..]);
            count--;
            place = i;
        }

        ranges[place..count].CopyTo(ranges[(place + 1)..]);
        ranges[place] = range;
        return count + 1;
    }
}
