using System.Collections.Immutable;

namespace Tessera.Proxy;

/// <summary>One directive of nginx's rewrite module. Steps run in their order.</summary>
public abstract record ScriptStep;

/// <summary>set.</summary>
/// <param name="Variable">Without "$".</param>
/// <param name="Value">A text with variables.</param>
public sealed record SetStep(string Variable, string Value) : ScriptStep;

/// <summary>What follows a rewrite.</summary>
public enum RewriteEnd
{
    /// <summary>The next step.</summary>
    Next,

    /// <summary>A location for the new path.</summary>
    Last,

    /// <summary>The content of this location.</summary>
    Break,

    /// <summary>An answer with 302.</summary>
    Redirect,

    /// <summary>An answer with 301.</summary>
    Permanent,
}

/// <summary>rewrite: the path becomes another where it matches.</summary>
/// <param name="Pattern">A regular expression.</param>
/// <param name="Replacement">
/// A text with variables and groups; what follows its "?" is put before the query, and one that
/// ends with "?" drops the query.
/// </param>
public sealed record RewriteStep(string Pattern, string Replacement, RewriteEnd End) : ScriptStep;

/// <summary>return.</summary>
/// <param name="Status">444 closes the connection without an answer.</param>
/// <param name="Text">Of the answer, or where a redirect leads; null for none.</param>
public sealed record ReturnStep(int Status, string? Text) : ScriptStep;

/// <summary>break.</summary>
public sealed record BreakStep : ScriptStep;

/// <summary>if.</summary>
/// <param name="Location">
/// Takes the place of the location where the condition holds; null where there is none.
/// </param>
public sealed record IfStep(
    ScriptCondition Condition, ImmutableArray<ScriptStep> Steps, RouteConfig? Location)
    : ScriptStep;

/// <summary>How an if decides.</summary>
public enum ConditionKind
{
    /// <summary>Neither empty nor "0".</summary>
    IsTrue,
    Equals,
    Matches,
    MatchesIgnoreCase,
    IsFile,
    IsFolder,
    Exists,
    IsExecutable,
}

/// <param name="Subject">A text with variables.</param>
/// <param name="Operand">A text with variables, or a regular expression.</param>
public sealed record ScriptCondition(
    ConditionKind Kind, bool IsNegated, string Subject, string Operand = "");
