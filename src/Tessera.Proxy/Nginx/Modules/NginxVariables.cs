using System.Collections.Immutable;
using System.Text.RegularExpressions;
using Tessera.Proxy.Routing;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Nginx;

/// <summary>
/// The variables that a configuration defines: by map and its kin, by set, and by the names of
/// groups in its expressions. Used by one thread, once.
/// </summary>
internal sealed class NginxVariables
{
    private readonly Dictionary<string, VariableConfig> _variables =
        new(StringComparer.Ordinal);

    public ImmutableArray<VariableConfig> All => [.. _variables.Values];

    /// <summary>One that scripts set, or groups; it may be defined already.</summary>
    /// <param name="isUnknownUntilSet">
    /// See <see cref="SetVariableConfig.IsUnknownUntilSet"/>.
    /// </param>
    /// <exception cref="NginxConfigException">It is one that cannot be set.</exception>
    public void DefineSettable(
        NginxDirective directive, string name, bool isUnknownUntilSet = false)
    {
        if (name is "args" or "limit_rate")
        {
            return;
        }

        if (VariableName.IsBuiltIn(name))
        {
            throw directive.Error($"the duplicate \"{name}\" variable");
        }

        if (!_variables.TryGetValue(name, out VariableConfig? known)
            || (isUnknownUntilSet && known is SetVariableConfig))
        {
            _variables[name] = new SetVariableConfig(name, isUnknownUntilSet);
        }
    }

    /// <summary>One that is computed; the last definition of a name counts.</summary>
    public void Define(NginxDirective directive, VariableConfig variable)
    {
        if (VariableName.IsBuiltIn(variable.Name))
        {
            throw directive.Error($"the duplicate \"{variable.Name}\" variable");
        }

        _variables[variable.Name] = variable;
    }

    /// <summary>The name of a variable that is written with its "$".</summary>
    /// <exception cref="NginxConfigException">It lacks it.</exception>
    public static string NameOf(NginxDirective directive, string text) =>
        text is ['$', _, ..] ? text[1..]
            : throw directive.Error($"invalid variable name \"{text}\"");

    /// <summary>Checks an expression, and defines the names of its groups.</summary>
    /// <exception cref="NginxConfigException">It is none.</exception>
    public void CheckExpression(NginxDirective directive, string text)
    {
        CheckPattern(directive, text);
        foreach (GroupName group in ExpressionText.Translate(text).Names)
        {
            DefineSettable(directive, group.Name, isUnknownUntilSet: true);
        }
    }

    /// <summary>Checks an expression, whose groups name nothing.</summary>
    /// <exception cref="NginxConfigException">It is none.</exception>
    public static void CheckPattern(NginxDirective directive, string text)
    {
        try
        {
            foreach (GroupName group in ExpressionText.Translate(text).Names)
            {
                if (group.Name is not [not (>= '0' and <= '9'), ..])
                {
                    int at = text.IndexOf($"<{group.Name}", StringComparison.Ordinal) + 1;
                    throw directive.Error(
                        "pcre2_compile() failed: subpattern name must start with a non-digit in "
                        + $"\"{text}\" at \"{text[at..]}\"");
                }
            }

            _ = new Expression(text, ignoresCase: false, VariableScope.None);
        }
        catch (RegexParseException fault)
        {
            string place = fault.Offset < text.Length ? $" at \"{text[fault.Offset..]}\"" : "";
            throw directive.Error(
                $"pcre2_compile() failed: {PatternFault(fault)} in \"{text}\"{place}");
        }
        catch (ArgumentException fault)
        {
            throw directive.Error($"pcre2_compile() failed: {fault.Message} in \"{text}\"");
        }
    }

    /// <summary>In the words of PCRE, for the faults that people make.</summary>
    private static string PatternFault(RegexParseException fault) => fault.Error switch
    {
        RegexParseError.InsufficientClosingParentheses => "missing closing parenthesis",
        RegexParseError.InsufficientOpeningParentheses => "unmatched closing parenthesis",
        RegexParseError.UnterminatedBracket => "missing terminating ] for character class",
        RegexParseError.ReversedCharacterRange => "range out of order in character class",
        RegexParseError.ReversedQuantifierRange => "numbers out of order in {} quantifier",
        RegexParseError.QuantifierAfterNothing or RegexParseError.NestedQuantifiersNotParenthesized
            => "quantifier does not follow a repeatable item",
        RegexParseError.UnescapedEndingBackslash => "\\ at end of pattern",
        _ => fault.Message,
    };

    /// <summary>Checks how the variables of a text are written, not which they are.</summary>
    /// <exception cref="NginxConfigException">One has no name, or no end.</exception>
    public static void CheckText(NginxDirective directive, string text)
    {
        for (int i = text.IndexOf('$', StringComparison.Ordinal); i >= 0;
            i = text.IndexOf('$', i + 1))
        {
            bool isBraced = text.AsSpan(i + 1).StartsWith("{");
            int start = isBraced ? i + 2 : i + 1;
            int end = start;
            while (end < text.Length && (char.IsAsciiLetterOrDigit(text[end]) || text[end] == '_'))
            {
                end++;
            }

            if (isBraced && start < text.Length && (end == text.Length || text[end] != '}'))
            {
                throw directive.Error(
                    $"the closing bracket in \"{text[start..end]}\" variable is missing");
            }

            if (end == start)
            {
                throw directive.Error("invalid variable name");
            }
        }
    }
}
