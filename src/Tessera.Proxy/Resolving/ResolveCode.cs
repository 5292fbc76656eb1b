namespace Tessera.Proxy.Resolving;

/// <summary>
/// Why a name has no addresses, in nginx's numbers and words: those of answers (RFC 1035 section
/// 4.1.1), and ETIMEDOUT. Stateless.
/// </summary>
internal static class ResolveCode
{
    public const int None = 0;
    public const int FormatError = 1;
    public const int NotFound = 3;
    public const int TimedOut = 110;

    /// <summary>"(3: Host not found)".</summary>
    public static string Describe(int code) => $"({code}: {TextOf(code)})";

    private static string TextOf(int code) => code switch
    {
        FormatError => "Format error",
        2 => "Server failure",
        NotFound => "Host not found",
        4 => "Unimplemented",
        5 => "Operation refused",
        TimedOut => "Operation timed out",
        _ => "Unknown error",
    };
}
