namespace Tessera.Proxy.Routing;

/// <summary>What stands in parentheses, and what refers to it.</summary>
internal sealed partial class ExpressionText
{
    /// <summary>Longer names are refused, as by PCRE.</summary>
    private const int MaxNameLength = 32;

    private void ReadGroup()
    {
        ReadOnlySpan<char> rest = _source.AsSpan(_index);
        switch (rest)
        {
            case ['(', '*', ..]:
                throw NotSupported("(*");
            case not ['(', '?', ..]:
                _groups++;
                OpenWith("(", 1);
                break;
            case ['(', '?', '#', ..]:
                int end = rest.IndexOf(')');
                _index = end >= 0 ? _index + end + 1 : throw Fault("missing ) following (?#");
                break;
            case ['(', '?', ':' or '=' or '!' or '>', ..]:
                OpenWith(rest[..3].ToString(), 3);
                break;
            case ['(', '?', '<', '=' or '!', ..]:
                OpenWith(rest[..4].ToString(), 4);
                break;
            case ['(', '?', 'P', '=', ..]:
                _index += 4;
                WriteReference(ReadName(')'));
                break;
            case ['(', '?', '<', ..]:
                OpenNamed(3, '>');
                break;
            case ['(', '?', 'P', '<', ..]:
                OpenNamed(4, '>');
                break;
            case ['(', '?', '\'', ..]:
                OpenNamed(3, '\'');
                break;
            case ['(', '?', '(', ..]:
                OpenCondition();
                break;
            default:
                ReadOptions();
                break;
        }
    }

    /// <param name="length">How much of the source it is.</param>
    private void OpenWith(string text, int length)
    {
        if (_open.Count == MaxDepth)
        {
            throw Fault("parentheses are too deeply nested");
        }

        _open.Push(new OpenGroup(_text.Length, _ignoresCase, _isExtended));
        _text.Append(text);
        _index += length;
        _atom = -1;
    }

    private void CloseGroup()
    {
        if (!_open.TryPop(out OpenGroup group))
        {
            throw Fault("unmatched closing parenthesis");
        }

        _text.Append(')');
        _index++;
        _atom = group.Start;
        _ignoresCase = group.IgnoresCase;
        _isExtended = group.IsExtended;
    }

    /// <summary>(?&lt;name&gt;, (?P&lt;name&gt; and (?'name'.</summary>
    private void OpenNamed(int length, char end)
    {
        _index += length;
        string name = ReadName(end);
        if (_names.Exists(known => known.Name == name))
        {
            throw Fault("two named subpatterns have the same name (PCRE2_DUPNAMES not set)");
        }

        _groups++;
        _names.Add(new GroupName(_groups, name));
        OpenWith("(", 0);
    }

    /// <summary>(?(1)yes|no): of conditions those that ask for a group.</summary>
    private void OpenCondition()
    {
        int start = _index;
        _index += 3;
        bool isQuoted = _index < _source.Length && _source[_index] is '<' or '\'';
        string condition = isQuoted
            ? ReadName(_source[_index++] == '<' ? '>' : '\'')
            : ReadTo(')');
        if (isQuoted && ReadTo(')').Length > 0)
        {
            throw Fault("missing closing parenthesis for condition");
        }

        int group = condition.All(char.IsAsciiDigit) && condition.Length > 0
            ? NumberOf(condition)
            : condition.All(IsOfName) && condition.Length > 0 ? GroupOf(condition)
            : throw NotSupported(_source[start..Math.Min(start + 4, _source.Length)]);
        OpenWith($"(?({Checked(group)})", 0);
    }

