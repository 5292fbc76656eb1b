using System.Globalization;
using System.Numerics;

namespace Tessera.Stack.Compose.Yaml;

/// <summary>
/// Plain scalars as YAML 1.2's core schema has them, with the integers that Compose's reader takes
/// besides (<c>0b</c>, underscores, a leading zero for octal). <c>yes</c>, <c>no</c>, <c>on</c> and
/// <c>off</c> are strings.
/// </summary>
internal static class Scalars
{
    /// <summary>Value of a plain scalar without a tag: null, bool, long, double or
    /// string.</summary>
    public static object? Resolve(string text)
    {
        switch (text)
        {
            case "" or "~" or "null" or "Null" or "NULL":
                return null;
            case "true" or "True" or "TRUE":
                return true;
            case "false" or "False" or "FALSE":
                return false;
            case ".inf" or ".Inf" or ".INF" or "+.inf" or "+.Inf" or "+.INF":
                return double.PositiveInfinity;
            case "-.inf" or "-.Inf" or "-.INF":
                return double.NegativeInfinity;
            case ".nan" or ".NaN" or ".NAN":
                return double.NaN;
        }

        char first = text[0];
        if (!char.IsAsciiDigit(first) && first is not ('-' or '+' or '.'))
        {
            return text;
        }

        if (TryInteger(text, out long integer))
        {
            return integer;
        }

        return TryFloat(text, out double number) ? number : text;
    }

    public static bool TryInteger(string text, out long value)
    {
        value = 0;
        ReadOnlySpan<char> digits = text;
        bool negative = digits.StartsWith("-");
        if (negative || digits.StartsWith("+"))
        {
            digits = digits[1..];
        }

        (int radix, int prefix) = digits switch
        {
            ['0', 'x' or 'X', ..] => (16, 2),
            ['0', 'o' or 'O', ..] => (8, 2),
            ['0', 'b' or 'B', ..] => (2, 2),
            ['0', _, ..] => (8, 1),
            _ => (10, 0),
        };
        digits = digits[prefix..];
        if (digits.IsEmpty || digits[0] == '_' || digits.Length > 128)
        {
            return false;
        }

        Int128 sum = 0;
        foreach (char digit in digits)
        {
            if (digit == '_')
            {
                continue;
            }

            int weight = char.IsAsciiHexDigit(digit) ? Convert.ToInt32(digit.ToString(), 16) : 99;
            if (weight >= radix)
            {
                return false;
            }

            sum = (sum * radix) + weight;
            if (sum > (Int128)long.MaxValue + 1)
            {
                return false;
            }
        }

        sum = negative ? -sum : sum;
        value = sum <= long.MaxValue ? (long)sum : 0;
        return sum <= long.MaxValue;
    }

    public static bool TryFloat(string text, out double value)
    {
        value = 0;
        bool hasDigit = false;
        foreach (char character in text)
        {
            hasDigit |= char.IsAsciiDigit(character);
            if (!char.IsAsciiDigit(character) && character is not ('.' or 'e' or 'E' or '+' or '-'))
            {
                return false;
            }
        }

        return hasDigit && double.TryParse(
            text, NumberStyles.Float, CultureInfo.InvariantCulture, out value)
            && double.IsFinite(value);
    }

    /// <summary>A number as Go's <c>%v</c> prints it: shortest form, exponent from 1e21
    /// on.</summary>
    public static string Format(double value)
    {
        if (!double.IsFinite(value))
        {
            return double.IsNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
        }

        string shortest = value.ToString("R", CultureInfo.InvariantCulture);
        if (!shortest.Contains('E', StringComparison.Ordinal))
        {
            return shortest;
        }

        double magnitude = Math.Abs(value);
        return magnitude is >= 1e-4 and < 1e21
            ? WithoutExponent(value)
            : GoExponent(shortest);
    }

    private static string GoExponent(string shortest)
    {
        int e = shortest.IndexOf('E', StringComparison.Ordinal);
        string sign = shortest[e + 1] == '-' ? "-" : "+";
        string digits = shortest[(e + 1)..].TrimStart('+', '-').TrimStart('0').PadLeft(2, '0');
        return $"{shortest[..e]}e{sign}{digits}";
    }

    private static string WithoutExponent(double value) => Math.Abs(value) >= 1
        ? new BigInteger(value).ToString(CultureInfo.InvariantCulture)
        : ((decimal)value).ToString(CultureInfo.InvariantCulture);
}
