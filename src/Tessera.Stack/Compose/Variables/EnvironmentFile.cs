using System.Globalization;
using System.Text;

namespace Tessera.Stack.Compose.Variables;

/// <summary>
/// Compose's dialect of <c>.env</c> files: <c>NAME=value</c> or <c>NAME: value</c>, <c>export</c>
/// before it, a bare <c>NAME</c> that is adopted from the environment, comments, values in
/// single quotes (raw) and double quotes (escapes and variables), both over several lines. Used by
/// one thread, for one text.
/// </summary>
internal sealed class EnvironmentFile
{
    public const int MaxBytes = 1024 * 1024;

    private readonly string _file;
    private readonly string _text;
    private readonly Func<string, string?> _lookup;
    private readonly Dictionary<string, string> _values = new(StringComparer.Ordinal);
    private readonly Template _template;
    private int _position;

    private EnvironmentFile(
        string file, string text, Func<string, string?> lookup, Action<string> warnUnset)
    {
        _file = file;
        _text = text;
        _lookup = lookup;
        _template = new Template(
            name => lookup(name) ?? _values.GetValueOrDefault(name), warnUnset);
    }

    /// <param name="file">Name for messages.</param>
    /// <param name="lookup">Variables from outside; in a value they win over those of the
    /// file.</param>
    /// <exception cref="UserErrorException">The text is not of the dialect.</exception>
    public static IReadOnlyDictionary<string, string> Parse(
        string file, string text, Func<string, string?> lookup, Action<string> warnUnset)
    {
        string lines = text.TrimStart('\uFEFF').Replace("\r\n", "\n", StringComparison.Ordinal);
        EnvironmentFile reader = new(file, lines, lookup, warnUnset);
        reader.ReadStatements();
        return reader._values;
    }

    /// <summary>Values as they stand, for <c>format: raw</c>: no quotes, escapes or
    /// variables.</summary>
    public static IReadOnlyDictionary<string, string> ParseRaw(
        string text, Func<string, string?> lookup)
    {
        Dictionary<string, string> values = new(StringComparer.Ordinal);
        foreach (string line in text.TrimStart('\uFEFF').Split('\n'))
        {
            string statement = line.TrimStart().TrimEnd('\r');
            if (statement.Length == 0 || statement[0] == '#')
            {
                continue;
            }

            int equals = statement.IndexOf('=', StringComparison.Ordinal);
            if (equals > 0)
            {
                values[statement[..equals].Trim()] = statement[(equals + 1)..];
            }
            else if (lookup(statement.Trim()) is { } inherited)
            {
                values[statement.Trim()] = inherited;
            }
        }

        return values;
    }

    private void ReadStatements()
    {
        int nul = _text.IndexOf('\0', StringComparison.Ordinal);
        if (nul >= 0)
        {
            _position = nul;
            throw Problem("a value cannot hold the character NUL");
        }

        while (SkipToStatement())
        {
            string name = ReadName(out bool isInherited);
            if (!isInherited)
            {
                _values[name] = ReadValue();
            }
            else if (_lookup(name) is { } inherited)
            {
                _values[name] = inherited;
            }
        }
    }

    private bool SkipToStatement()
    {
        while (_position < _text.Length)
        {
            if (_text[_position] == '#')
            {
                SkipLine();
            }
            else if (char.IsWhiteSpace(_text[_position]))
            {
                _position++;
            }
            else
            {
                return true;
            }
        }

        return false;
    }

    private void SkipLine()
    {
        int end = _text.IndexOf('\n', _position);
        _position = end < 0 ? _text.Length : end + 1;
    }

