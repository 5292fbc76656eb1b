namespace Tessera.Api.Contracts;

public enum ProgressKind
{
    /// <summary>An operation began.</summary>
    Started,

    /// <summary>An operation ended well.</summary>
    Done,

    /// <summary>An operation failed.</summary>
    Failed,

    /// <summary>Something a person should know; nothing failed.</summary>
    Warning,

    /// <summary>One line of a plan that is only printed.</summary>
    Plan,
}

/// <param name="Subject">An instance's or service's name; empty for a message as such.</param>
/// <param name="Text">What is done to it ("starting", "started"), or the message.</param>
public sealed record Progress(ProgressKind Kind, string Subject, string Text);
