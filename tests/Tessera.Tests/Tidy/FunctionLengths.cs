using System.Text.RegularExpressions;

namespace Tessera.Tests.Tidy;

/// <summary>
/// Finds functions by their modifiers: a line that has one and opens a parameter list begins a
/// function, whose body is the block or the expression that follows.
/// </summary>
public static partial class FunctionLengths
{
    /// <summary>
    /// Each function with the number of lines from its first to its closing brace.
    /// </summary>
    public static IEnumerable<(string Name, int Line, int Length)> In(SourceFile file)
    {
        for (int i = 0; i < file.Code.Length; i++)
        {
            Match head = Head().Match(file.Code[i]);
            if (!head.Success || IsTypeOrExpression().IsMatch(file.Code[i]))
            {
                continue;
            }

            int end = EndOf(file.Code, i);
            yield return (head.Groups["name"].Value, i + 1, end - i + 1);
        }
    }

    /// <summary>
    /// The line on which the member that begins at <paramref name="first"/> ends.
    /// </summary>
    private static int EndOf(string[] code, int first)
    {
        int depth = 0;
        bool entered = false;
        for (int i = first; i < code.Length; i++)
        {
            foreach (char c in code[i])
            {
                depth += c is '{' or '(' or '[' ? 1 : c is '}' or ')' or ']' ? -1 : 0;
                entered |= c == '{' && depth == 1;
                if (depth == 0 && (c == ';' || (c == '}' && entered)))
                {
                    return i;
                }
            }
        }

        return code.Length - 1;
    }

    [GeneratedRegex(
        @"^\s+(\[[^\]]*\]\s*)?((public|private|protected|internal|static|async|override|sealed"
        + @"|unsafe|virtual|abstract|partial|new)\s+)+[^=;]*?\b(?<name>\w+)(<[^(]*>)?\(")]
    private static partial Regex Head();

    [GeneratedRegex(@"\b(record|class|struct)\b|^\s+new\b|\bdelegate\b")]
    private static partial Regex IsTypeOrExpression();
}
