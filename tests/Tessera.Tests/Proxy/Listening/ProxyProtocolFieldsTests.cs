using System.Text;
using Shouldly;
using Tessera.Proxy.Listening;
using Xunit;

namespace Tessera.Tests.Proxy.Listening;

public sealed class ProxyProtocolFieldsTests
{
    private const string Start =
        "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x34\xC0\0\x02\x01\xC0\0\x02\x02\x04\xD2\x16\x2E";

    /// <summary>alpn h2, ssl with cn and version, netns n, 0xae xyz.</summary>
    private const string Text = Start
        + "\x01\0\x02h2"
        + "\x20\0\x16\x01\0\0\0\xff" + "\x22\0\x04name" + "\x21\0\x07TLSv1.2"
        + "\x30\0\x01n" + "\xae\0\x03xyz";

    [Theory]
    [InlineData("alpn", "h2")]
    [InlineData("0x01", "h2")]
    [InlineData("0x0001", "h2")]
    [InlineData("netns", "n")]
    [InlineData("0xae", "xyz")]
    [InlineData("0xAE", "xyz")]
    [InlineData("ssl_cn", "name")]
    [InlineData("ssl_0x22", "name")]
    [InlineData("ssl_version", "TLSv1.2")]
    [InlineData("ssl_cipher", "")]
    [InlineData("authority", "")]
    [InlineData("0x1ae", "")]
    [InlineData("0x", "")]
    [InlineData("other", "")]
    public void Finds_what_there_is_by_name_and_by_number(string name, string value) =>
        Encoding.Latin1.GetString(Fields(Text).Find(Encoding.Latin1.GetBytes(name)))
            .ShouldBe(value);

    [Fact]
    public void Tells_how_a_certificate_was_judged()
    {
        Fields(Text).TlsVerification.ShouldBe(255u);
        default(ProxyProtocolFields).TlsVerification.ShouldBeNull();
    }

    [Fact]
    public void What_is_cut_short_has_an_end()
    {
        byte[] fields = Encoding.Latin1.GetBytes(Text[Start.Length..]);
        for (int length = 0; length < fields.Length; length++)
        {
            new ProxyProtocolFields(fields[..length]).Find("0xae"u8).Length.ShouldBe(0);
        }
    }

    private static ProxyProtocolFields Fields(string text)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(text);
        ProxyProtocolHead.Parse(bytes, out ProxyProtocolHead? head)
            .ShouldBe(ProxyHeadStatus.Complete);
        head!.Length.ShouldBe(bytes.Length);
        return head.Fields;
    }
}
