using System.Globalization;

namespace Tessera.Proxy.Routing;

/// <summary>What stands behind a backslash.</summary>
internal sealed partial class ExpressionText
{
    private const string Word = "[0-9A-Z_a-z]";

    /// <summary>The last code of a class.</summary>
    private int LastCode => IsUtf ? char.MaxValue : byte.MaxValue;

    private void ReadEscape()
    {
        char letter = ReadEscaped();
        if (SetOf(letter) is { } set)
        {
            WriteSet(set, isNegated: char.IsAsciiLetterUpper(letter));
            return;
        }

        switch (letter)
        {
            case 'Q':
                ReadQuoted();
                break;
            case 'E':
                break;
            case 'A' or 'Z' or 'z' or 'G':
                WriteMark($"\\{letter}");
                break;
            case 'b' or 'B':
                WriteBoundary(isNegated: letter == 'B');
                break;
            case 'R':
                WriteAtom(IsUtf
                    ? @"(?>\r\n|[\n-\r\u0085\u2028\u2029])"
                    : $"(?>\\r\\n|[\\n-\\r{ByteText.LetterOf(0x85)}])");
                break;
            case 'C' when !IsUtf:
                WriteAtom(@"[\s\S]");
                break;
            case 'g':
                ReadReference();
                break;
            case 'k':
                ReadNamedReference();
                break;
            case >= '1' and <= '9':
                ReadNumber();
                break;
            default:
                WriteCode(ReadCode(letter));
                break;
        }
    }

    private char ReadEscaped()
    {
        _index++;
        return _index < _source.Length
            ? _source[_index++]
            : throw Fault("\\ at end of pattern");
    }

    /// <summary>Everything up to \E stands for itself.</summary>
    private void ReadQuoted()
    {
        int end = _source.IndexOf("\\E", _index, StringComparison.Ordinal);
        int stop = end < 0 ? _source.Length : end;
        while (_index < stop)
        {
            ReadLetter();
        }

        _index = end < 0 ? stop : end + 2;
    }

    /// <summary>
    /// The members of \d and its kin, also where the letter is a capital one and they are left out;
    /// null for any other.
    /// </summary>
    private CodeSet? SetOf(char letter) => letter switch
    {
        'd' or 'D' => CodeSet.Digit,
        'w' or 'W' => CodeSet.Word,
        's' or 'S' => CodeSet.Space,
        'h' or 'H' when !IsUtf => CodeSet.HorizontalSpace,
        'v' or 'V' when !IsUtf => CodeSet.VerticalSpace,
        'N' when !IsFollowedByName() => CodeSet.LineFeed,
        _ => null,
    };

    /// <summary>\N{U+41} is a character; \N{2} is any two.</summary>
    private bool IsFollowedByName() =>
        _index + 1 < _source.Length && _source[_index] == '{'
        && !char.IsAsciiDigit(_source[_index + 1]);

    /// <summary>
    /// .NET's own is cheaper; of characters it would know more letters than ASCII's.
    /// </summary>
    private void WriteBoundary(bool isNegated) => WriteMark((IsUtf, isNegated) switch
    {
        (false, false) => @"\b",
        (false, true) => @"\B",
        (true, false) => $"(?:(?<={Word})(?!{Word})|(?<!{Word})(?={Word}))",
        (true, true) => $"(?:(?<={Word})(?={Word})|(?<!{Word})(?!{Word}))",
    });

    /// <summary>A group if there is one of this number, else a code in octal digits.</summary>
    private void ReadNumber()
    {
        int start = _index - 1;
        int end = start;
        while (end < _source.Length && char.IsAsciiDigit(_source[end]))
        {
            end++;
        }

        int number = NumberOf(_source[start..end]);
        if (number < 10 || _source[start] >= '8' || number <= (_whole?._groups ?? int.MaxValue))
        {
            _index = end;
            WriteReference(number);
            return;
        }

        _index = start;
        WriteCode(ReadOctal(3));
    }

    private void WriteCode(int code)
    {
        if (code > LastCode)
        {
            throw Fault(@"character code point value in \x{} or \o{} is too large");
        }

        WriteLetter(code);
    }

    /// <summary>The code that an escape stands for, within a class and without.</summary>
    private int ReadCode(char letter)
    {
        switch (letter)
        {
            case 'a':
                return 0x07;
            case 'e':
                return 0x1B;
            case 'f':
                return 0x0C;
            case 'n':
                return 0x0A;
            case 'r':
                return 0x0D;
            case 't':
                return 0x09;
            case 'c':
                return ReadControl();
            case '0':
                return ReadOctal(2);
            case 'o':
                return ReadBraced(8);
            case 'x' when _index < _source.Length && _source[_index] == '{':
                return ReadBraced(16);
            case 'x':
                return ReadHex();
            case 'K' or 'X' or 'p' or 'P' or 'C' or 'h' or 'H' or 'v' or 'V':
                throw NotSupported($"\\{letter}");
            case 'F' or 'L' or 'l' or 'N' or 'U' or 'u':
                throw Fault(@"PCRE2 does not support \F, \L, \l, \N{name}, \U, or \u");
            default:
                return char.IsAsciiLetterOrDigit(letter)
                    ? throw Fault("unrecognized character follows \\")
                    : letter;
        }
    }

    private int ReadControl()
    {
        char letter = _index < _source.Length
            ? _source[_index++]
            : throw Fault("\\c at end of pattern");
        return letter is >= ' ' and <= '~'
            ? char.ToUpperInvariant(letter) ^ 0x40
            : throw Fault(@"\c must be followed by a printable ASCII character");
    }

    private int ReadOctal(int most)
    {
        int code = 0;
        for (; most > 0 && _index < _source.Length && _source[_index] is >= '0' and <= '7'; most--)
        {
            code = (code * 8) + (_source[_index++] - '0');
        }

        return code;
    }

    private int ReadHex()
    {
        int code = 0;
        for (int most = 2;
            most > 0 && _index < _source.Length && char.IsAsciiHexDigit(_source[_index]);
            most--)
        {
            code = (code * 16) + Convert.ToInt32(_source[_index++].ToString(), 16);
        }

        return code;
    }

    private int ReadBraced(int radix)
    {
        int end = _source.IndexOf('}', _index);
        string digits = end < 0 || _source[_index] != '{' ? "" : _source[(_index + 1)..end];
        bool isHex = radix == 16;
        if (digits.Length is 0 or > 6
            || !digits.All(d => isHex ? char.IsAsciiHexDigit(d) : d is >= '0' and <= '7'))
        {
            throw Fault(isHex
                ? @"non-hex character in \x{} (closing brace missing?)"
                : @"non-octal character in \o{} (closing brace missing?)");
        }

        _index = end + 1;
        return isHex
            ? int.Parse(digits, NumberStyles.HexNumber, CultureInfo.InvariantCulture)
            : Convert.ToInt32(digits, 8);
    }
}
