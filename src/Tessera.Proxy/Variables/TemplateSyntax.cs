using Tessera.Proxy.Variables;

namespace Tessera.Proxy;

/// <summary>Texts with variables, for who reads them before a proxy does. Any thread.</summary>
public static class TemplateSyntax
{
    /// <summary>
    /// What is wrong with a text (<c>$host$request_uri</c>, say), as a sentence; null when nothing
    /// is.
    /// </summary>
    public static string? ProblemOf(string text) => Template.ProblemOf(text);
}
