namespace Tessera.Proxy.Routing;

/// <summary>What came of holding an expression against a text.</summary>
internal enum MatchOutcome : byte
{
    None,
    Match,

    /// <summary>
    /// It took too long, or the text is none that it can be held against: nobody knows.
    /// </summary>
    Failed,
}
