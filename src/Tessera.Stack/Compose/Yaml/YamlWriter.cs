using System.Globalization;
using System.Text;

namespace Tessera.Stack.Compose.Yaml;

/// <summary>
/// Prints trees as YAML in the style of <c>docker compose config</c>: block style, two spaces, a
/// string in quotes only where it would be read as something else.
/// </summary>
internal sealed class YamlWriter
{
    private readonly StringBuilder _text = new();

    private YamlWriter()
    {
    }

    public static string Write(MappingNode document)
    {
        YamlWriter writer = new();
        if (document.Entries.Count == 0)
        {
            return "{}\n";
        }

        writer.WriteEntries(document, 0, isFirstInline: false);
        return writer._text.ToString();
    }

    private void WriteEntries(MappingNode mapping, int indent, bool isFirstInline)
    {
        bool isInline = isFirstInline;
        foreach (MappingEntry entry in mapping.Entries)
        {
            if (!isInline)
            {
                _text.Append(' ', indent);
            }

            isInline = false;
            _text.Append(Quote(entry.Key)).Append(':');
            WriteValue(entry.Value, indent);
        }
    }

    private void WriteValue(Node value, int indent)
    {
        switch (value)
        {
            case MappingNode { Entries.Count: > 0 } mapping:
                _text.Append('\n');
                WriteEntries(mapping, indent + 2, isFirstInline: false);
                break;
            case SequenceNode { Items.Count: > 0 } list:
                _text.Append('\n');
                WriteItems(list, indent + 2, isFirstInline: false);
                break;
            default:
                _text.Append(' ');
                WriteLeaf(value, indent + 2);
                break;
        }
    }

    private void WriteItems(SequenceNode list, int indent, bool isFirstInline)
    {
        bool isInline = isFirstInline;
        foreach (Node item in list.Items)
        {
            if (!isInline)
            {
                _text.Append(' ', indent);
            }

            isInline = false;
            _text.Append("- ");
            switch (item)
            {
                case MappingNode { Entries.Count: > 0 } mapping:
                    WriteEntries(mapping, indent + 2, isFirstInline: true);
                    break;
                case SequenceNode { Items.Count: > 0 } inner:
                    WriteItems(inner, indent + 2, isFirstInline: true);
                    break;
                default:
                    WriteLeaf(item, indent + 2);
                    break;
            }
        }
    }

    private void WriteLeaf(Node value, int indent)
    {
        switch (value)
        {
            case MappingNode:
                _text.Append("{}\n");
                break;
            case SequenceNode:
                _text.Append("[]\n");
                break;
            case ScalarNode { Value: string text } when CanBeLiteral(text):
                WriteLiteral(text, indent);
                break;
            case ScalarNode { Value: string text }:
                _text.Append(Quote(text)).Append('\n');
                break;
            case ScalarNode { Value: null }:
                _text.Append("null\n");
                break;
            case ScalarNode scalar:
                _text.Append(scalar.ToText()).Append('\n');
                break;
        }
    }

    /// <summary>YAML 1.2, 8.1.2: the chomping sign says what became of the last line
    /// breaks.</summary>
    private void WriteLiteral(string text, int indent)
    {
        _text.Append('|');
        if (text[0] is ' ' or '\n')
        {
            _text.Append('2');
        }

        _text.Append(text switch
        {
            [.., not '\n'] => "-",
            [.., '\n', '\n'] or "\n" => "+",
            _ => "",
        });
        _text.Append('\n');
        string body = text.EndsWith('\n') ? text[..^1] : text;
        foreach (string line in body.Split('\n'))
        {
            if (line.Length > 0)
            {
                _text.Append(' ', indent).Append(line);
            }

            _text.Append('\n');
        }
    }

    private static bool CanBeLiteral(string text) => text.Contains('\n', StringComparison.Ordinal)
        && !text.Contains(" \n", StringComparison.Ordinal) && !text.EndsWith(' ')
        && text.All(character => character == '\n' || IsPrintable(character));

