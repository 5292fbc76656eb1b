using System.Text;

namespace Tessera.EndToEnd.Harness;

/// <summary>
/// Requests that no strict server may accept (RFC 9112): a table of known ambiguities, and good
/// requests that a random mutation made bad. Every one of them must be answered with 400 or a
/// closed connection.
/// </summary>
public static class MalformedRequests
{
    private static readonly string[] Good =
    [
        "GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nX-A: b\r\n\r\n",
        "POST /form?a=b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello",
        "PUT /a/b HTTP/1.1\r\nHost: localhost:80\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n"
            + "5\r\nhello\r\n0\r\n\r\n",
    ];

    private static readonly Func<string, Random, string>[] Mutations =
    [
        (text, _) => Once(text, "\r\n", "\n"),
        (text, random) => InFields(text, random, "\n"),
        (text, random) => InFields(text, random, "\r"),
        (text, random) => InFields(text, random, "\0"),
        (text, random) => InFields(text, random, ((char)random.Next(1, 9)).ToString()),
        (text, random) => Once(text, "X-A: b", $"X-A{Pick(random, " ", "\t")}: b"),
        (text, random) => Once(text, "X-A:", $"X{Pick(random, "(", "@", "{", "\"", "/", "é")}A:"),
        (text, random) => Once(text, "X-A: b", $"X-A: b\r\n{Pick(random, " ", "\t")}folded"),
        (text, _) => Once(text, "X-A: b", "X-A b"),
        (text, _) => Once(text, "X-A: b", ": b"),
        (text, _) => Once(text, "Host: localhost", "X-Host: localhost"),
        (text, _) => Once(text, "X-A: b", "Host: other"),
        (text, random) => Once(text, "Host: ", $"Host: {Pick(random, "a b", "a/b", "a@b")}"),
        (text, _) => Once(text, "\r\n", "\r\n Host: other\r\n"),
        (text, random) => Once(text, " ", Pick(random, "  ", "\t", " \t", "\v")),
        (text, random) => Once(text, " HTTP", $"{Pick(random, " ", "\u0001", " x", "\0")} HTTP"),
        (text, random) => Once(text, "HTTP/1.1", Pick(
            random, "HTTP/1.11", "HTTP/11", "http/1.1", "HTTP/1.", "HTTP /1.1", "HTTP/1.1 ",
            "XTTP/1.1", "HTTP/+1.1")),
        (text, random) => Once(text, "X-A: b", Pick(
            random, "Content-Length: 1\r\nContent-Length: 1", "Content-Length: -1",
            "Content-Length: 0x1",
            "Content-Length: 1,1", "Content-Length: 1 1", "Content-Length: +1", "Content-Length: ",
            "Content-Length: 9223372036854775808", "Content-Length: 99999999999999999999")),
        (text, random) => Once(text, "X-A: b", Pick(
            random, "Transfer-Encoding: chunked\r\nContent-Length: 5",
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked, chunked", "Transfer-Encoding: \"chunked\"",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity")),
    ];

    private static readonly string[] BadChunks =
    [
        "-5\r\nhello\r\n0\r\n\r\n", "+5\r\nhello\r\n0\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n", "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n", "5\r\nhelloX\r\n0\r\n\r\n", "5\r\nhello0\r\n\r\n",
        "g\r\nhello\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n\r\n", "5\r\rhello\r\n0\r\n\r\n",
        "FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n", "8000000000000000\r\nhello\r\n0\r\n\r\n",
        "5;\0\r\nhello\r\n0\r\n\r\n", "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\nBad Trailer\r\n\r\n",
        "5\r\nhello\r\n0\r\nX-A : b\r\n\r\n", "5\r\nhello\r\n0\r\nX-A: b\n\r\n",
    ];

    private static readonly string[] Odd =
    [
        "\0\0\0\0\r\n\r\n", "GET\r\n\r\n", "GET /\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
        "/ HTTP/1.1\r\n\r\n",
        " GET / HTTP/1.1\r\nHost: a\r\n\r\n", "G\0T / HTTP/1.1\r\nHost: a\r\n\r\n",
        "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", "GET  HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET a HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\n: a\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\rHost: a\r\r", "GET / HTTP/1.1\nHost: a\n\n",
        "GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /\u007f HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX: \u007f\r\n\r\n",
    ];

    /// <summary>
    /// The tables as they stand, then mutations until there are <paramref name="count"/>.
    /// </summary>
    public static IEnumerable<string> Generate(int seed, int count)
    {
        const string chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        string[] table = [.. Odd, .. BadChunks.Select(body => chunked + body)];
        var random = new Random(seed);
        for (int i = 0; i < count; i++)
        {
            yield return i < table.Length ? table[i] : Mutate(random);
        }
    }

    /// <summary>For a message: control characters as C# writes them.</summary>
    public static string Describe(string request)
    {
        var text = new StringBuilder();
        foreach (char c in request)
        {
            text.Append(c switch
            {
                '\r' => "\\r",
                '\n' => "\\n",
                < ' ' or > '~' => $"\\x{(int)c:x2}",
                _ => c.ToString(),
            });
        }

        return text.ToString();
    }

    private static string Mutate(Random random)
    {
        while (true)
        {
            string good = Good[random.Next(Good.Length)];
            string bad = Mutations[random.Next(Mutations.Length)](good, random);
            if (bad != good)
            {
                return bad;
            }
        }
    }

    private static string Pick(Random random, params string[] choices) =>
        choices[random.Next(choices.Length)];

    private static string Once(string text, string old, string changed)
    {
        int at = text.IndexOf(old, StringComparison.Ordinal);
        return at < 0 ? text : text[..at] + changed + text[(at + old.Length)..];
    }

    /// <summary>Puts something within the name or the value of a field.</summary>
    private static string InFields(string text, Random random, string what)
    {
        int first = text.IndexOf("\r\n", StringComparison.Ordinal) + 2;
        int last = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
        int at = random.Next(first + 1, last);
        // Between CR and LF it would be another mutation; a line feed there is none at all.
        at = text[at - 1] == '\r' || text[at] == '\n' ? at + 2 : at;
        return text[..at] + what + text[at..];
    }
}
