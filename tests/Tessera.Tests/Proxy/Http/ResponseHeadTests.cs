using System.Text;
using Shouldly;
using Tessera.Proxy.Http;
using Xunit;
using HttpMethod = Tessera.Proxy.Http.HttpMethod;

namespace Tessera.Tests.Proxy.Http;

public class ResponseHeadTests
{
    private const int MaxHeadBytes = 4_096;

    private static readonly string[] Good =
    [
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 \r\n\r\n",
        "HTTP/1.1 200\r\n\r\n",
        "HTTP/1.0 404 Not Found at all: (really)\r\n\r\n",
        "HTTP/1.1 200 caf\u00e9\t!\r\n\r\n",
        "HTTP/1.1 999 Denied\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 45\r\nContent-Type: text/plain\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
        "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nConnection: X-Hop\r\nX-Hop: 1\r\nX_End: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nHost: a\r\nHost: b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nSet-Cookie: c=d\r\nServer: x\r\n\r\n",
    ];

    private static readonly (string Name, string Bytes)[] Bad =
    [
        ("both lengths", Ok("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n")),
        ("both lengths, other order", Ok("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n")),
        ("conflicting lengths", Ok("Content-Length: 4\r\nContent-Length: 5\r\n")),
        ("repeated length", Ok("Content-Length: 4\r\nContent-Length: 4\r\n")),
        ("length list", Ok("Content-Length: 4, 4\r\n")),
        ("signed length", Ok("Content-Length: +4\r\n")),
        ("length out of range", Ok("Content-Length: 9223372036854775808\r\n")),
        ("empty length", Ok("Content-Length: \r\n")),
        ("unknown coding", Ok("Transfer-Encoding: gzip, chunked\r\n")),
        ("identity", Ok("Transfer-Encoding: identity\r\n")),
        ("coding twice", Ok("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")),
        ("coding in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ("space before colon", Ok("Content-Length : 4\r\n")),
        ("folded value", Ok("X: a\r\n b\r\n")),
        ("bare LF", "HTTP/1.1 200 OK\nX: a\r\n\r\n"),
        ("bare CR", Ok("X: a\rY: b\r\n")),
        ("NUL", Ok("X: \0\r\n")),
        ("no colon", Ok("X\r\n")),
        ("empty name", Ok(": x\r\n")),
        ("HTTP/2", "HTTP/2.0 200 OK\r\n\r\n"),
        ("HTTP/1.2", "HTTP/1.2 200 OK\r\n\r\n"),
        ("lower-case version", "http/1.1 200 OK\r\n\r\n"),
        ("two digits", "HTTP/1.1 20 OK\r\n\r\n"),
        ("four digits", "HTTP/1.1 2000 OK\r\n\r\n"),
        ("leading zero", "HTTP/1.1 099 OK\r\n\r\n"),
        ("signed status", "HTTP/1.1 +20 OK\r\n\r\n"),
        ("two spaces", "HTTP/1.1  200 OK\r\n\r\n"),
        ("tab after status", "HTTP/1.1 200\tOK\r\n\r\n"),
        ("leading empty line", "\r\nHTTP/1.1 200 OK\r\n\r\n"),
        ("body of an earlier response", "hello\r\nHTTP/1.1 200 OK\r\n\r\n"),
        ("too many headers", Ok(string.Concat(Enumerable.Repeat("X: 1\r\n", 17)))),
        ("too large", Ok("X: " + new string('x', MaxHeadBytes) + "\r\n")),
    ];

    [Fact]
    public void Takes_every_good_head_whole_and_split_at_every_byte()
    {
        foreach (string text in Good)
        {
            byte[] bytes = Bytes.Of(text);
            string whole = Parse(bytes, [bytes.Length]);
            whole.ShouldNotStartWith("Invalid", customMessage: Bytes.Show(bytes));
            whole.ShouldNotStartWith("Incomplete", customMessage: Bytes.Show(bytes));
            ShouldNotDependOnPieces(bytes, whole);
            Parse(Bytes.Of(text + "body"), [bytes.Length + 4]).ShouldBe(whole);
        }
    }

    [Fact]
    public void Refuses_every_bad_head()
    {
        foreach ((string name, string text) in Bad)
        {
            byte[] bytes = Bytes.Of(text);
            string whole = Parse(bytes, [bytes.Length]);
            whole.ShouldStartWith("Invalid ", customMessage: $"{name}: {Bytes.Show(bytes)}");
            whole.Length.ShouldBeGreaterThan("Invalid ".Length, name);
            if (bytes.Length < 1_000)
            {
                ShouldNotDependOnPieces(bytes, whole);
            }
        }
    }

    [Fact]
    public void Reads_all_parts_of_a_response()
    {
        byte[] bytes = Bytes.Of(
            "HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\nConnection: x-hop\r\n"
            + "X-Hop: 1\r\n\r\nabc");
        Parse(bytes, [bytes.Length]).ShouldBe(
            """
            404 [Not Found] 1.1 to 74
            body Length 9 False keep-alive True upgrade False
            ContentLength [9] hop False line 24 to 43
            Connection [x-hop] hop True line 43 to 62
            Other [1] hop True line 62 to 72
            """);
    }

    [Theory]
    [InlineData("200", "", HttpMethod.Get, BodyFraming.UntilClose)]
    [InlineData("200", "Content-Length: 0\r\n", HttpMethod.Get, BodyFraming.None)]
    [InlineData("200", "Content-Length: 1\r\n", HttpMethod.Post, BodyFraming.Length)]
    [InlineData("200", "Content-Length: 1\r\n", HttpMethod.Head, BodyFraming.None)]
    [InlineData("200", "Transfer-Encoding: chunked\r\n", HttpMethod.Get, BodyFraming.Chunked)]
    [InlineData("200", "Transfer-Encoding: chunked\r\n", HttpMethod.Head, BodyFraming.None)]
    [InlineData("100", "", HttpMethod.Post, BodyFraming.None)]
    [InlineData("103", "", HttpMethod.Get, BodyFraming.None)]
    [InlineData("204", "", HttpMethod.Get, BodyFraming.None)]
    [InlineData("204", "Content-Length: 5\r\n", HttpMethod.Get, BodyFraming.None)]
    [InlineData("304", "Content-Length: 5\r\n", HttpMethod.Get, BodyFraming.None)]
    [InlineData("404", "Content-Length: 5\r\n", HttpMethod.Get, BodyFraming.Length)]
    public void Tells_how_the_body_ends(
        string status, string fields, HttpMethod method, BodyFraming expected)
    {
        var head = new ResponseHead(16);
        head.Parse(Bytes.Of($"HTTP/1.1 {status} X\r\n{fields}\r\n"), MaxHeadBytes)
            .ShouldBe(ParseStatus.Complete);
        head.BodyFor(method).ShouldBe(expected);
    }

    [Fact]
    public void Starts_afresh_after_reset()
    {
        var head = new ResponseHead(16);
        foreach (string text in Good.Concat(Bad.Select(row => row.Bytes)))
        {
            byte[] bytes = Bytes.Of(text);
            head.Reset();
            ParseStatus status = head.Parse(bytes, MaxHeadBytes);
            Describe(head, status, bytes).ShouldBe(Parse(bytes, [bytes.Length]));
        }
    }

    private static string Ok(string fields) => "HTTP/1.1 200 OK\r\n" + fields + "\r\n";

    private static void ShouldNotDependOnPieces(byte[] bytes, string whole)
    {
        Parse(bytes, Enumerable.Range(1, bytes.Length)).ShouldBe(whole, Bytes.Show(bytes));
        for (int split = 0; split <= bytes.Length; split++)
        {
            Parse(bytes, [split, bytes.Length])
                .ShouldBe(whole, $"{Bytes.Show(bytes)} split at {split}");
        }
    }

    private static string Parse(byte[] bytes, IEnumerable<int> lengths)
    {
        var head = new ResponseHead(16);
        ParseStatus status = ParseStatus.Incomplete;
        foreach (int length in lengths)
        {
            status = head.Parse(bytes.AsSpan(0, length).ToArray(), MaxHeadBytes);
            if (status != ParseStatus.Incomplete)
            {
                break;
            }
        }

        return Describe(head, status, bytes);
    }

    private static string Describe(ResponseHead head, ParseStatus status, byte[] bytes)
    {
        if (status != ParseStatus.Complete)
        {
            return $"{status} {head.ErrorReason}";
        }

        string reason = Bytes.Text(bytes.AsSpan(head.ReasonStart, head.ReasonLength));
        var text = new StringBuilder();
        text.Append(
            $"""
            {head.StatusCode} [{reason}] 1.{head.MinorVersion} to {head.Length}
            body {head.BodyFor(HttpMethod.Get)} {head.ContentLength} {head.IsChunked}
            """);
        text.Append($" keep-alive {head.KeepAlive} upgrade {head.IsUpgrade}");
        for (int i = 0; i < head.HeaderCount; i++)
        {
            HeaderField field = head.Headers[i];
            text.Append(
                $"\n{field.Kind} [{Bytes.Text(field.Value(bytes))}] hop {head.IsHopByHop(i)}"
                + $" line {field.Start} to {field.End}");
        }

        return text.ToString();
    }
}
