using System.Text;

namespace Tessera.Proxy.Routing;

/// <summary>A group that has a name.</summary>
internal readonly record struct GroupName(int Group, string Name);

/// <summary>
/// An expression in PCRE's spelling as one in .NET's, so that it means what pcre2pattern(3) says:
/// over bytes (or characters, behind "(*UTF8)"), with ASCII's classes and letter case, and groups
/// with names as groups without, so that all are numbered in their order. What it does not
/// understand is an error, never something else. Immutable once translated.
/// </summary>
internal sealed partial class ExpressionText
{
    /// <summary>Deeper expressions are refused, as by PCRE.</summary>
    private const int MaxDepth = 250;

    private readonly string _source;
    private readonly StringBuilder _text = new();
    private readonly List<GroupName> _names = [];
    private readonly Stack<OpenGroup> _open = [];

    /// <summary>What is known of all of it; null in the first of the two rounds.</summary>
    private readonly ExpressionText? _whole;
    private int _index;
    private int _groups;
    private bool _ignoresCase;
    private bool _isExtended;

    /// <summary>Where in the text that begins which could be repeated; -1 for nothing.</summary>
    private int _atom = -1;

    private ExpressionText(string source, bool ignoresCase, ExpressionText? whole)
    {
        _source = source;
        _ignoresCase = ignoresCase;
        _whole = whole;
    }

    /// <summary>A group that is not closed yet, and the options around it.</summary>
    private readonly record struct OpenGroup(int Start, bool IgnoresCase, bool IsExtended);

    public string Text => _text.ToString();

    public IReadOnlyList<GroupName> Names => _names;

    /// <summary>Over characters of UTF-8, not bytes.</summary>
    public bool IsUtf { get; private set; }

    /// <exception cref="ArgumentException">It is none, or not understood.</exception>
    public static ExpressionText Translate(string text, bool ignoresCase = false)
    {
        // The first round finds the groups, to which the second one's references may lead.
        string bytes = Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(text));
        var first = new ExpressionText(bytes, ignoresCase, whole: null);
        first.Run();
        if (first.IsUtf)
        {
            first = new ExpressionText(text, ignoresCase, whole: null);
            first.Run();
        }

        var translated = new ExpressionText(first._source, ignoresCase, first);
        translated.Run();
        return translated;
    }

    private void Run()
    {
        ReadStart();
        while (_index < _source.Length)
        {
            ReadItem(_source[_index]);
        }

        if (_open.Count > 0)
        {
            throw Fault("missing closing parenthesis");
        }
    }

    private static ArgumentException Fault(string message) => new(message);

    private static ArgumentException NotSupported(string what) =>
        new($"\"{what}\" is not supported");

    /// <summary>What may stand in front of all: "(*UTF8)".</summary>
    private void ReadStart()
    {
        while (_source.AsSpan(_index).StartsWith("(*"))
        {
            int end = _source.IndexOf(')', _index);
            string verb = end < 0 ? _source[_index..] : _source[_index..(end + 1)];
            IsUtf = verb is "(*UTF8)" or "(*UTF)" ? true : throw NotSupported(verb);
            _index = end + 1;
        }
    }

    private void ReadItem(char letter)
    {
        switch (letter)
        {
            case '\\':
                ReadEscape();
                break;
            case '[':
                ReadClass();
                break;
            case '(':
                ReadGroup();
                break;
            case ')':
                CloseGroup();
                break;
            case '*' or '+' or '?':
                _index++;
                WriteQuantifier(letter.ToString());
                break;
            case '{' when TryReadCounts(out string counts):
                WriteQuantifier(counts);
                break;
            case '|' or '^' or '$':
                _index++;
                WriteMark(letter.ToString());
                break;
            case '.':
                _index++;
                WriteAtom(".");
                break;
            case '#' when _isExtended:
                int end = _source.IndexOf('\n', _index);
                _index = end < 0 ? _source.Length : end + 1;
                break;
            case ' ' or (>= '\t' and <= '\r') when _isExtended:
                _index++;
                break;
            default:
                ReadLetter();
                break;
        }
    }

    /// <summary>Of characters beyond 16 bits, both halves.</summary>
    private void ReadLetter()
    {
        if (char.IsHighSurrogate(_source[_index]) && _index + 1 < _source.Length)
        {
            WriteAtom($"(?:{_source.AsSpan(_index, 2)})");
            _index += 2;
            return;
        }

        WriteLetter(_source[_index++]);
    }

    /// <summary>Something that cannot be repeated.</summary>
    private void WriteMark(string text)
    {
        _text.Append(text);
        _atom = -1;
    }

    private void WriteAtom(string text)
    {
        _atom = _text.Length;
        _text.Append(text);
    }

    /// <summary>A letter that stands for itself.</summary>
    private void WriteLetter(int code)
    {
        _atom = _text.Length;
        char letter = IsUtf ? (char)code : ByteText.LetterOf((byte)code);
        if (char.IsAsciiLetterOrDigit(letter) || "_/-,:;=<>@&%~!'\"".Contains(letter))
        {
            _text.Append(letter);
        }
        else
        {
            _text.Append($"\\u{(int)letter:X4}");
        }
    }

    private void WriteSet(CodeSet set, bool isNegated)
    {
        _atom = _text.Length;
        set.Write(_text, isNegated, isOfBytes: !IsUtf);
    }

    /// <summary>
    /// What .NET lacks is a group that is never taken apart again: that is what "possessive" says.
    /// </summary>
    private void WriteQuantifier(string quantifier)
    {
        if (_atom < 0)
        {
            throw Fault("quantifier does not follow a repeatable item");
        }

        char next = _index < _source.Length ? _source[_index] : '\0';
        if (next == '+')
        {
            _text.Insert(_atom, "(?>").Append(quantifier).Append(')');
        }
        else
        {
            _text.Append(quantifier).Append(next == '?' ? "?" : "");
        }

        _index += next is '+' or '?' ? 1 : 0;
        _atom = -1;
    }

    /// <summary>"{n}", "{n,}" or "{n,m}"; any other brace stands for itself.</summary>
    private bool TryReadCounts(out string counts)
    {
        int end = _source.IndexOf('}', _index);
        counts = end < 0 ? "" : _source[_index..(end + 1)];
        string[] numbers = counts.Length < 3 ? [] : counts[1..^1].Split(',');
        if (numbers.Length is 0 or > 2 || numbers[0].Length == 0
            || !Array.TrueForAll(numbers, number => number.All(char.IsAsciiDigit)))
        {
            return false;
        }

        int[] values = [.. numbers.Where(n => n.Length > 0).Select(NumberOf)];
        if (Array.Exists(values, value => value > ushort.MaxValue))
        {
            throw Fault("number too big in {} quantifier");
        }

        if (values is [var least, var most] && least > most)
        {
            throw Fault("numbers out of order in {} quantifier");
        }

        _index = end + 1;
        return true;
    }

    /// <summary>More than nine digits are as good as nine.</summary>
    private static int NumberOf(string digits) => digits.Length > 9
        ? int.MaxValue
        : int.Parse(digits, System.Globalization.CultureInfo.InvariantCulture);
}
