namespace Tessera.Proxy.Forwarding;

/// <summary>
/// The statuses that this program tells apart or answers with (RFC 9110 section 15).
/// </summary>
internal static class HttpStatus
{
    public const int SwitchingProtocols = 101;

    /// <summary>
    /// In the access log only: the client went away before there was an answer; nginx's 499.
    /// </summary>
    public const int ClientClosedRequest = 499;

    /// <summary>Tells the client to go elsewhere (RFC 9110 section 15.4).</summary>
    public static bool IsRedirect(int status) => status is 301 or 302 or 303 or 307 or 308;

    public static ReadOnlySpan<byte> ReasonOf(int status) => status switch
    {
        200 => "OK"u8,
        204 => "No Content"u8,
        206 => "Partial Content"u8,
        301 => "Moved Permanently"u8,
        302 => "Found"u8,
        303 => "See Other"u8,
        304 => "Not Modified"u8,
        307 => "Temporary Redirect"u8,
        308 => "Permanent Redirect"u8,
        400 => "Bad Request"u8,
        401 => "Unauthorized"u8,
        403 => "Forbidden"u8,
        404 => "Not Found"u8,
        405 => "Method Not Allowed"u8,
        408 => "Request Timeout"u8,
        413 => "Content Too Large"u8,
        414 => "URI Too Long"u8,
        412 => "Precondition Failed"u8,
        416 => "Range Not Satisfiable"u8,
        429 => "Too Many Requests"u8,
        431 => "Request Header Fields Too Large"u8,
        500 => "Internal Server Error"u8,
        501 => "Not Implemented"u8,
        502 => "Bad Gateway"u8,
        503 => "Service Unavailable"u8,
        504 => "Gateway Timeout"u8,
        505 => "HTTP Version Not Supported"u8,
        _ => "Error"u8,
    };
}
