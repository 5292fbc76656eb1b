namespace Tessera.Proxy.Answers;

/// <summary>The words that nginx has for statuses. Stateless.</summary>
internal static class StatusLine
{
    /// <summary>The reason phrase; empty for a status without words.</summary>
    public static ReadOnlySpan<byte> ReasonOf(int status) => status switch
    {
        101 => "Switching Protocols"u8,
        103 => "Early Hints"u8,
        200 => "OK"u8,
        201 => "Created"u8,
        202 => "Accepted"u8,
        204 => "No Content"u8,
        206 => "Partial Content"u8,
        302 => "Moved Temporarily"u8,
        304 => "Not Modified"u8,
        < 300 => default,
        _ => OfPage(status),
    };

    /// <summary>What the page of an error or a redirect says; empty for one without.</summary>
    public static ReadOnlySpan<byte> OfPage(int status) => status switch
    {
        301 => "Moved Permanently"u8,
        302 => "Found"u8,
        303 => "See Other"u8,
        307 => "Temporary Redirect"u8,
        308 => "Permanent Redirect"u8,
        400 => "Bad Request"u8,
        401 => "Authorization Required"u8,
        402 => "Payment Required"u8,
        403 => "Forbidden"u8,
        404 => "Not Found"u8,
        405 => "Not Allowed"u8,
        406 => "Not Acceptable"u8,
        408 => "Request Time-out"u8,
        409 => "Conflict"u8,
        410 => "Gone"u8,
        411 => "Length Required"u8,
        412 => "Precondition Failed"u8,
        413 => "Request Entity Too Large"u8,
        414 => "Request-URI Too Large"u8,
        415 => "Unsupported Media Type"u8,
        416 => "Requested Range Not Satisfiable"u8,
        421 => "Misdirected Request"u8,
        429 => "Too Many Requests"u8,
        500 => "Internal Server Error"u8,
        501 => "Not Implemented"u8,
        502 => "Bad Gateway"u8,
        503 => "Service Temporarily Unavailable"u8,
        504 => "Gateway Time-out"u8,
        505 => "HTTP Version Not Supported"u8,
        507 => "Insufficient Storage"u8,
        _ => default,
    };

    public static void Write(ref Forwarding.ByteWriter writer, int status)
    {
        writer.Write("HTTP/1.1 "u8);

        // Words that only the status line has: a page of 401 says something else.
        ReadOnlySpan<byte> reason = status == 401 ? "Unauthorized"u8 : ReasonOf(status);
        WriteThreeDigits(ref writer, status);
        writer.Write((byte)' ');
        writer.Write(reason);
        writer.Write("\r\n"u8);
    }

    private static void WriteThreeDigits(ref Forwarding.ByteWriter writer, int status)
    {
        writer.Write((byte)('0' + (status / 100 % 10)));
        writer.Write((byte)('0' + (status / 10 % 10)));
        writer.Write((byte)('0' + (status % 10)));
    }
}
