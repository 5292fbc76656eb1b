using System.Buffers;
using System.Globalization;

namespace Tessera.Stack.Compose.Values;

/// <summary>Sizes such as <c>512m</c>, <c>1.5GB</c> or <c>64 KiB</c>; every unit is a power of
/// 1,024.</summary>
internal static class ByteSize
{
    private static readonly SearchValues<char> Digits = SearchValues.Create("0123456789.");

    public static bool TryParse(string text, out long bytes)
    {
        bytes = 0;
        int end = text.AsSpan().IndexOfAnyExcept(Digits);
        ReadOnlySpan<char> number = end < 0 ? text : text.AsSpan(0, end);
        if (number.Length is 0 or > 24 || !decimal.TryParse(
            number,
            NumberStyles.AllowDecimalPoint,
            CultureInfo.InvariantCulture,
            out decimal value))
        {
            return false;
        }

        string unit = end < 0 ? "" : text[end..].ToLowerInvariant();
        unit = unit.StartsWith(' ') ? unit[1..] : unit;
        int power = unit switch
        {
            "" or "b" => 0,
            "k" or "kb" or "ki" or "kib" => 1,
            "m" or "mb" or "mi" or "mib" => 2,
            "g" or "gb" or "gi" or "gib" => 3,
            "t" or "tb" or "ti" or "tib" => 4,
            "p" or "pb" or "pi" or "pib" => 5,
            _ => -1,
        };
        if (power < 0)
        {
            return false;
        }

        decimal factor = 1L << (10 * power);
        if (value > long.MaxValue / factor)
        {
            return false;
        }

        bytes = (long)(value * factor);
        return true;
    }
}
