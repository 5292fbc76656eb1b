namespace Tessera.EndToEnd.Nginx.Generated;

/// <summary>What one connection was, with both programs' words on it.</summary>
/// <param name="Server">The server block that was asked.</param>
/// <param name="Nginx">Its answer, or its lines in the log.</param>
internal sealed record Disagreement(
    string Server, string Request, string Nginx, string Tessera);

/// <summary>
/// Differences that stay, each with its reason; nothing else may differ. Stateless.
/// </summary>
internal static class KnownDifferences
{
    private static readonly (string Reason, Func<Disagreement, bool> Covers)[] All =
    [
    ];

    public static bool Explain(Disagreement difference) =>
        Array.Exists(All, known => known.Covers(difference));
}
