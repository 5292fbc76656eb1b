using System.Text;
using Shouldly;
using Tessera.Proxy;
using Tessera.Proxy.Answers;
using Xunit;

namespace Tessera.Tests.Proxy.Answers;

public class RecodingTests
{
    private static readonly CharsetMapConfig Cyrillic = new(
        "koi8-r",
        "utf-8",
        [
            new CharsetPair(0xC0, [.. "ю"u8]),
            new CharsetPair(0xC1, [.. "а"u8]),
            new CharsetPair(0xC2, [.. "☃"u8]),
        ]);

    private static readonly CharsetMapConfig Bytes = new(
        "koi8-r", "windows-1251", [new CharsetPair(0xC0, [0xFE]), new CharsetPair(0xC1, [0xE0])]);

    [Fact]
    public void Writes_bytes_as_characters() =>
        Apply(Cyrillic.There, [.. "a "u8, 0xC0, 0xC2, 0xD0])
            .ShouldBe(Encoding.UTF8.GetBytes("a ю☃?"));

    [Fact]
    public void Writes_bytes_as_other_bytes_and_back()
    {
        Apply(Bytes.There, [(byte)'a', 0xC0, 0xC1, 0xD0]).ShouldBe([(byte)'a', 0xFE, 0xE0, 0x3F]);
        Apply(Bytes.Back, [(byte)'a', 0xFE, 0xE0, 0xD0]).ShouldBe([(byte)'a', 0xC0, 0xC1, 0x3F]);
        Bytes.There.KeepsLength.ShouldBeTrue();
        Cyrillic.There.KeepsLength.ShouldBeFalse();
    }

    [Theory]
    [InlineData("aюаx☃", "61C0C178C2")]
    [InlineData("é", "26233233333B")]
    [InlineData("😀z", "26233132383531323B7A")]
    public void Writes_characters_as_bytes_however_the_body_is_cut(string body, string expected)
    {
        byte[] text = Encoding.UTF8.GetBytes(body);
        for (int first = 0; first <= text.Length; first++)
        {
            for (int second = first; second <= text.Length; second++)
            {
                Convert.ToHexString(Apply(
                        Cyrillic.Back, text[..first], text[first..second], text[second..]))
                    .ShouldBe(expected, $"cut at {first} and {second}");
            }
        }
    }

    [Theory]
    [InlineData("61FF62", "613F62")]
    [InlineData("61D1", "613F")]
    [InlineData("61D162", "613F62")]
    [InlineData("E298", "3F")]
    public void Marks_what_is_no_character(string body, string expected)
    {
        byte[] text = Convert.FromHexString(body);
        for (int cut = 0; cut <= text.Length; cut++)
        {
            Convert.ToHexString(Apply(Cyrillic.Back, text[..cut], text[cut..]))
                .ShouldBe(expected, $"cut at {cut}");
        }
    }

    [Theory]
    [InlineData("text/html", "", 9)]
    [InlineData("text/html; charset=koi8-r", "koi8-r", 9)]
    [InlineData("text/html;charset=\"koi8-r\"", "koi8-r", 9)]
    [InlineData("text/html; a=b; CHARSET=x", "x", 14)]
    [InlineData("text/html; a=b", "", 14)]
    public void Finds_the_charset_of_a_type(string type, string charset, int bareLength)
    {
        ReadOnlySpan<byte> found = CharsetRule.CharsetOf(
            Encoding.ASCII.GetBytes(type), out int bare);
        Encoding.ASCII.GetString(found).ShouldBe(charset);
        bare.ShouldBe(bareLength);
    }

    private static byte[] Apply(CharsetTable table, params byte[][] pieces)
    {
        using var recoding = new Recoding(table);
        using var output = new MemoryStream();
        for (int i = 0; i < pieces.Length; i++)
        {
            recoding.TryWrite(pieces[i], i == pieces.Length - 1, output).ShouldBeTrue();
        }

        return output.ToArray();
    }
}
