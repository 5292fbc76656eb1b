using Shouldly;
using Tessera.Proxy.Http;
using Xunit;
using HttpMethod = Tessera.Proxy.Http.HttpMethod;

namespace Tessera.Tests.Proxy.Http;

public class RequestHeadTests
{
    [Fact]
    public void Takes_every_good_head_whole_and_split_at_every_byte()
    {
        foreach (string text in RequestTable.Good)
        {
            byte[] bytes = Bytes.Of(text);
            string whole = ParsedRequest.Whole(bytes);
            whole.ShouldNotStartWith("Invalid", customMessage: Bytes.Show(bytes));
            whole.ShouldNotStartWith("Incomplete", customMessage: Bytes.Show(bytes));
            ShouldNotDependOnPieces(bytes, whole);
        }
    }

    [Fact]
    public void Waits_for_the_rest_of_every_cut_good_head()
    {
        foreach (string text in RequestTable.Good)
        {
            byte[] bytes = Bytes.Of(text);
            for (int length = 0; length < bytes.Length; length++)
            {
                ParsedRequest.Whole(bytes[..length])
                    .ShouldBe("Incomplete 0 ", Bytes.Show(bytes.AsSpan(0, length)));
            }
        }
    }

    [Fact]
    public void Stops_at_the_end_of_the_head_when_more_follows()
    {
        foreach (string text in RequestTable.Good)
        {
            byte[] bytes = Bytes.Of(text);
            byte[] pipelined = Bytes.Of(text + text + "\0");
            ParsedRequest.Whole(pipelined).ShouldBe(ParsedRequest.Whole(bytes));
        }
    }

    [Fact]
    public void Refuses_every_smuggling_attempt()
    {
        foreach ((string name, string text) in RequestTable.Smuggling)
        {
            byte[] bytes = Bytes.Of(text);
            string whole = ParsedRequest.Whole(bytes);
            whole.ShouldStartWith("Invalid 400 ", customMessage: $"{name}: {Bytes.Show(bytes)}");
            whole.Length.ShouldBeGreaterThan("Invalid 400 ".Length, name);
            ShouldNotDependOnPieces(bytes, whole);
        }
    }

    [Fact]
    public void Names_the_right_status_for_other_errors()
    {
        foreach ((int status, string text) in RequestTable.OtherErrors)
        {
            byte[] bytes = Bytes.Of(text);
            string whole = ParsedRequest.Whole(bytes);
            whole.ShouldStartWith($"Invalid {status} ", customMessage: Bytes.Show(bytes));
            ShouldNotDependOnPieces(bytes, whole);
        }
    }

    [Fact]
    public void Refuses_every_control_character_wherever_it_stands()
    {
        byte[] good = Bytes.Of(
            "GET /path HTTP/1.1\r\nHost: a\r\nX-Long: 0123456789abcdefghij\r\n\r\n");
        for (int at = 0; at < good.Length - 4; at++)
        {
            if (good[at] is (byte)'\r' or (byte)'\n')
            {
                continue;
            }

            // All but the tab, which is whitespace around values and content inside them.
            foreach (int control in Enumerable.Range(0, 32).Except([9]).Append(127))
            {
                byte[] bytes = [.. good];
                bytes[at] = (byte)control;
                ParsedRequest.Whole(bytes).ShouldStartWith(
                    "Invalid 400 ", customMessage: Bytes.Show(bytes));
            }
        }
    }

