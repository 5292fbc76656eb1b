using System.Text.RegularExpressions;
using Tessera.Stack.Routing;

namespace Tessera.Stack.Compose.Model;

/// <summary>The signs that nginx's locations begin with, and <c>/prefix*</c>.</summary>
internal static class PathSyntax
{
    private static readonly (string Sign, RoutePathKind Kind)[] Signs =
    [
        ("^~ ", RoutePathKind.PrefixFirst),
        ("~* ", RoutePathKind.PatternIgnoreCase),
        ("~ ", RoutePathKind.Pattern),
        ("= ", RoutePathKind.Exact),
    ];

    /// <param name="problem">What is wrong, as the end of a sentence; empty when nothing
    /// is.</param>
    public static RoutePath Parse(string text, out string problem)
    {
        foreach ((string sign, RoutePathKind kind) in Signs)
        {
            if (text.StartsWith(sign, StringComparison.Ordinal))
            {
                return Checked(new RoutePath(kind, text[sign.Length..].Trim()), out problem);
            }
        }

        return Checked(
            text.EndsWith('*')
                ? new RoutePath(RoutePathKind.Prefix, text[..^1])
                : new RoutePath(RoutePathKind.Segments, text),
            out problem);
    }

    /// <summary>Null for a regular expression.</summary>
    public static string? ProblemOf(string pattern)
    {
        try
        {
            // PCRE's named groups are .NET's with a P.
            _ = new Regex(
                pattern.Replace("(?P<", "(?<", StringComparison.Ordinal),
                RegexOptions.CultureInvariant);
            return null;
        }
        catch (ArgumentException e)
        {
            return e.Message.TrimEnd('.');
        }
    }

    private static RoutePath Checked(RoutePath path, out string problem)
    {
        bool isPattern =
            path.Kind is RoutePathKind.Pattern or RoutePathKind.PatternIgnoreCase;
        string? fault = isPattern ? ProblemOf(path.Text) : null;
        problem = fault is not null ? $"is no regular expression: {fault}"
            : !isPattern && !path.Text.StartsWith('/')
                ? $"must begin with \"/\" (or \"= /\", \"^~ /\", \"~ \", \"~* \"), not " +
                    $"\"{path.Text}\""
            : "";
        return path;
    }
}
