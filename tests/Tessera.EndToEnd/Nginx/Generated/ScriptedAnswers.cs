namespace Tessera.EndToEnd.Nginx.Generated;

/// <summary>
/// What origins answer, by the last name in the path; what they were asked, where it says nothing.
/// Stateless.
/// </summary>
internal static class ScriptedAnswers
{
    /// <param name="request">Head and body as they came.</param>
    /// <param name="origin">From 0; the first one fails where others do not.</param>
    /// <returns>Null ends the connection without an answer.</returns>
    public static string? Of(string request, int origin)
    {
        // Origins close behind an answer: one that did not say so would race with who keeps the
        // connection.
        string? answer = Find(request, origin);
        int line = answer?.IndexOf("\r\n", StringComparison.Ordinal) ?? 0;
        return answer?.StartsWith("HTTP/1.1", StringComparison.Ordinal) == true
            ? answer.Insert(line, "\r\nConnection: close")
            : answer;
    }

    private static string? Find(string request, int origin)
    {
        string name = request.Split(' ')[1].Split('?')[0].Split('/')[^1];
        return name switch
        {
            "400" => Short("400 Bad", "no"),
            "404" => Short("404 Nope", "no"),
            "500" => Short("500 Oops", "no"),
            "502" => Short("502 Bad", "no"),
            "503" => Short("503 Later", "no"),
            "503a" when origin == 0 => Short("503 Later", "no"),
            "404a" when origin == 0 => Short("404 Nope", "no"),
            "die" => null,
            "diea" when origin == 0 => null,
            "bad" => "nonsense\r\n\r\n",
            "204" => "HTTP/1.1 204 No Content\r\nX-One: o\r\n\r\n",
            "304" => "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n",
            "short" => "HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\nab",
            "close" => "HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\nuntil the end",
            "chunked" => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-One: c\r\n\r\n"
                + "3\r\nxyz\r\n5;x\r\nuvwst\r\n0\r\n\r\n",
            "moved" => "HTTP/1.1 302 Found\r\nLocation: http://one.example/moved?x\r\n"
                + "Content-Length: 0\r\n\r\n",
            "within" => "HTTP/1.1 200 OK\r\nX-Accel-Redirect: /files/a.txt?w=1\r\nX-One: w\r\n"
                + "Set-Cookie: q=1\r\nContent-Length: 2\r\n\r\nok",
            "named" => "HTTP/1.1 200 OK\r\nX-Accel-Redirect: @named\r\nContent-Length: 0\r\n\r\n",
            "cookie" => "HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Domain=one.example; Path=/two/x; "
                + "HttpOnly\r\nSet-Cookie: c=d; path=/\r\nContent-Length: 2\r\n\r\nok",
            "expires" => "HTTP/1.1 200 OK\r\nExpires: Wed, 06 May 2026 07:08:09 GMT\r\n"
                + "Cache-Control: no-cache\r\nContent-Length: 1\r\n\r\ne",
            "late" => "HTTP/1.1 200 OK\r\nX-Accel-Limit-Rate: 0\r\nX-Accel-Buffering: no\r\n"
                + "Last-Modified: Wed, 06 May 2026 07:08:09 GMT\r\nAccept-Ranges: bytes\r\n"
                + "Content-Length: 4\r\n\r\nlate",
            "fields" => "HTTP/1.1 200 OK\r\nX-One: 1\r\nX-Two: 2\r\nX-Two: 3\r\nServer: s\r\n"
                + "Date: Wed, 06 May 2026 07:08:09 GMT\r\nContent-Type: text/x; charset=a\r\n"
                + "Keep-Alive: timeout=5\r\nVary: X\r\nETag: \"e\"\r\nRefresh: 1; url=/x\r\n"
                + "Content-Length: 2\r\n\r\nok",
            _ => $"HTTP/1.1 200 OK\r\nX-One: o{origin}\r\nContent-Type: text/plain\r\n"
                + $"Content-Length: {request.Length + 2}\r\n\r\n{origin}\n{request}",
        };
    }

    private static string Short(string status, string body) =>
        $"HTTP/1.1 {status}\r\nX-One: s\r\nContent-Length: {body.Length}\r\n\r\n{body}";
}
