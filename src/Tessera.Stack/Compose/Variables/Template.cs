using System.Text;

namespace Tessera.Stack.Compose.Variables;

/// <summary>A text that cannot be expanded; the message says why, without a position.</summary>
internal sealed class TemplateException(string message) : Exception(message);

/// <summary>
/// Expands <c>$NAME</c> and <c>${NAME…}</c> as the Compose Specification's chapter on interpolation
/// has them: <c>:-</c> <c>-</c> (default), <c>:?</c> <c>?</c> (required), <c>:+</c> <c>+</c>
/// (alternative), nested in each other, <c>$$</c> for a dollar sign.
/// </summary>
/// <param name="lookup">Value of a variable; null when it is not set.</param>
/// <param name="warnUnset">Told the name of a variable that became empty because it is not
/// set.</param>
internal sealed class Template(Func<string, string?> lookup, Action<string> warnUnset)
{
    /// <summary>Defaults within defaults; far beyond what anyone writes.</summary>
    private const int MaxDepth = 32;

    /// <exception cref="TemplateException">Bad syntax, or a required variable is
    /// missing.</exception>
    public string Expand(string text) => Expand(text, 0);

    private string Expand(string text, int depth)
    {
        int dollar = text.IndexOf('$', StringComparison.Ordinal);
        if (dollar < 0)
        {
            return text;
        }

        if (depth > MaxDepth)
        {
            throw new TemplateException($"variables are nested deeper than {MaxDepth} levels");
        }

        StringBuilder result = new(text.Length);
        int position = 0;
        while (dollar >= 0)
        {
            result.Append(text, position, dollar - position);
            position = dollar + 1;
            char next = position < text.Length ? text[position] : '\0';
            if (next == '$')
            {
                result.Append('$');
                position++;
            }
            else if (next == '{')
            {
                int close = FindClosingBrace(text, position + 1);
                result.Append(ExpandBraced(text, text[(position + 1)..close], depth));
                position = close + 1;
            }
            else
            {
                int end = EndOfName(text, position);
                if (end == position)
                {
                    throw Invalid(text);
                }

                result.Append(ValueOrEmpty(text[position..end]));
                position = end;
            }

            dollar = text.IndexOf('$', position);
        }

        return result.Append(text, position, text.Length - position).ToString();
    }

    private string ExpandBraced(string whole, string inside, int depth)
    {
        int end = EndOfName(inside, 0);
        if (end == 0)
        {
            throw Invalid(whole);
        }

        string name = inside[..end];
        if (end == inside.Length)
        {
            return ValueOrEmpty(name);
        }

        bool emptyCounts = inside[end] != ':';
        int operatorAt = emptyCounts ? end : end + 1;
        if (operatorAt >= inside.Length)
        {
            throw Invalid(whole);
        }

        string word = inside[(operatorAt + 1)..];
        string? value = lookup(name);
        bool isSet = value is not null && (emptyCounts || value.Length > 0);
        return inside[operatorAt] switch
        {
            '-' => isSet ? value! : Expand(word, depth + 1),
            '+' => isSet ? Expand(word, depth + 1) : "",
            '?' when isSet => value!,
            '?' => throw new TemplateException(
                $"required variable {name} is missing a value: {Expand(word, depth + 1)}"),
            _ => throw Invalid(whole),
        };
    }

    private string ValueOrEmpty(string name)
    {
        string? value = lookup(name);
        if (value is null)
        {
            warnUnset(name);
        }

        return value ?? "";
    }

    /// <summary>Only <c>${</c> opens another level: a brace of its own ends the
    /// innermost.</summary>
    private static int FindClosingBrace(string text, int position)
    {
        int level = 1;
        for (; position < text.Length; position++)
        {
            if (text[position] == '$' && position + 1 < text.Length)
            {
                level += text[position + 1] == '{' ? 1 : 0;
                position += text[position + 1] is '{' or '$' ? 1 : 0;
            }
            else if (text[position] == '}' && --level == 0)
            {
                return position;
            }
        }

        throw Invalid(text);
    }

    private static int EndOfName(string text, int position)
    {
        int start = position;
        while (position < text.Length && (text[position] == '_'
            || char.IsAsciiLetter(text[position])
            || (position > start && char.IsAsciiDigit(text[position]))))
        {
            position++;
        }

        return position;
    }

    private static TemplateException Invalid(string text) => new(
        $"invalid interpolation format: \"{text}\"; write $$ for a dollar sign that stays");
}
