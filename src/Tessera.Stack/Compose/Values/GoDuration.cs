using System.Buffers;
using System.Globalization;
using System.Text;

namespace Tessera.Stack.Compose.Values;

/// <summary>
/// A duration as Compose files have it: numbers with units (<c>1h30m</c>, <c>1.5s</c>,
/// <c>500ms</c>, also <c>d</c> and <c>w</c>), printed as Go does.
/// </summary>
internal readonly record struct GoDuration(long Nanoseconds)
{
    private static readonly SearchValues<char> Digits = SearchValues.Create("0123456789.");

    private const decimal Nanosecond = 1;
    private const decimal Second = 1_000_000_000;

    public TimeSpan ToTimeSpan() => TimeSpan.FromTicks(Nanoseconds / TimeSpan.NanosecondsPerTick);

    public static bool TryParse(string text, out GoDuration duration)
    {
        duration = default;
        ReadOnlySpan<char> rest = text;
        bool negative = rest.StartsWith("-");
        if (negative || rest.StartsWith("+"))
        {
            rest = rest[1..];
        }

        if (rest is "0")
        {
            return true;
        }

        if (rest.IsEmpty || rest.Length > 64)
        {
            return false;
        }

        decimal sum = 0;
        while (!rest.IsEmpty)
        {
            int digits = rest.IndexOfAnyExcept(Digits);
            if (digits is <= 0 or > 20 || !decimal.TryParse(
                rest[..digits], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture,
                out decimal number))
            {
                return false;
            }

            rest = rest[digits..];
            int unitLength = rest.IndexOfAny(Digits);
            unitLength = unitLength < 0 ? rest.Length : unitLength;
            if (UnitOf(rest[..unitLength]) is not { } unit
                || number > long.MaxValue / unit)
            {
                return false;
            }

            sum += number * unit;
            rest = rest[unitLength..];
        }

        if (sum > long.MaxValue)
        {
            return false;
        }

        duration = new GoDuration(negative ? -(long)sum : (long)sum);
        return true;
    }

    public override string ToString()
    {
        if (Nanoseconds == 0)
        {
            return "0s";
        }

        decimal rest = Math.Abs((decimal)Nanoseconds);
        StringBuilder text = new(Nanoseconds < 0 ? "-" : "");
        if (rest < Second)
        {
            (decimal unit, string name) = rest < 1_000 ? (Nanosecond, "ns")
                : rest < 1_000_000 ? (1_000m, "µs") : (1_000_000m, "ms");
            return text.Append(Plain(rest / unit)).Append(name).ToString();
        }

        decimal hours = decimal.Floor(rest / (3600 * Second));
        decimal minutes = decimal.Floor(rest / (60 * Second)) % 60;
        if (hours > 0)
        {
            text.Append(Plain(hours)).Append('h');
        }

        if (hours > 0 || minutes > 0)
        {
            text.Append(Plain(minutes)).Append('m');
        }

        return text.Append(Plain(rest % (60 * Second) / Second)).Append('s').ToString();
    }

    private static string Plain(decimal number) =>
        number.ToString("0.#########", CultureInfo.InvariantCulture);

    private static decimal? UnitOf(ReadOnlySpan<char> name) => name switch
    {
        "ns" => Nanosecond,
        "us" or "µs" or "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => Second,
        "m" => 60 * Second,
        "h" => 3600 * Second,
        "d" => 86_400 * Second,
        "w" => 604_800 * Second,
        _ => null,
    };
}
