using System.Text;

namespace Tessera.Proxy.Nginx;

/// <summary>What a token is.</summary>
internal enum NginxTokenKind
{
    Word,
    Semicolon,
    OpeningBrace,
    ClosingBrace,
    End,
}

/// <summary>A word, a mark, or the end of the file.</summary>
/// <param name="Text">Of a word, without quotes and with its escapes resolved.</param>
/// <param name="Line">Where it ends.</param>
internal readonly record struct NginxToken(NginxTokenKind Kind, string Text, int Line);

/// <summary>
/// Takes a file apart into tokens, as ngx_conf_read_token does: words end at white space, ";" or
/// "{"; quotes and backslashes keep those in; "${" belongs to its word; "#" begins a comment where
/// a word could begin.
/// </summary>
internal sealed class NginxLexer
{
    private readonly string _file;
    private readonly string _text;
    private int _index;
    private int _line = 1;

    public NginxLexer(string file, string text)
    {
        _file = file;
        _text = text;
    }

    /// <summary>The text is no file, and has no lines.</summary>
    public bool IsParameter { get; init; }

    public NginxPosition Position => new(_file, IsParameter ? 0 : _line);

    /// <exception cref="NginxConfigException">Quotes do not end, or do not end a word.</exception>
    public NginxToken Next()
    {
        SkipSpace();
        if (_index == _text.Length)
        {
            return new NginxToken(NginxTokenKind.End, "", _line);
        }

        switch (_text[_index])
        {
            case ';':
                return Mark(NginxTokenKind.Semicolon, ";");
            case '{':
                return Mark(NginxTokenKind.OpeningBrace, "{");
            case '}':
                return Mark(NginxTokenKind.ClosingBrace, "}");
            case '"' or '\'':
                return ReadQuoted();
            default:
                return ReadWord();
        }
    }

    private NginxToken Mark(NginxTokenKind kind, string text)
    {
        _index++;
        return new NginxToken(kind, text, _line);
    }

    private void SkipSpace()
    {
        for (; _index < _text.Length; _index++)
        {
            if (_text[_index] == '#')
            {
                int end = _text.IndexOf('\n', _index);
                _index = end < 0 ? _text.Length : end;
            }

            if (_index == _text.Length || !IsSpace(_text[_index]))
            {
                return;
            }

            _line += _text[_index] == '\n' ? 1 : 0;
        }
    }

    private NginxToken ReadWord()
    {
        var word = new StringBuilder();
        while (_index < _text.Length && !IsSpace(_text[_index]) && _text[_index] is not ';'
            and not '{')
        {
            // The brace of a variable's name is no block.
            if (_text[_index] == '$' && _index + 1 < _text.Length && _text[_index + 1] == '{')
            {
                word.Append("${");
                _index += 2;
            }
            else
            {
                Take(word);
            }
        }

        return _index < _text.Length
            ? new NginxToken(NginxTokenKind.Word, word.ToString(), _line)
            : throw UnexpectedEnd(isInDirective: true);
    }

    private NginxToken ReadQuoted()
    {
        char quote = _text[_index++];
        var word = new StringBuilder();
        while (_index < _text.Length && _text[_index] != quote)
        {
            Take(word);
        }

        if (_index == _text.Length)
        {
            throw UnexpectedEnd(isInDirective: true);
        }

        _index++;
        bool endsWord = _index == _text.Length || IsSpace(_text[_index])
            || _text[_index] is ';' or '{' or ')';
        return endsWord
            ? new NginxToken(NginxTokenKind.Word, word.ToString(), _line)
            : throw new NginxConfigException($"unexpected \"{_text[_index]}\"", Position);
    }

    /// <summary>One character, or what an escape stands for.</summary>
    private void Take(StringBuilder word)
    {
        char letter = _text[_index++];
        _line += letter == '\n' ? 1 : 0;
        if (letter != '\\' || _index == _text.Length)
        {
            word.Append(letter);
            return;
        }

        char next = _text[_index++];
        _line += next == '\n' ? 1 : 0;
        switch (next)
        {
            case '"' or '\'' or '\\':
                word.Append(next);
                break;
            case 't':
                word.Append('\t');
                break;
            case 'r':
                word.Append('\r');
                break;
            case 'n':
                word.Append('\n');
                break;
            default:
                word.Append('\\').Append(next);
                break;
        }
    }

    /// <summary>The text ends where it must not.</summary>
    public NginxConfigException UnexpectedEnd(bool isInDirective) => new(
        IsParameter ? "unexpected end of parameter, expecting \";\""
        : isInDirective ? "unexpected end of file, expecting \";\" or \"}\""
        : "unexpected end of file, expecting \"}\"",
        Position);

    private static bool IsSpace(char letter) => letter is ' ' or '\t' or '\r' or '\n';
}