    [Fact]
    public void Reads_all_parts_of_a_request()
    {
        byte[] bytes = Bytes.Of(
            "\r\nPOST /a/b?c=d HTTP/1.1\r\nHost: example.org:8080\r\nContent-Length: 12\r\n"
            + "Connection: X-Hop\r\nX-Hop: 1\r\nX-End:  2 \r\n\r\nrest");
        ParsedRequest.Whole(bytes).ShouldBe(
            """
            Post [POST] 1.1
            target [/a/b?c=d] False
            origin [/a/b?c=d]
            path [/a/b]
            host [example.org:8080]
            body Length 12 False
            keep-alive True expects False upgrade False
            from 2 to 113
            Host [Host] [example.org:8080] hop False line 26 to 50
            ContentLength [Content-Length] [12] hop False line 50 to 70
            Connection [Connection] [X-Hop] hop True line 70 to 89
            Other [X-Hop] [1] hop True line 89 to 99
            Other [X-End] [2] hop False line 99 to 111
            """);
    }

    [Theory]
    [InlineData("http://b.example:81/x?y", "b.example:81", "/x?y", "/x")]
    [InlineData("HTTP://b.example", "b.example", "", "")]
    [InlineData("https://b.example?q", "b.example", "?q", "")]
    [InlineData("http://[::1]:80/", "[::1]:80", "/", "/")]
    [InlineData("/http://b/", "a", "/http://b/", "/http://b/")]
    public void Takes_the_authority_of_an_absolute_target_over_Host(
        string target, string host, string origin, string path)
    {
        byte[] bytes = Bytes.Of($"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        var head = new RequestHead(8);
        head.Parse(bytes, 1_024).ShouldBe(ParseStatus.Complete);
        Bytes.Text(bytes.AsSpan(head.HostStart, head.HostLength)).ShouldBe(host);
        Bytes.Text(bytes.AsSpan(head.OriginFormStart, head.OriginFormLength)).ShouldBe(origin);
        Bytes.Text(bytes.AsSpan(head.PathStart, head.PathLength)).ShouldBe(path);
    }

    [Theory]
    [InlineData("1.1", "", true)]
    [InlineData("1.1", "Connection: close\r\n", false)]
    [InlineData("1.1", "Connection: Keep-Alive, CLOSE\r\n", false)]
    [InlineData("1.1", "Connection: closed\r\n", true)]
    [InlineData("1.0", "", false)]
    [InlineData("1.0", "Connection: x, keep-alive\r\n", true)]
    [InlineData("1.0", "Connection: keep-alive\r\nConnection: close\r\n", false)]
    public void Knows_whether_the_connection_stays(string version, string fields, bool expected)
    {
        var head = new RequestHead(8);
        byte[] bytes = Bytes.Of($"GET / HTTP/{version}\r\nHost: a\r\n{fields}\r\n");
        head.Parse(bytes, 1_024).ShouldBe(ParseStatus.Complete);
        head.KeepAlive.ShouldBe(expected);
    }

    [Theory]
    [InlineData("1.1", "Connection: upgrade\r\nUpgrade: websocket\r\n", true)]
    [InlineData("1.1", "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n", true)]
    [InlineData("1.1", "Upgrade: websocket\r\n", false)]
    [InlineData("1.1", "Connection: upgrade\r\n", false)]
    [InlineData("1.1", "Connection: upgrade\r\nUpgrade: h2c\r\n", false)]
    [InlineData("1.1", "Connection: upgrade\r\nUpgrade: websocket, H2C\r\n", false)]
    [InlineData("1.1", "Connection: upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n", false)]
    [InlineData("1.0", "Connection: upgrade\r\nUpgrade: websocket\r\n", false)]
    public void Tunnels_only_what_asks_for_it(string version, string fields, bool expected)
    {
        var head = new RequestHead(8);
        byte[] bytes = Bytes.Of($"GET / HTTP/{version}\r\nHost: a\r\n{fields}\r\n");
        head.Parse(bytes, 1_024).ShouldBe(ParseStatus.Complete);
        head.IsUpgrade.ShouldBe(expected);
    }

    [Fact]
    public void Keeps_Host_and_Content_Length_whatever_Connection_names()
    {
        byte[] bytes = Bytes.Of(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nCookie: c\r\nTE: trailers\r\n"
            + "X_Real_IP: 1\r\nConnection: host, content-length, cookie\r\n\r\n");
        var head = new RequestHead(8);
        head.Parse(bytes, 1_024).ShouldBe(ParseStatus.Complete);
        head.Headers.Take(head.HeaderCount)
            .Where(field => field.IsHopByHop).Select(field => field.Kind)
            .ShouldBe([
                HeaderKind.Cookie, HeaderKind.TE, HeaderKind.Underscored, HeaderKind.Connection]);
    }

    [Theory]
    [InlineData(17, 431)]
    [InlineData(16, null)]
    public void Limits_the_number_of_headers(int count, int? status)
    {
        string fields = string.Concat(Enumerable.Range(1, count - 1).Select(i => $"X{i}: 1\r\n"));
        byte[] bytes = Bytes.Of($"GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        string whole = ParsedRequest.Whole(bytes);
        whole.StartsWith($"Invalid {status} ", StringComparison.Ordinal).ShouldBe(status != null);
        ShouldNotDependOnPieces(bytes, whole);
    }

    [Fact]
    public void Limits_the_size_of_a_head()
    {
        const string text = "GET /abcdef HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n";
        byte[] bytes = Bytes.Of(text);
        int lineLength = text.IndexOf('\n') + 1;
        for (int limit = 1; limit <= bytes.Length + 1; limit++)
        {
            string whole = ParsedRequest.Whole(bytes, limit);
            string expected = limit < lineLength ? "Invalid 414 "
                : limit < bytes.Length ? "Invalid 431 "
                : "Get ";
            whole.ShouldStartWith(expected, customMessage: $"limit {limit}");
            ParsedRequest.ByteByByte(bytes, limit).ShouldBe(whole, $"limit {limit}");
        }
    }

    [Fact]
    public void Starts_afresh_after_reset()
    {
        var head = new RequestHead(16);
        foreach (string text in RequestTable.Good.Concat(RequestTable.Bad.Select(row => row.Bytes)))
        {
            byte[] bytes = Bytes.Of(text);
            head.Reset();
            ParseStatus status = head.Parse(bytes, ParsedRequest.MaxHeadBytes);
            ParsedRequest.Describe(head, status, bytes).ShouldBe(ParsedRequest.Whole(bytes));
        }
    }

    [Theory]
    [InlineData("GET", HttpMethod.Get, true)]
    [InlineData("HEAD", HttpMethod.Head, true)]
    [InlineData("POST", HttpMethod.Post, false)]
    [InlineData("PUT", HttpMethod.Put, true)]
    [InlineData("DELETE", HttpMethod.Delete, true)]
    [InlineData("OPTIONS", HttpMethod.Options, true)]
    [InlineData("PATCH", HttpMethod.Patch, false)]
    [InlineData("TRACE", HttpMethod.Trace, true)]
    [InlineData("Get", HttpMethod.Other, false)]
    [InlineData("GETS", HttpMethod.Other, false)]
    public void Knows_methods_and_which_may_be_sent_again(
        string name, HttpMethod method, bool isIdempotent)
    {
        var head = new RequestHead(8);
        head.Parse(Bytes.Of($"{name} / HTTP/1.1\r\nHost: a\r\n\r\n"), 1_024)
            .ShouldBe(ParseStatus.Complete);
        head.Method.ShouldBe(method);
        head.Method.IsIdempotent().ShouldBe(isIdempotent);
    }

    private static void ShouldNotDependOnPieces(byte[] bytes, string whole)
    {
        ParsedRequest.ByteByByte(bytes).ShouldBe(whole, Bytes.Show(bytes));
        for (int split = 0; split <= bytes.Length; split++)
        {
            ParsedRequest.InPieces(bytes, [split, bytes.Length], ParsedRequest.MaxHeadBytes)
                .ShouldBe(whole, $"{Bytes.Show(bytes)} split at {split}");
        }
    }
}
