namespace Tessera.EndToEnd.Nginx.Generated;

/// <summary>
/// The bytes of a connection: one request or several, the last of which ends it. Most are as
/// browsers send them, some as nobody should. Stateless.
/// </summary>
internal static class GeneratedRequests
{
    private static readonly string[] Paths =
    [
        "/", "/a", "/a/", "/a.txt", "/ab", "/ab/c", "/a/b", "/a/b/c.php", "/p", "/p/x", "/p/r/s",
        "/files", "/files/", "/files/large.txt", "/files/a.txt", "/files/a%20b.txt",
        "/files/deep", "/files/empty.txt", "/b", "/b.html", "/x.php", "/none", "/c", "/404.html",
        "/p/400", "/p/404", "/p/500", "/p/502", "/p/503", "/p/503a", "/p/404a", "/p/die",
        "/p/diea", "/p/fields", "/p/moved", "/p/cookie", "/p/chunked", "/p/close", "/p/within",
        "/p/204", "/p/304", "/p/short", "/p/bad", "/p/expires", "/p/late", "/p/named",
    ];

    private static readonly string[] OddPaths =
    [
        "/a//b", "/a/./b", "/a/../b", "/../a", "/a%2Fb", "/a%2", "/%zz", "/a%00b", "/%41", "/a+b",
        "/a%3Fb", "/p/%20x%22", "/a%c3%a9", "/p//x", "/p/./x", "/a/..", "/a/b/../..", "//",
        "/%2e%2e/a",
        "/p/%2e%2e/b", "/a#b", "/a/#", "/p/x%23", "/.../a", "/a/.b", "/p/x?y?z", "/files//a.txt",
        "/a;b", "/p/a\"b", "/p/a|b", "/p/a^`b", "/p/{x}", "/a\\b", "/p/%7Ex", "/p/%e4%bd",
    ];

    public static string Of(Dice dice, int server, string id)
    {
        string last = One(dice, server, id + "-0", closes: true);
        return dice.Once(10) ? One(dice, server, id + "-1", closes: false) + last : last;
    }

    private static string One(Dice dice, int server, string id, bool closes)
    {
        string method = dice.Pick(
            "GET", "GET", "GET", "GET", "GET", "HEAD", "POST", "POST", "PUT", "DELETE", "OPTIONS",
            "PATCH");
        string path = dice.Once(5) ? dice.Pick(OddPaths) : dice.Pick(Paths);
        string target = path + dice.Pick(
            "", "", "", "?", "?a=1", "?a=b%20c&b=1", "?m=a", "?m=bx", "?m=xcx", "?k=1",
            "?ip=10.1.2.3", "?ip=10.1.9.9", "?a=index.html", "?m=~x&ip=::1", "?A=2&a", "?a=&k=2");
        bool isOld = closes && dice.Once(8);
        string host = dice.Once(12) ? dice.Pick($"S{server}:81", $"s{server}.") : $"s{server}";
        if (dice.Once(25))
        {
            target = $"http://{host}{target}";
        }

        string body = "";
        string fields = dice.Several(3, () => Field(dice));
        if (method is "POST" or "PUT" or "PATCH" || dice.Once(20))
        {
            (string field, body) = Body(dice, isOld);
            fields += field;
        }

        if (dice.Once(25))
        {
            fields += OddField(dice);
        }

        return $"{method} {target} HTTP/1.{(isOld ? 0 : 1)}\r\nHost: {host}\r\nX-Id: {id}\r\n"
            + (closes && !isOld ? "Connection: close\r\n" : "")
            + $"{fields}\r\n{body}";
    }

    private static string Field(Dice dice) => dice.Below(14) switch
    {
        0 => $"X-A: {dice.Pick("1", "a b", "", "\"q\"", "caf\u00e9", "  x  ", "$uri")}\r\n",
        1 => $"User-Agent: {dice.Pick("Chrome/1.0", "MSIE 6.0; x", "curl", "Mozilla Gecko/1")}\r\n",
        2 => $"Range: bytes={dice.Pick("0-3", "2-", "-4", "5-1", "0-0,2-3", "99-", "x")}\r\n",
        3 => "If-Modified-Since: " + dice.Pick(
            "Wed, 06 May 2026 07:08:09 GMT", "Wed, 06 May 2026 07:08:10 GMT",
            "Tue, 05 May 2026 07:08:09 GMT", "nonsense") + "\r\n",
        4 => $"If-None-Match: {dice.Pick("*", "\"x\"", "W/\"x\", \"y\"")}\r\n",
        5 => $"Authorization: {dice.Pick("Basic Ym9iOnNlY3JldA==", "Basic Ym9iOng=", "x")}\r\n",
        6 => $"Referer: {dice.Pick("http://s1/a", "https://else.where/", "x")}\r\n",
        7 => $"Cookie: {dice.Pick("one=1; two=2", "two=2;one=3", "one=\"x y\"", "one")}\r\n",
        8 => $"X-Forwarded-For: {dice.Pick("10.1.2.3", "1.1.1.1, 127.0.0.1", "x, ", "::1")}\r\n",
        9 => $"X-Real-IP: {dice.Pick("10.0.0.1", "nobody", "[::1]:80", "10.0.0.1:90")}\r\n",
        10 => "If-Range: " + dice.Pick(
            "Wed, 06 May 2026 07:08:09 GMT", "\"x\"", "Wed, 06 May 2026 07:08:08 GMT") + "\r\n",
        11 => $"If-Unmodified-Since: {dice.Pick("Wed, 06 May 2026 07:08:08 GMT", "x")}\r\n",
        12 => $"If-Match: {dice.Pick("*", "\"x\"")}\r\n",
        _ => "Accept: */*\r\n",
    };

    private static string OddField(Dice dice) => dice.Pick(
        "X_A: under\r\n", "X-A : space\r\n", "NoColon\r\n", "X@Y: at\r\n", ": empty\r\n",
        "X-A: one\r\nX-A: two\r\n", "Host: other\r\n", "X-Tab:\tx\t\r\n", "X.Dot: 1\r\n",
        $"X-Long: {new string('l', 700)}\r\n", $"X-Long: {new string('l', 1_500)}\r\n",
        "Expect: 100-continue\r\n", "Expect: x\r\n", "Content-Length: x\r\n", "TE: trailers\r\n",
        "Keep-Alive: 5\r\n", "Upgrade: x\r\n", "X-Lf: a\n", "X-A: a\r\n folded\r\n",
        "\u00e9: x\r\n");

    private static (string Field, string Body) Body(Dice dice, bool isOld)
    {
        if (!isOld && dice.Once(3))
        {
            string chunks = dice.Pick(
                "3\r\nabc\r\n0\r\n\r\n", "1;x=y\r\na\r\nA\r\n0123456789\r\n0\r\n\r\n", "0\r\n\r\n",
                "3\r\nabc\r\n0\r\nX-Trailer: t\r\n\r\n", "003\r\nabc\r\n00\r\n\r\n", "x\r\n\r\n");
            return ("Transfer-Encoding: chunked\r\n", chunks);
        }

        string body = dice.Pick("", "a=1", "hello world", new string('z', 1_100), "a=1&b=2\n");
        return ($"Content-Length: {body.Length}\r\n"
            + dice.Pick("", "Content-Type: application/x-www-form-urlencoded\r\n"), body);
    }
}