    private static string Quote(string text)
    {
        bool needsDouble = text.Any(character => !IsPrintable(character))
            || text.Contains('\t', StringComparison.Ordinal);
        if (needsDouble || !ReadsAsString(text))
        {
            return DoubleQuoted(text);
        }

        return CanBePlain(text)
            ? text
            : "'" + text.Replace("'", "''", StringComparison.Ordinal) + "'";
    }

    /// <summary>Not a number, boolean or null, in YAML 1.2 or in the readers of 1.1.</summary>
    private static bool ReadsAsString(string text)
    {
        bool isOldBoolean = text is "y" or "Y" or "yes" or "Yes" or "YES" or "on" or "On" or "ON"
            or "n" or "N" or "no" or "No" or "NO" or "off" or "Off" or "OFF";
        return Scalars.Resolve(text) is string && !isOldBoolean && text != "<<"
            && !IsSexagesimal(text) && !IsDate(text);
    }

    private static bool IsSexagesimal(string text)
    {
        string[] parts = text.TrimStart('+', '-').Split(':');
        return parts.Length > 1 && parts[0].Length > 0 && char.IsAsciiDigit(parts[0][0])
            && parts[0].All(c => char.IsAsciiDigit(c) || c == '_')
            && parts[1..].All(part =>
                part.Length > 0 && part.All(c => char.IsAsciiDigit(c) || c == '.'));
    }

    private static bool IsDate(string text) => text.Length >= 8 && char.IsAsciiDigit(text[0])
        && text.Contains('-', StringComparison.Ordinal)
        && DateTimeOffset.TryParseExact(
            text,
            [
                "yyyy-M-d", "yyyy-M-dTH:m:s.FFFFFFFK", "yyyy-M-dtH:m:s.FFFFFFFK",
                "yyyy-M-d H:m:s.FFFFFFF",
            ],
            CultureInfo.InvariantCulture,
            DateTimeStyles.None,
            out _);

    /// <summary>YAML 1.2, 7.3.3: what a plain scalar in block style must not hold.</summary>
    private static bool CanBePlain(string text)
    {
        if (text.Length == 0 || text[0] == ' ' || text[^1] == ' '
            || text.StartsWith("---", StringComparison.Ordinal)
            || text.StartsWith("...", StringComparison.Ordinal)
            || "#,[]{}&*!|>'\"%@`".Contains(text[0], StringComparison.Ordinal)
            || (text[0] is '-' or '?' or ':' && (text.Length == 1 || text[1] == ' ')))
        {
            return false;
        }

        return !text.Contains(": ", StringComparison.Ordinal) && !text.EndsWith(':')
            && !text.Contains(" #", StringComparison.Ordinal);
    }

    private static bool IsPrintable(char character) =>
        character is '\t' or (>= ' ' and <= '~')
            or (>= '\u00A0' and not ('\u2028' or '\u2029' or '\uFEFF'));

    private static string DoubleQuoted(string text)
    {
        StringBuilder quoted = new("\"");
        foreach (char character in text)
        {
            _ = character switch
            {
                '"' => quoted.Append("\\\""),
                '\\' => quoted.Append("\\\\"),
                '\n' => quoted.Append("\\n"),
                '\r' => quoted.Append("\\r"),
                '\t' => quoted.Append("\\t"),
                '\0' => quoted.Append("\\0"),
                '\u001b' => quoted.Append("\\e"),
                _ when IsPrintable(character) => quoted.Append(character),
                <= '\u00ff' =>
                    quoted.Append(CultureInfo.InvariantCulture, $"\\x{(int)character:X2}"),
                _ => quoted.Append(CultureInfo.InvariantCulture, $"\\u{(int)character:X4}"),
            };
        }

        return quoted.Append('"').ToString();
    }
}
