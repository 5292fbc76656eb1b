using System.Globalization;

namespace Tessera.Cli;

/// <summary>The few control sequences (ECMA-48) that the commands use.</summary>
internal static class Ansi
{
    public const string Red = "31";
    public const string Green = "32";
    public const string Yellow = "33";

    public const string HideCursor = "\e[?25l";
    public const string ShowCursor = "\e[?25h";

    /// <summary>
    /// Colours that tell instances apart, in the order in which they are given out.
    /// </summary>
    public static readonly string[] InstanceColours =
        ["36", "33", "32", "35", "34", "36;1", "33;1", "32;1", "35;1", "34;1"];

    public static string Paint(string text, string colour, bool usesColour) =>
        usesColour ? $"\e[{colour}m{text}\e[0m" : text;

    /// <summary>
    /// To the first column <paramref name="lines"/> lines up, and clears from there.
    /// </summary>
    public static string UpAndClear(int lines) =>
        string.Create(CultureInfo.InvariantCulture, $"\e[{lines}A\r\e[J");
}
