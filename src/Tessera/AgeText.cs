using System.Globalization;

namespace Tessera;

/// <summary>Words ages as docker does.</summary>
internal static class AgeText
{
    /// <summary>"5 minutes", "About an hour".</summary>
    public static string Of(TimeSpan age)
    {
        (double count, string unit) = age switch
        {
            { TotalSeconds: < 1 } => (0, ""),
            { TotalMinutes: < 1 } => (age.TotalSeconds, "second"),
            { TotalHours: < 1 } => (age.TotalMinutes, "minute"),
            { TotalDays: < 2 } => (age.TotalHours, "hour"),
            { TotalDays: < 14 } => (age.TotalDays, "day"),
            { TotalDays: < 60 } => (age.TotalDays / 7, "week"),
            { TotalDays: < 730 } => (age.TotalDays / 30, "month"),
            _ => (age.TotalDays / 365, "year"),
        };
        return (long)count switch
        {
            0 => "Less than a second",
            1 when unit == "minute" => "About a minute",
            1 when unit == "hour" => "About an hour",
            1 => $"1 {unit}",
            long whole => string.Create(CultureInfo.InvariantCulture, $"{whole} {unit}s"),
        };
    }
}
