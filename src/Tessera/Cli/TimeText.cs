using System.Globalization;
using System.Text.RegularExpressions;
using Tessera.Stack;

namespace Tessera.Cli;

/// <summary>Reads points in time as docker does.</summary>
internal static partial class TimeText
{
    /// <summary>
    /// Reads an age (<c>1h30m</c>, counted back from <paramref name="now"/>), a date and time
    /// (RFC 3339, or without a zone in local time), or seconds since 1970; null stays null.
    /// </summary>
    public static DateTimeOffset? ParsePoint(string? text, DateTimeOffset now, string option)
    {
        if (text is null)
        {
            return null;
        }

        if (TryParseAge(text, out TimeSpan age))
        {
            return now - age;
        }

        if (double.TryParse(
            text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double seconds)
            && seconds < MaxEpochSeconds)
        {
            return DateTimeOffset.UnixEpoch + TimeSpan.FromSeconds(seconds);
        }

        if (DateTimeOffset.TryParse(
            text,
            CultureInfo.InvariantCulture,
            DateTimeStyles.AssumeLocal,
            out DateTimeOffset point))
        {
            return point;
        }

        throw new UserErrorException(
            $"{option}: '{text}' is neither a time (2026-01-31T13:00:00Z) nor an age (1h30m) nor "
            + "a number of seconds since 1970 (1769864400)");
    }

    /// <summary>The last second of the year 9999.</summary>
    private const double MaxEpochSeconds = 253_402_300_799;

    private static bool TryParseAge(string text, out TimeSpan age)
    {
        age = TimeSpan.Zero;
        Match match = AgePattern().Match(text);
        if (!match.Success || text.Length == 0)
        {
            return false;
        }

        foreach (Capture part in match.Groups["part"].Captures)
        {
            string unit = part.Value.TrimStart("0123456789.".ToCharArray());
            double count = double.Parse(part.Value[..^unit.Length], CultureInfo.InvariantCulture);
            age += unit switch
            {
                "h" => TimeSpan.FromHours(count),
                "m" => TimeSpan.FromMinutes(count),
                "s" => TimeSpan.FromSeconds(count),
                _ => TimeSpan.FromMilliseconds(count),
            };
        }

        return true;
    }

    [GeneratedRegex(@"^(?<part>[0-9]{1,9}(\.[0-9]{1,9})?(h|ms|m|s))+$")]
    private static partial Regex AgePattern();
}
