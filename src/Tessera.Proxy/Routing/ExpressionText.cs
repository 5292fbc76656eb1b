using System.Text;

namespace Tessera.Proxy.Routing;

/// <summary>A group that has a name.</summary>
internal readonly record struct GroupName(int Group, string Name);

/// <summary>
/// An expression in PCRE's spelling as one in .NET's: over bytes, groups with names as groups
/// without, so that all are numbered in their order. Immutable.
/// </summary>
internal sealed class ExpressionText
{
    private readonly string _source;
    private readonly StringBuilder _text = new();
    private readonly List<GroupName> _names = [];
    private int _index;
    private int _groups;

    private ExpressionText(string source) => _source = source;

    public string Text => _text.ToString();

    public IReadOnlyList<GroupName> Names => _names;

    public static ExpressionText Translate(string text)
    {
        // Each byte is a character of its own, in the expression as in what it is held against.
        string bytes = Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(text));
        var translated = new ExpressionText(bytes);
        translated.Run();
        return translated;
    }

    private void Run()
    {
        bool isInClass = false;
        while (_index < _source.Length)
        {
            char letter = _source[_index];
            if (letter == '\\' && _index + 1 < _source.Length)
            {
                WriteEscape(_source[_index + 1], isInClass);
            }
            else if (letter == '(' && !isInClass)
            {
                WriteGroup();
            }
            else
            {
                isInClass = letter == '[' || (isInClass && letter != ']');
                _text.Append(letter);
                _index++;

                // A bracket that comes first, or behind "^", stands for itself.
                if (letter == '[')
                {
                    WriteFirstOfClass();
                }
            }
        }
    }

    private void WriteFirstOfClass()
    {
        if (_index < _source.Length && _source[_index] == '^')
        {
            _text.Append(_source[_index++]);
        }

        if (_index < _source.Length && _source[_index] == ']')
        {
            _text.Append("\\]");
            _index++;
        }
    }

    /// <summary>Classes of letters and digits are those of ASCII, as in PCRE.</summary>
    private void WriteEscape(char letter, bool isInClass)
    {
        string? members = letter switch
        {
            'd' => "0-9",
            'w' => "a-zA-Z0-9_",
            _ => null,
        };
        _index += 2;
        if (members is not null)
        {
            _text.Append(isInClass ? members : $"[{members}]");
        }
        else if (letter == 'k' && _index < _source.Length && _source[_index] is '<' or '{' or '\'')
        {
            int end = _source.IndexOfAny(['>', '}', '\''], _index + 1);
            string name = end < 0 ? "" : _source[(_index + 1)..end];
            _text.Append('\\').Append(_names.Find(known => known.Name == name).Group);
            _index = end < 0 ? _source.Length : end + 1;
        }
        else
        {
            _text.Append('\\').Append(letter);
        }
    }

    /// <summary>(?&lt;name&gt;, (?P&lt;name&gt; and (?'name' are groups with names.</summary>
    private void WriteGroup()
    {
        ReadOnlySpan<char> rest = _source.AsSpan(_index);
        if (!rest.StartsWith("(?"))
        {
            _groups++;
            _text.Append('(');
            _index++;
            return;
        }

        int name = rest.StartsWith("(?P<") ? 4
            : rest.StartsWith("(?'") || (rest.StartsWith("(?<") && rest is not
                [_, _, _, '=' or '!', ..]) ? 3
            : 0;
        int end = name == 0 ? -1 : rest[name..].IndexOfAny('>', '\'');
        if (end < 0)
        {
            _text.Append("(?");
            _index += 2;
            return;
        }

        _groups++;
        _names.Add(new GroupName(_groups, rest.Slice(name, end).ToString()));
        _text.Append('(');
        _index += name + end + 1;
    }
}
