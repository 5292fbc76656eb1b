using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Tessera.Proxy.Listening;
using Tessera.Tests.Proxy.Http;
using Xunit;

namespace Tessera.Tests.Proxy.Listening;

public sealed class ClientHelloTests
{
    private static readonly Config Many =
        Config.QuickThrowOnFailure.WithMaxTest(5_000).WithQuietOnSuccess(true);

    private readonly ClientHello _hello = new();

    [Theory]
    [InlineData(16_384)]
    [InlineData(50)]
    [InlineData(1)]
    public void Tells_what_the_client_asks_for_over_any_records(int recordBytes)
    {
        byte[] bytes = HelloBytes.Create(
            "shop.example", ["h2", "http/1.1"], [0x0A0A, 0x0304, 0x0303],
            recordBytes: recordBytes);
        _hello.Parse(bytes).ShouldBe(ClientHelloStatus.Complete);
        Describe().ShouldBe("shop.example|h2,http/1.1|TLSv1.3");
    }

    [Theory]
    [InlineData(0x0300, "SSLv3")]
    [InlineData(0x0301, "TLSv1")]
    [InlineData(0x0302, "TLSv1.1")]
    [InlineData(0x0303, "TLSv1.2")]
    public void Tells_the_version_of_a_client_that_lists_none(int version, string expected)
    {
        _hello.Parse(HelloBytes.Create(legacyVersion: (ushort)version))
            .ShouldBe(ClientHelloStatus.Complete);
        Describe().ShouldBe("||" + expected);
    }

    [Fact]
    public void Waits_for_each_byte_and_says_nothing_before()
    {
        byte[] bytes = HelloBytes.Create("a.example", ["h2"], [0x0304], recordBytes: 40);
        for (int length = 0; length < bytes.Length; length++)
        {
            _hello.Parse(bytes.AsSpan(0, length)).ShouldBe(ClientHelloStatus.Incomplete);
            Describe().ShouldBe("||");
        }
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\n\r\n")]
    [InlineData("\u0016\u0002\u0001\u0000\u0040")]
    [InlineData("\u0017\u0003\u0001\u0000\u0040")]
    [InlineData("\u0016\u0003\u0001\u0000\u0004\u0002\u0000\u0000\u0001")]
    public void Knows_at_once_what_is_no_hello(string text)
    {
        _hello.Parse(Encoding.Latin1.GetBytes(text)).ShouldBe(ClientHelloStatus.Foreign);
        Describe().ShouldBe("||");
    }

    [Fact]
    public void Believes_no_length_that_reaches_beyond_the_message()
    {
        // The last extension's content, one byte shorter than it says.
        byte[] bytes = HelloBytes.Create(versions: [0x0304]);
        bytes[^4]++;
        _hello.Parse(bytes).ShouldBe(ClientHelloStatus.Foreign);
    }

    [Fact]
    public void Damaged_hellos_never_throw_and_end_alike_however_often_they_are_parsed()
    {
        byte[][] good =
        [
            HelloBytes.Create("shop.example", ["h2", "http/1.1"], [0x0304, 0x0303]),
            HelloBytes.Create("a", ["h2"], recordBytes: 9),
            HelloBytes.Create(),
        ];
        Gen<byte[]> cases =
            from bytes in Gen.Elements(good)
            from edits in Gen.Choose(0, 4)
            from damaged in Mutation.Apply(bytes, edits)
            from length in Gen.Choose(0, damaged.Length)
            select damaged[..length];
        Prop.ForAll(cases.ToArbitrary(), bytes =>
        {
            ClientHelloStatus first = _hello.Parse(bytes);
            string told = Describe();
            return _hello.Parse(bytes) == first && Describe() == told
                && told.Length <= bytes.Length + "||TLSv1.3".Length;
        }).Check(Many);
    }

    private string Describe() => string.Join(
        '|',
        Encoding.Latin1.GetString(_hello.ServerName),
        Encoding.Latin1.GetString(_hello.Protocols),
        Encoding.Latin1.GetString(_hello.Version));
}