    private string ReadName(out bool isInherited)
    {
        const string Export = "export";
        if (string.CompareOrdinal(_text, _position, Export, 0, Export.Length) == 0
            && _position + Export.Length < _text.Length
            && _text[_position + Export.Length] is ' ' or '\t')
        {
            _position += Export.Length;
            SkipBlanks();
        }

        int start = _position;
        while (_position < _text.Length && IsNameCharacter(_text[_position]))
        {
            _position++;
        }

        string name = _text[start.._position];
        SkipBlanks();
        char separator = _position < _text.Length ? _text[_position] : '\n';
        if (separator == '#')
        {
            SkipLine();
            separator = '\n';
        }

        if (name.Length == 0 || separator is not ('=' or ':' or '\n'))
        {
            throw Problem(name.Length > 0 && IsNameCharacter(separator)
                ? $"the name \"{name} …\" has a space in it"
                : $"unexpected character \"{separator}\" in a variable's name");
        }

        isInherited = separator == '\n';
        _position += isInherited ? 0 : 1;
        SkipBlanks();
        return name;
    }

    private string ReadValue()
    {
        char quote = _position < _text.Length ? _text[_position] : '\n';
        if (quote is '"' or '\'')
        {
            string quoted = ReadQuoted(quote);
            return quote == '"' ? Expand(Unescape(quoted)) : quoted;
        }

        int start = _position;
        int end = _text.IndexOf('\n', start);
        end = end < 0 ? _text.Length : end;
        string value = _text[start..end];
        string expanded = Expand(WithoutComment(value).TrimEnd());
        _position = end;
        return expanded;
    }

    /// <summary>A comment needs a blank before it: <c>a#b</c> is a value.</summary>
    private static string WithoutComment(string value)
    {
        for (int index = 0; index < value.Length; index++)
        {
            if (value[index] == '#' && (index == 0 || value[index - 1] is ' ' or '\t'))
            {
                return value[..index];
            }
        }

        return value;
    }

    /// <summary>Leaves every escape but that of the quote itself for <see
    /// cref="Unescape"/>.</summary>
    private string ReadQuoted(char quote)
    {
        StringBuilder value = new();
        for (int index = _position + 1; index < _text.Length; index++)
        {
            char character = _text[index];
            if (character == '\\' && index + 1 < _text.Length)
            {
                char next = _text[++index];
                _ = next == quote ? value.Append(quote) : value.Append('\\').Append(next);
            }
            else if (character == quote)
            {
                _position = index + 1;
                return value.ToString();
            }
            else
            {
                value.Append(character);
            }
        }

        throw Problem($"the quote {quote} is not closed");
    }

    private static string Unescape(string text)
    {
        StringBuilder result = new(text.Length);
        for (int index = 0; index < text.Length; index++)
        {
            if (text[index] != '\\' || index + 1 == text.Length)
            {
                result.Append(text[index]);
                continue;
            }

            char escaped = text[++index];
            _ = escaped switch
            {
                'n' => result.Append('\n'),
                'r' => result.Append('\r'),
                't' => result.Append('\t'),
                'a' => result.Append('\a'),
                'b' => result.Append('\b'),
                'f' => result.Append('\f'),
                'v' => result.Append('\v'),
                '\\' => result.Append('\\'),
                '$' => result.Append("$$"),
                _ => result.Append('\\').Append(escaped),
            };
        }

        return result.ToString();
    }

    private string Expand(string value)
    {
        try
        {
            return _template.Expand(value);
        }
        catch (TemplateException problem)
        {
            throw Problem(problem.Message);
        }
    }

    private void SkipBlanks()
    {
        while (_position < _text.Length && _text[_position] != '\n'
            && char.IsWhiteSpace(_text[_position]))
        {
            _position++;
        }
    }

    private static bool IsNameCharacter(char character) =>
        character is '_' or '.' or '-' or '[' or ']' || char.IsLetterOrDigit(character);

    private UserErrorException Problem(string text)
    {
        int line = 1 + _text.AsSpan(0, Math.Min(_position, _text.Length)).Count('\n');
        return new UserErrorException(
            string.Create(CultureInfo.InvariantCulture, $"{_file}:{line}: {text}."));
    }
}
