using System.Text;

namespace Tessera.Stack.Compose.Values;

/// <summary>
/// Splits a command line into words the way Compose does: quotes and backslashes as in a shell, and
/// no shell. Nothing is expanded.
/// </summary>
internal static class ShellWords
{
    /// <param name="words">The words up to an operator of shells (<c>; &amp; | &lt; &gt;</c>), if
    /// there is one outside of quotes.</param>
    /// <param name="ignored">The operator and what follows it; Compose ignores them. Else
    /// null.</param>
    /// <returns>False when a quote is not closed or a parenthesis stands outside of
    /// quotes.</returns>
    public static bool TrySplit(string line, out List<string> words, out string? ignored)
    {
        words = [];
        ignored = null;
        StringBuilder word = new();
        bool inWord = false;
        char quote = '\0';
        for (int index = 0; index < line.Length; index++)
        {
            char character = line[index];
            if (character == '\\' && quote != '\'')
            {
                if (++index == line.Length)
                {
                    return false;
                }

                word.Append(Unescape(line[index]));
                inWord = true;
                continue;
            }

            if (quote != '\0')
            {
                bool closes = character == quote;
                quote = closes ? '\0' : quote;
                if (!closes || character is '`' or ')')
                {
                    word.Append(character);
                }

                continue;
            }

            switch (character)
            {
                case '\'' or '"':
                    quote = character;
                    inWord = true;
                    break;
                case '`':
                    quote = character;
                    word.Append(character);
                    inWord = true;
                    break;
                case '(' when word.Length > 0 && word[^1] == '$':
                    quote = ')';
                    word.Append(character);
                    break;
                case '(' or ')':
                    return false;
                case ';' or '&' or '|' or '<' or '>':
                    ignored = line[index..];
                    index = line.Length;
                    break;
                case ' ' or '\t' or '\r' or '\n':
                    EndWord(words, word, ref inWord);
                    break;
                default:
                    word.Append(character);
                    inWord = true;
                    break;
            }
        }

        EndWord(words, word, ref inWord);
        return quote == '\0';
    }

    private static void EndWord(List<string> words, StringBuilder word, ref bool inWord)
    {
        if (inWord)
        {
            words.Add(word.ToString());
        }

        word.Clear();
        inWord = false;
    }

    private static char Unescape(char character) => character switch
    {
        't' => '\t',
        'n' => '\n',
        _ => character,
    };
}
