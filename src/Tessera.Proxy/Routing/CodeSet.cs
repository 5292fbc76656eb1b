using System.Globalization;
using System.Text;

namespace Tessera.Proxy.Routing;

/// <summary>
/// The members of a class of an expression, as ranges of codes. Used by one thread, while an
/// expression is read.
/// </summary>
internal sealed class CodeSet
{
    /// <summary>isspace(3) of the C locale, and PCRE's \s.</summary>
    public static readonly CodeSet Space = Of((9, 13), (' ', ' '));

    public static readonly CodeSet Digit = Of(('0', '9'));

    public static readonly CodeSet Alpha = Of(('A', 'Z'), ('a', 'z'));

    public static readonly CodeSet Word = Of(('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z'));

    /// <summary>\h: white space within a line, the no-break space of Latin 1 too.</summary>
    public static readonly CodeSet HorizontalSpace = Of((9, 9), (' ', ' '), (0xA0, 0xA0));

    /// <summary>\v: what ends lines, NEL of Latin 1 too.</summary>
    public static readonly CodeSet VerticalSpace = Of((10, 13), (0x85, 0x85));

    public static readonly CodeSet LineFeed = Of(('\n', '\n'));

    private readonly List<(int Low, int High)> _ranges = [];

    public static CodeSet Of(params ReadOnlySpan<(int Low, int High)> ranges)
    {
        var set = new CodeSet();
        set._ranges.AddRange(ranges);
        return set;
    }

    /// <summary>
    /// A class of POSIX by its name, over ASCII as in the C locale; null for an unknown name.
    /// </summary>
    public static CodeSet? OfPosix(string name) => name switch
    {
        "alpha" => Alpha,
        "lower" => Of(('a', 'z')),
        "upper" => Of(('A', 'Z')),
        "alnum" => Of(('0', '9'), ('A', 'Z'), ('a', 'z')),
        "ascii" => Of((0, 0x7F)),
        "blank" => Of((9, 9), (' ', ' ')),
        "cntrl" => Of((0, 0x1F), (0x7F, 0x7F)),
        "digit" => Digit,
        "graph" => Of(('!', '~')),
        "print" => Of((' ', '~')),
        "punct" => Of(('!', '/'), (':', '@'), ('[', '`'), ('{', '~')),
        "space" => Space,
        "word" => Word,
        "xdigit" => Of(('0', '9'), ('A', 'F'), ('a', 'f')),
        _ => null,
    };

    public void Add(int low, int high) => _ranges.Add((low, high));

    public void Add(CodeSet others) => _ranges.AddRange(others._ranges);

    /// <summary>Everything up to <paramref name="last"/> that is no member.</summary>
    public CodeSet Complement(int last)
    {
        var rest = new CodeSet();
        int next = 0;
        foreach ((int low, int high) in _ranges.Order())
        {
            if (low > next)
            {
                rest.Add(next, low - 1);
            }

            next = Math.Max(next, high + 1);
        }

        if (next <= last)
        {
            rest.Add(next, last);
        }

        return rest;
    }

    /// <summary>As .NET spells a class.</summary>
    /// <param name="isOfBytes">Codes are bytes, as <see cref="ByteText"/> has them.</param>
    public void Write(StringBuilder text, bool isNegated, bool isOfBytes)
    {
        text.Append(isNegated ? "[^" : "[");
        foreach ((int low, int high) in _ranges.Order())
        {
            if (isOfBytes && low < 0x80 && high >= 0x80)
            {
                WriteRange(text, low, 0x7F);
                WriteRange(text, ByteText.LetterOf(0x80), ByteText.LetterOf((byte)high));
            }
            else if (isOfBytes)
            {
                WriteRange(text, ByteText.LetterOf((byte)low), ByteText.LetterOf((byte)high));
            }
            else
            {
                WriteRange(text, low, high);
            }
        }

        text.Append(']');
    }

    private static void WriteRange(StringBuilder text, int low, int high)
    {
        WriteLetter(text, (char)low);
        if (high > low)
        {
            text.Append('-');
            WriteLetter(text, (char)high);
        }
    }

    private static void WriteLetter(StringBuilder text, char letter)
    {
        if (char.IsAsciiLetterOrDigit(letter))
        {
            text.Append(letter);
        }
        else
        {
            text.Append(CultureInfo.InvariantCulture, $"\\u{(int)letter:X4}");
        }
    }
}
