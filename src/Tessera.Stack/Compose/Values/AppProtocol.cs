namespace Tessera.Stack.Compose.Values;

/// <summary>
/// What <c>app_protocol</c> of a port means to the balancer. The specification leaves the words
/// open; these are the ones in use.
/// </summary>
internal static class AppProtocol
{
    public const string Known = "http, ws, tcp, tls, https, wss, http2, h2c, grpc";

    /// <summary>
    /// <c>http</c> where the balancer reads requests, a WebSocket's upgrade included; <c>tcp</c>
    /// where it passes bytes on as they are, because the instance alone can read them; null for a
    /// word that nobody knows.
    /// </summary>
    public static string? Normalise(string text) => text.ToLowerInvariant() switch
    {
        "http" or "ws" => "http",
        "tcp" or "tls" or "https" or "wss" or "http2" or "h2c" or "grpc" => "tcp",
        _ => null,
    };
}
