using Shouldly;
using Tessera.Proxy.Http;
using Xunit;
using HttpMethod = Tessera.Proxy.Http.HttpMethod;

namespace Tessera.Tests.Proxy.Http;

/// <summary>What nginx puts up with in heads and chunks, and strict rules do not.</summary>
public sealed class TolerantHeadTests
{
    [Theory]
    [InlineData("GET  /x  HTTP/1.0", "/x", 0)]
    [InlineData("GET /x HTTP/1.1  ", "/x", 1)]
    [InlineData("GET /x HTTP/1.9", "/x", 1)]
    [InlineData("GET /x HTTP/1.10", "/x", 1)]
    [InlineData("CONNECT /x HTTP/1.0", "/x", 0)]
    [InlineData("GET  /x ", "/x", 0)]
    public void Takes_odd_request_lines(string line, string target, int minor)
    {
        RequestHead head = Parse(line, HeadRules.Tolerant, out ParseStatus status);
        status.ShouldBe(ParseStatus.Complete);
        line.Substring(head.TargetStart, head.TargetLength).ShouldBe(target);
        head.MinorVersion.ShouldBe(minor);
        head.IsSimple.ShouldBe(!line.Contains("HTTP"));
        Parse(line, HeadRules.Strict, out status);
        (status == ParseStatus.Complete).ShouldBe(line == "GET /x HTTP/1.9");
    }

    [Theory]
    [InlineData("GET /x HTTP/2.0", 505)]
    [InlineData("GET /x HTTP/0.9", 400)]
    [InlineData("GET /x HTTP/1.", 400)]
    [InlineData("GET /x HTTP/1", 400)]
    [InlineData("GET /x HTTP/1.1000", 400)]
    [InlineData("GET /x HTTP/1.1x", 400)]
    [InlineData("GET /a b HTTP/1.1", 400)]
    [InlineData("GET\t/x HTTP/1.1", 400)]
    [InlineData("POST /x", 400)]
    [InlineData("GET   ", 400)]
    [InlineData("GET  HTTP/1.1", 400)]
    [InlineData("OPTIONS * HTTP/1.0", 400)]
    [InlineData("CONNECT a:443 HTTP/1.1", 400)]
    public void Refuses_what_nginx_refuses(string line, int error)
    {
        RequestHead head = Parse(line, HeadRules.Tolerant, out ParseStatus status);
        status.ShouldBe(ParseStatus.Invalid);
        head.ErrorStatus.ShouldBe(error);
    }

    [Theory]
    [InlineData(1_000, 1_000, ParseStatus.Complete)]
    [InlineData(1_001, 1_000, ParseStatus.Invalid)]
    [InlineData(3, 2, ParseStatus.Invalid)]
    [InlineData(2, 2, ParseStatus.Complete)]
    [InlineData(5_000, int.MaxValue, ParseStatus.Complete)]
    public void The_table_of_fields_grows_up_to_its_limit(
        int count, int limit, ParseStatus expected)
    {
        string text = "GET / HTTP/1.0\r\n" + Fields(count);
        HeadRules rules = HeadRules.Tolerant with { MaxFields = limit };
        var head = new RequestHead(16_384) { Rules = rules };
        for (int i = 0; i < 2; i++)
        {
            head.Parse(Bytes.Of(text), text.Length + 1).ShouldBe(expected);
            head.HeaderCount.ShouldBe(Math.Min(count, limit));
            head.ErrorStatus.ShouldBe(expected == ParseStatus.Invalid ? 431 : 0);
            head.Reset();
        }
    }

    [Fact]
    public void A_head_that_may_have_few_fields_never_has_more()
    {
        string text = "HTTP/1.1 200 OK\r\n" + Fields(300);
        new ResponseHead(299).Parse(Bytes.Of(text), 99_999).ShouldBe(ParseStatus.Invalid);
        new ResponseHead(300).Parse(Bytes.Of(text), 99_999).ShouldBe(ParseStatus.Complete);
    }

    [Theory]
    [InlineData("099", 99)]
    [InlineData("001", 1)]
    [InlineData("200", 200)]
    public void A_status_is_any_three_digits(string digits, int status)
    {
        string text = $"HTTP/1.1 {digits} Hm\r\nContent-Length: 2\r\n\r\n";
        var head = new ResponseHead(16) { Rules = HeadRules.Tolerant };
        head.Parse(Bytes.Of(text), 999).ShouldBe(ParseStatus.Complete);
        head.StatusCode.ShouldBe(status);
        head.BodyFor(HttpMethod.Get).ShouldBe(BodyFraming.Length);
        new ResponseHead(16).Parse(Bytes.Of(text), 999).ShouldBe(
            status < 100 ? ParseStatus.Invalid : ParseStatus.Complete);
    }

    [Theory]
    [InlineData("3\nabc\n0\n\n", true)]
    [InlineData("3 \r\nabc\r\n0\r\n\r\n", true)]
    [InlineData("3 ;x\r\nabc\r\n0\t\r\n\r\n", true)]
    [InlineData("3\r\nabc\n0\r\n\r\n", true)]
    [InlineData("3\r\nabc\r\n0\r\nA: b\n\r\n", true)]
    [InlineData("3\r\nabc\r\n0\r\nA: b\r\n\n", true)]
    [InlineData("3;x\r\nabc\r\n0\r\nA: b\r\n\r\n", false)]
    [InlineData("3\r\n\n \t\r\n0\r\n\r\n", false)]
    public void Odd_chunks_are_told_from_others(string body, bool isOdd)
    {
        var chunks = new ChunkedDecoder { IsTolerant = true };
        chunks.Advance(Bytes.Of(body), out int consumed).ShouldBe(ChunkStatus.Complete);
        consumed.ShouldBe(body.Length);
        chunks.HasOddities.ShouldBe(isOdd);
        var strict = new ChunkedDecoder();
        strict.Advance(Bytes.Of(body), out _).ShouldBe(
            isOdd ? ChunkStatus.Invalid : ChunkStatus.Complete);
    }

    private static RequestHead Parse(string line, HeadRules rules, out ParseStatus status)
    {
        var head = new RequestHead(16) { Rules = rules };
        status = head.Parse(Bytes.Of(line + "\r\nHost: a\r\n\r\n"), 4_096);
        return head;
    }

    private static string Fields(int count) =>
        string.Concat(Enumerable.Range(0, count).Select(i => $"X-{i}: {i}\r\n")) + "\r\n";
}