    /// <summary>(?i), (?i-s) and (?i:…), of the options i, m, s and x.</summary>
    private void ReadOptions()
    {
        int end = _source.AsSpan(_index + 2).IndexOfAnyExcept("imsx-");
        char closing = end < 0 ? '\0' : _source[_index + 2 + end];
        string given = end < 0 ? "" : _source.Substring(_index + 2, end);
        string[] parts = given.Split('-');
        if (closing is not (')' or ':') || parts.Length > 2
            || parts[0].Count(letter => letter == 'x') > 1)
        {
            throw NotSupported(_source.Substring(_index, Math.Min(4, _source.Length - _index)));
        }

        // White space and comments are left out here, so .NET does not have to.
        string on = parts[0].Replace("x", "", StringComparison.Ordinal);
        string off = parts.Length < 2 ? "" : parts[1].Replace("x", "", StringComparison.Ordinal);
        string options = off.Length > 0 ? $"{on}-{off}" : on;
        int length = given.Length + 3;
        if (closing == ':')
        {
            OpenWith($"(?{options}:", length);
        }
        else
        {
            WriteMark(options.Length > 0 ? $"(?{options})" : "");
            _index += length;
        }

        _ignoresCase = (_ignoresCase || on.Contains('i')) && !off.Contains('i');
        _isExtended = (_isExtended || parts[0].Contains('x'))
            && !(parts.Length > 1 && parts[1].Contains('x'));
    }

    /// <summary>\1, or \g1, \g{-1}, \g{name}, \k&lt;name&gt; and their kin.</summary>
    private void WriteReference(int group) => WriteAtom($"(?:\\{Checked(group)})");

    private void WriteReference(string name) => WriteReference(GroupOf(name));

    private int Checked(int group) => _whole is null || (group >= 1 && group <= _whole._groups)
        ? group
        : throw Fault("reference to non-existent subpattern");

    private int GroupOf(string name) =>
        _whole is null ? 1 : _whole._names.Find(known => known.Name == name).Group;

    /// <summary>Behind \g.</summary>
    private void ReadReference()
    {
        bool isBraced = _index < _source.Length && _source[_index] == '{';
        int start = isBraced ? _index + 1 : _index;
        int end = start;
        while (end < _source.Length && (_source[end] is '-' or '+' || IsOfName(_source[end]))
            && (isBraced || end == start || char.IsAsciiDigit(_source[end])))
        {
            end++;
        }

        string text = _source[start..end];
        string digits = text.TrimStart('-', '+');
        if (digits.Length == 0 || text.Length - digits.Length > 1
            || (isBraced && (end == _source.Length || _source[end] != '}')))
        {
            throw NotSupported("\\g" + _source[start..Math.Min(end + 1, _source.Length)]);
        }

        _index = isBraced ? end + 1 : end;
        if (!digits.All(char.IsAsciiDigit))
        {
            WriteReference(digits.Length == text.Length && isBraced && !char.IsAsciiDigit(text[0])
                ? text
                : throw NotSupported("\\g" + text));
            return;
        }

        int number = NumberOf(digits);
        WriteReference(text[0] switch
        {
            '-' => _groups + 1 - number,
            '+' => _groups + number,
            _ => number,
        });
    }

    /// <summary>Behind \k.</summary>
    private void ReadNamedReference()
    {
        char end = (_index < _source.Length ? _source[_index] : '\0') switch
        {
            '<' => '>',
            '{' => '}',
            '\'' => '\'',
            _ => throw Fault(
                @"\k is not followed by a braced, angle-bracketed, or quoted name"),
        };
        _index++;
        WriteReference(ReadName(end));
    }

    private string ReadName(char end)
    {
        string name = ReadTo(end);
        return name.Length == 0 ? throw Fault("subpattern name expected")
            : name.Length > MaxNameLength ? throw Fault("subpattern name is too long")
            : char.IsAsciiDigit(name[0])
                ? throw Fault("subpattern name must start with a non-digit")
            : name.All(IsOfName) ? name
            : throw Fault("syntax error in subpattern name (missing terminator?)");
    }

    private string ReadTo(char end)
    {
        int index = _source.IndexOf(end, _index);
        if (index < 0)
        {
            throw Fault("syntax error in subpattern name (missing terminator?)");
        }

        string text = _source[_index..index];
        _index = index + 1;
        return text;
    }

    private static bool IsOfName(char letter) => char.IsAsciiLetterOrDigit(letter) || letter == '_';
}
