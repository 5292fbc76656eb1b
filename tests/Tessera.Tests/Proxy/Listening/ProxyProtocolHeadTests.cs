using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Tessera.Proxy.Listening;
using Tessera.Tests.Proxy.Http;
using Xunit;

namespace Tessera.Tests.Proxy.Listening;

public sealed class ProxyProtocolHeadTests
{
    private const string Signature = "\r\n\r\n\0\r\nQUIT\n";

    public static TheoryData<string, string> Good => new()
    {
        { "PROXY TCP4 192.0.2.1 192.0.2.2 1234 5678\r\n", "192.0.2.1:1234 192.0.2.2:5678" },
        { "PROXY TCP6 2001:db8::1 ::1 1 65535\r\n", "[2001:db8::1]:1 [::1]:65535" },
        { "PROXY UNKNOWN\r\n", " " },
        { "PROXY UNKNOWN TCP4 192.0.2.1 192.0.2.2 1 2\r\n", " " },
        { Signature + "\x21\x11\0\x0C\xC0\0\x02\x01\xC0\0\x02\x02\x04\xD2\x16\x2E",
            "192.0.2.1:1234 192.0.2.2:5678" },
        { Signature + "\x21\x11\0\x0F\xC0\0\x02\x01\xC0\0\x02\x02\x04\xD2\x16\x2E\x04\0\0",
            "192.0.2.1:1234 192.0.2.2:5678" },
        { Signature + "\x20\0\0\0", " " },
        { Signature + "\x21\x31\0\x02yz", " " },
    };

    [Theory]
    [MemberData(nameof(Good))]
    public void Reads_a_head_to_its_end_and_waits_until_then(string text, string ends)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(text + "client");
        for (int length = 0; length < text.Length; length++)
        {
            ProxyProtocolHead.Parse(bytes.AsSpan(0, length), out _)
                .ShouldBe(ProxyHeadStatus.Incomplete, $"{length} bytes");
        }

        ProxyProtocolHead.Parse(bytes, out ProxyProtocolHead? head)
            .ShouldBe(ProxyHeadStatus.Complete);
        head!.Length.ShouldBe(text.Length);
        $"{head.Source} {head.Destination}".ShouldBe(ends);
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\n")]
    [InlineData("PROXY INVALID")]
    [InlineData("PROXY TCP4 192.0.2.1 192.0.2.2 1234\r\n")]
    [InlineData("PROXY TCP4 192.0.2.1 192.0.2.2 1234 5678 9\r\n")]
    [InlineData("PROXY TCP4 192.0.2.1 192.0.2.2 1234 65536\r\n")]
    [InlineData("PROXY TCP4 host 192.0.2.2 1234 5678\r\n")]
    [InlineData(Signature + "\x11\x11\0\x0C")]
    [InlineData(Signature + "\x21\x11\0\x04\xC0\0\x02\x01")]
    [InlineData(Signature + "\x21\x11\xFF\xFF")]
    public void Refuses_what_is_none(string text) => ProxyProtocolHead
        .Parse(Encoding.Latin1.GetBytes(text), out _).ShouldBe(ProxyHeadStatus.Invalid);

    [Fact]
    public void Waits_for_no_line_that_is_too_long() => ProxyProtocolHead
        .Parse(Encoding.ASCII.GetBytes("PROXY UNKNOWN" + new string('x', 94)), out _)
        .ShouldBe(ProxyHeadStatus.Invalid);

    [Fact]
    public void Damaged_heads_never_throw()
    {
        byte[][] good = [.. Good.Select(row => Encoding.Latin1.GetBytes(row.Data.Item1))];
        Gen<byte[]> cases =
            from bytes in Gen.Elements(good)
            from edits in Gen.Choose(0, 4)
            from damaged in Mutation.Apply(bytes, edits)
            select damaged;
        Prop.ForAll(cases.ToArbitrary(), bytes =>
            ProxyProtocolHead.Parse(bytes, out ProxyProtocolHead? head)
                != ProxyHeadStatus.Complete || head!.Length <= bytes.Length)
            .Check(Config.QuickThrowOnFailure.WithMaxTest(5_000).WithQuietOnSuccess(true));
    }
}
