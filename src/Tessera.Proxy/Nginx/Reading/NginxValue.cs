using System.Buffers;
using System.Globalization;

namespace Tessera.Proxy.Nginx;

/// <summary>
/// Reads arguments as nginx's configuration does: numbers, sizes ("64k"), times ("1m 30s",
/// "500ms"). Errors are nginx's. Stateless.
/// </summary>
internal static class NginxValue
{
    private static readonly SearchValues<char> AfterUnit = SearchValues.Create(" 0123456789");

    /// <exception cref="NginxConfigException">It does not fit <paramref name="kind"/>.</exception>
    public static void Check(NginxDirective directive, ValueKind kind)
    {
        foreach (string text in directive.Arguments)
        {
            switch (kind)
            {
                case ValueKind.Flag when text is not ("on" or "off"):
                    throw directive.Error(
                        $"invalid value \"{text}\" in \"{directive.Name}\" directive, "
                        + "it must be \"on\" or \"off\"");
                case ValueKind.Number:
                    Number(directive, text);
                    break;
                case ValueKind.Size:
                    Size(directive, text);
                    break;
                case ValueKind.Milliseconds or ValueKind.Seconds:
                    Milliseconds(directive, text);
                    break;
                default:
                    break;
            }
        }
    }

    public static int Number(NginxDirective directive, string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number)
            ? number
            : throw directive.Error($"\"{directive.Name}\" directive invalid number");

    public static long Size(NginxDirective directive, string text) =>
        TrySize(text, out long bytes)
            ? bytes
            : throw directive.Error($"\"{directive.Name}\" directive invalid value");

    public static int Milliseconds(NginxDirective directive, string text) =>
        TryMilliseconds(text, out int milliseconds)
            ? milliseconds
            : throw directive.Error($"\"{directive.Name}\" directive invalid value");

    public static bool TrySize(string text, out long bytes)
    {
        bytes = 0;
        long unit = text.Length == 0 ? 1 : char.ToLowerInvariant(text[^1]) switch
        {
            'k' => 1L << 10,
            'm' => 1L << 20,
            'g' => 1L << 30,
            _ => 1,
        };
        ReadOnlySpan<char> digits = unit == 1 ? text : text.AsSpan(0, text.Length - 1);
        if (!long.TryParse(
                digits, NumberStyles.None, CultureInfo.InvariantCulture, out long number)
            || number > long.MaxValue / unit)
        {
            return false;
        }

        bytes = number * unit;
        return true;
    }

    /// <summary>
    /// Units from the largest to the smallest, each once: y M w d h m s ms; none is seconds, and
    /// comes last.
    /// </summary>
    public static bool TryMilliseconds(string text, out int milliseconds)
    {
        ReadOnlySpan<string> units = ["y", "M", "w", "d", "h", "m", "s", "ms"];
        ReadOnlySpan<long> lengths =
        [
            31_536_000_000, 2_592_000_000, 604_800_000, 86_400_000, 3_600_000, 60_000, 1_000, 1,
        ];
        milliseconds = 0;
        long sum = 0;
        int next = 0;
        ReadOnlySpan<char> rest = text.AsSpan().Trim();
        if (rest.IsEmpty)
        {
            return false;
        }

        while (!rest.IsEmpty)
        {
            int digits = rest.IndexOfAnyExceptInRange('0', '9');
            digits = digits < 0 ? rest.Length : digits;
            if (!long.TryParse(
                rest[..digits], NumberStyles.None, CultureInfo.InvariantCulture, out long number))
            {
                return false;
            }

            rest = rest[digits..];
            int letters = rest.IndexOfAny(AfterUnit);
            letters = letters < 0 ? rest.Length : letters;
            string unit = rest[..letters].ToString();
            int index = unit.Length == 0 ? units.IndexOf("s") : units.IndexOf(unit);
            if (index < next || (unit.Length == 0 && letters < rest.Length)
                || number > int.MaxValue)
            {
                return false;
            }

            next = index + 1;
            sum += number * lengths[index];
            rest = rest[letters..].TrimStart(' ');
        }

        milliseconds = (int)Math.Min(sum, int.MaxValue);
        return true;
    }
}
