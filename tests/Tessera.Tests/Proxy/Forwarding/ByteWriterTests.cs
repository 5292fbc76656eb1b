using System.Text;
using Shouldly;
using Tessera.Proxy.Forwarding;
using Xunit;

namespace Tessera.Tests.Proxy.Forwarding;

public sealed class ByteWriterTests
{
    [Theory]
    [InlineData("", "")]
    [InlineData("/plain?x=%20", "/plain?x=%20")]
    [InlineData("/a b", "/a%20b")]
    [InlineData("/a\r\nX: y\0\u007f\t", "/a%0D%0AX:%20y%00%7F%09")]
    [InlineData(" \n", "%20%0A")]
    public void What_would_end_a_line_is_escaped(string text, string expected)
    {
        // What stands before is left alone, and not a byte more room is needed.
        var writer = new ByteWriter(new byte[2 + expected.Length]);
        writer.Write("\r "u8);
        writer.Write(Encoding.Latin1.GetBytes(text));
        writer.EscapeControls(2);
        Encoding.Latin1.GetString(writer.Written).ShouldBe("\r " + expected);
        writer.HasOverflowed.ShouldBeFalse();
    }

    [Fact]
    public void Without_room_for_escapes_it_says_so()
    {
        var writer = new ByteWriter(new byte[4]);
        writer.Write("a b"u8);
        writer.EscapeControls(0);
        writer.HasOverflowed.ShouldBeTrue();
    }
}
