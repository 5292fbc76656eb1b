using Shouldly;
using Tessera.Proxy.Compression;
using Tessera.Proxy.Http;
using Tessera.Tests.Proxy.Http;
using Xunit;

namespace Tessera.Tests.Proxy.Compression;

public sealed class AcceptEncodingTests
{
    [Theory]
    [InlineData("gzip, deflate, br", "Brotli")]
    [InlineData("gzip, deflate", "Gzip")]
    [InlineData("GZIP", "Gzip")]
    [InlineData("x-gzip", "Gzip")]
    [InlineData("br;q=0.5, gzip;q=0.9", "Gzip")]
    [InlineData("br;q=0.9,gzip;q=0.9", "Brotli")]
    [InlineData("br;q=0, gzip", "Gzip")]
    [InlineData("br;q=0.000, gzip;q=0", "Identity")]
    [InlineData("*", "Brotli")]
    [InlineData("*, br;q=0", "Gzip")]
    [InlineData("*;q=0", "Identity")]
    [InlineData("*;q=0, gzip;q=0.001", "Gzip")]
    [InlineData("gzip ; q=1.000", "Gzip")]
    [InlineData("gzip;q=0.5, identity;q=1", "Identity")]
    [InlineData("gzip;q=0.5, identity;q=0.5", "Gzip")]
    [InlineData("identity", "Identity")]
    [InlineData("deflate", "Identity")]
    [InlineData("gzipped, brr", "Identity")]
    [InlineData("gzip;q=x", "Identity")]
    [InlineData("gzip;q=", "Identity")]
    [InlineData("gzip;q=2", "Identity")]
    [InlineData("gzip;q=0.12345", "Identity")]
    [InlineData("gzip;quality=1", "Identity")]
    [InlineData("", "Identity")]
    [InlineData(",,;q=1,", "Identity")]
    public void Chooses(string field, string expected) =>
        Choose($"Accept-Encoding: {field}\r\n", ContentCodings.All).ToString().ShouldBe(expected);

    [Fact]
    public void Chooses_only_what_is_offered()
    {
        const string Both = "Accept-Encoding: br, gzip\r\n";
        Choose(Both, ContentCodings.Gzip).ShouldBe(ContentCoding.Gzip);
        Choose(Both, ContentCodings.None).ShouldBe(ContentCoding.Identity);
        Choose("", ContentCodings.All).ShouldBe(ContentCoding.Identity);
        Choose("Accept-Encoding: br\r\nAccept-Encoding: gzip, br;q=0.1\r\n", ContentCodings.All)
            .ShouldBe(ContentCoding.Gzip);
    }

    private static ContentCoding Choose(string fields, ContentCodings offered)
    {
        byte[] bytes = Bytes.Of($"GET / HTTP/1.1\r\nHost: t\r\n{fields}\r\n");
        var head = new RequestHead(16);
        head.Parse(bytes, 4_096).ShouldBe(ParseStatus.Complete);
        return AcceptEncoding.Choose(head, bytes, offered);
    }
}
