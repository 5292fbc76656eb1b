using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Scripts;

/// <summary>How a script has ended.</summary>
internal enum ScriptVerdict : byte
{
    /// <summary>Its last step was done.</summary>
    Done,

    /// <summary>A step said that none follows.</summary>
    Stopped,

    /// <summary>The request is answered with a status and perhaps a text.</summary>
    Answer,

    /// <summary>The client is sent to where the exchange has noted.</summary>
    Redirect,
}

/// <summary>How a script, or a step of it, has ended.</summary>
/// <param name="Text">Null for an answer without a text of its own.</param>
internal readonly record struct ScriptEnd(
    ScriptVerdict Verdict, int Status = 0, Template? Text = null)
{
    public static ScriptEnd Done => default;

    /// <summary>An expression was given up, so that nobody knows where to go on.</summary>
    public static ScriptEnd Failed => new(ScriptVerdict.Answer, 500);

    public static ScriptEnd Stopped => new(ScriptVerdict.Stopped);
}
