using System.Text;

namespace Tessera.Tests.Tidy;

/// <summary>
/// Blanks comments, string and character literals of C# out, keeping every line and column, so that
/// rules about code see nothing but code. Code within interpolation holes is blanked as well.
/// </summary>
public static class CodeOnly
{
    public static string Of(string text)
    {
        var result = new StringBuilder(text.Length);
        int at = 0;
        while (at < text.Length)
        {
            int length = LiteralLength(text, at);
            if (length == 0)
            {
                result.Append(text[at++]);
                continue;
            }

            foreach (char c in text.AsSpan(at, length))
            {
                result.Append(c == '\n' ? '\n' : ' ');
            }

            at += length;
        }

        return result.ToString();
    }

    /// <summary>
    /// Length of the comment or literal that begins at <paramref name="at"/>; 0 for code.
    /// </summary>
    private static int LiteralLength(string text, int at)
    {
        ReadOnlySpan<char> rest = text.AsSpan(at);
        if (rest.StartsWith("//"))
        {
            int end = rest.IndexOf('\n');
            return end < 0 ? rest.Length : end;
        }

        if (rest.StartsWith("/*"))
        {
            int end = rest.IndexOf("*/");
            return end < 0 ? rest.Length : end + 2;
        }

        if (rest[0] == '\'')
        {
            return QuotedLength(rest, 0, '\'');
        }

        return StringLength(rest);
    }

    private static int StringLength(ReadOnlySpan<char> rest)
    {
        int prefix = rest.IndexOfAnyExcept('$', '@');
        if (prefix < 0 || rest[prefix] != '"')
        {
            return 0;
        }

        int quotes = rest[prefix..].IndexOfAnyExcept('"');
        quotes = quotes < 0 ? rest.Length - prefix : quotes;
        if (quotes >= 3)
        {
            int close = rest[(prefix + quotes)..].IndexOf(new string('"', quotes));
            return close < 0 ? rest.Length : prefix + quotes + close + quotes;
        }

        ReadOnlySpan<char> marks = rest[..prefix];
        if (marks.Contains('@'))
        {
            return VerbatimLength(rest, prefix);
        }

        return marks.Contains('$')
            ? InterpolatedLength(rest, prefix)
            : QuotedLength(rest, prefix, '"');
    }

    /// <summary>
    /// From the quote at <paramref name="open"/>, with backslash escapes, to the same quote.
    /// </summary>
    private static int QuotedLength(ReadOnlySpan<char> rest, int open, char quote)
    {
        int at = open + 1;
        while (at < rest.Length && rest[at] != quote && rest[at] != '\n')
        {
            at += rest[at] == '\\' ? 2 : 1;
        }

        return Math.Min(at + 1, rest.Length);
    }

    private static int VerbatimLength(ReadOnlySpan<char> rest, int open)
    {
        int at = open + 1;
        while (at < rest.Length)
        {
            if (rest[at] == '"')
            {
                if (at + 1 == rest.Length || rest[at + 1] != '"')
                {
                    return at + 1;
                }

                at++;
            }

            at++;
        }

        return rest.Length;
    }

    /// <summary>
    /// Holes may hold strings with quotes of their own, which do not end the literal.
    /// </summary>
    private static int InterpolatedLength(ReadOnlySpan<char> rest, int open)
    {
        int at = open + 1;
        int depth = 0;
        while (at < rest.Length && rest[at] != '\n')
        {
            char c = rest[at];
            if (depth == 0 && c == '"')
            {
                return at + 1;
            }

            if (depth > 0 && c is '"' or '\'' && StringOrChar(rest[at..]) is > 0 and var inner)
            {
                at += inner;
                continue;
            }

            bool isDoubled = depth == 0 && c is '{' or '}' && at + 1 < rest.Length
                && rest[at + 1] == c;
            depth += isDoubled ? 0 : c == '{' ? 1 : c == '}' ? -1 : 0;
            at += isDoubled || (depth == 0 && c == '\\') ? 2 : 1;
        }

        return Math.Min(at, rest.Length);
    }

    private static int StringOrChar(ReadOnlySpan<char> rest) =>
        rest[0] == '\'' ? QuotedLength(rest, 0, '\'') : StringLength(rest);
}
