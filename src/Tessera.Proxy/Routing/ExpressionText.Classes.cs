namespace Tessera.Proxy.Routing;

/// <summary>What stands in brackets.</summary>
internal sealed partial class ExpressionText
{
    private const string InvalidRange = "invalid range in character class";

    private void ReadClass()
    {
        if (TryReadPosix(out _, out _))
        {
            throw Fault("POSIX named classes are supported only within a class");
        }

        if (TryReadWordEdge())
        {
            return;
        }

        _index++;
        bool isNegated = _index < _source.Length && _source[_index] == '^';
        _index += isNegated ? 1 : 0;
        var members = new CodeSet();
        bool isQuoted = false;
        for (bool isFirst = true; TrySkipQuotes(ref isQuoted); isFirst = false)
        {
            // A bracket that comes first stands for itself.
            if (_source[_index] == ']' && !isFirst && !isQuoted)
            {
                _index++;
                WriteSet(members, isNegated);
                return;
            }

            ReadMembers(members, ref isQuoted);
        }

        throw Fault("missing terminating ] for character class");
    }

    /// <summary>[[:&lt;:]] and [[:&gt;:]], where a word begins and ends.</summary>
    private bool TryReadWordEdge()
    {
        ReadOnlySpan<char> rest = _source.AsSpan(_index);
        bool isStart = rest.StartsWith("[[:<:]]");
        if (!isStart && !rest.StartsWith("[[:>:]]"))
        {
            return false;
        }

        WriteBoundary(isNegated: false);
        WriteMark($"{(isStart ? "(?=" : "(?<=")}{Word})");
        _index += "[[:<:]]".Length;
        return true;
    }

    /// <summary>Past \Q and \E. False at the end of the text.</summary>
    private bool TrySkipQuotes(ref bool isQuoted)
    {
        while (true)
        {
            ReadOnlySpan<char> rest = _source.AsSpan(_index);
            if (rest.StartsWith("\\E"))
            {
                isQuoted = false;
            }
            else if (!isQuoted && rest.StartsWith("\\Q"))
            {
                isQuoted = true;
            }
            else
            {
                return rest.Length > 0;
            }

            _index += 2;
        }
    }

    /// <summary>One member, a range, or all of a class within the class.</summary>
    private void ReadMembers(CodeSet members, ref bool isQuoted)
    {
        int low = ReadMember(members, isQuoted);
        bool hasHyphen = TrySkipQuotes(ref isQuoted) && !isQuoted && _source[_index] == '-'
            && _index + 1 < _source.Length && _source[_index + 1] != ']';
        if (!hasHyphen)
        {
            if (low >= 0)
            {
                members.Add(low, low);
            }

            return;
        }

        if (low < 0)
        {
            throw Fault(InvalidRange);
        }

        _index++;
        if (!TrySkipQuotes(ref isQuoted))
        {
            throw Fault("missing terminating ] for character class");
        }

        int high = ReadMember(members, isQuoted);
        members.Add(low, high < 0 ? throw Fault(InvalidRange)
            : high < low ? throw Fault("range out of order in character class")
            : high);
    }

    /// <summary>The code of one member; -1 where a whole class has been added.</summary>
    private int ReadMember(CodeSet members, bool isQuoted)
    {
        char letter = _source[_index];
        if (!isQuoted && letter == '[' && TryReadPosix(out string name, out int end))
        {
            members.Add(PosixSet(name));
            _index = end;
            return -1;
        }

        if (isQuoted || letter != '\\')
        {
            _index++;
            return char.IsSurrogate(letter)
                ? throw NotSupported("characters beyond U+FFFF in a class")
                : letter;
        }

        letter = ReadEscaped();
        if (letter != 'N' && SetOf(letter) is { } set)
        {
            members.Add(char.IsAsciiLetterUpper(letter) ? set.Complement(LastCode) : set);
            return -1;
        }

        int code = letter switch
        {
            'b' => 0x08,
            >= '1' and <= '7' => ReadClassOctal(),
            '8' or '9' => letter,
            'N' => throw Fault("\\N is not supported in a class"),
            'B' or 'R' or 'X' => throw Fault(
                "escape sequence is invalid in character class"),
            _ => ReadCode(letter),
        };
        return code <= LastCode
            ? code
            : throw Fault(@"character code point value in \x{} or \o{} is too large");
    }

    private int ReadClassOctal()
    {
        _index--;
        return ReadOctal(3);
    }

    private CodeSet PosixSet(string name)
    {
        bool isNegated = name.StartsWith('^');
        name = isNegated ? name[1..] : name;

        // Without regard to letter case both are all letters.
        name = _ignoresCase && name is "lower" or "upper" ? "alpha" : name;
        CodeSet set = CodeSet.OfPosix(name) ?? throw Fault("unknown POSIX class name");
        return isNegated ? set.Complement(LastCode) : set;
    }

    /// <summary>
    /// "[:name:]", which ends before any bracket (check_posix_syntax of PCRE).
    /// </summary>
    private bool TryReadPosix(out string name, out int end)
    {
        (name, end) = ("", 0);
        if (_index + 1 >= _source.Length || _source[_index + 1] is not (':' or '.' or '='))
        {
            return false;
        }

        char mark = _source[_index + 1];
        int stop = _source.AsSpan(_index + 2).IndexOfAny("]\\[");
        int close = stop < 1 ? -1 : _index + 2 + stop;
        if (close < 0 || _source[close] != ']' || _source[close - 1] != mark)
        {
            return false;
        }

        if (mark != ':')
        {
            throw Fault("POSIX collating elements are not supported");
        }

        name = _source[(_index + 2)..(close - 1)];
        end = close + 1;
        return true;
    }
}
