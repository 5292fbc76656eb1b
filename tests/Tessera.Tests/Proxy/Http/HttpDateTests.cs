using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Tessera.Proxy.Http;
using Xunit;

namespace Tessera.Tests.Proxy.Http;

public sealed class HttpDateTests
{
    [Theory]
    [InlineData("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777)]
    [InlineData("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777)]
    [InlineData("Sun Nov  6 08:49:37 1994", 784_111_777)]
    [InlineData("Thu, 01 Jan 1970 00:00:00 GMT", 0)]
    [InlineData("Thu, 29 Feb 2024 23:59:60 GMT", 1_709_251_200)]
    [InlineData("Wed, 31 Dec 1969 23:59:59 GMT", -1)]
    public void Reads_the_three_forms(string text, long seconds)
    {
        HttpDate.TryParse(Encoding.ASCII.GetBytes(text), out long read).ShouldBeTrue();
        read.ShouldBe(seconds);
    }

    [Theory]
    [InlineData("")]
    [InlineData("0")]
    [InlineData("Sun, 06 Nov 1994 08:49:37 CET")]
    [InlineData("Sun, 31 Feb 1994 08:49:37 GMT")]
    [InlineData("Sun, 06 Now 1994 08:49:37 GMT")]
    [InlineData("Sun, 06 ovD 1994 08:49:37 GMT")]
    [InlineData("Sun, 06 Nov 0000 08:49:37 GMT")]
    [InlineData("Sun, 06 Nov 1994 24:49:37 GMT")]
    [InlineData("Sun, 06 Nov 1994 08:60:37 GMT")]
    [InlineData("Sun, -6 Nov 1994 08:49:37 GMT")]
    [InlineData("Sun, 06 Nov 1994 08-49-37 GMT")]
    [InlineData("Sun, 06 Nov 1994 08:49:37 GMT ")]
    [InlineData("Sunday, 06-Nov-94 08:49:37")]
    [InlineData("Sunday, 06-Nov-9x 08:49:37 GMT")]
    [InlineData(", 06-Nov-94 08:49:37 GM")]
    [InlineData("Sun Nov  6 08:49:37 19x4")]
    public void Takes_nothing_else(string text) =>
        HttpDate.TryParse(Encoding.ASCII.GetBytes(text), out _).ShouldBeFalse();

    [Fact]
    public void Reads_what_it_writes() => Prop.ForAll(
        Gen.Choose(int.MinValue, int.MaxValue).ToArbitrary(),
        seconds => HttpDate.TryParse(HttpDate.Format(seconds), out long read) && read == seconds)
        .QuickCheckThrowOnFailure();

    [Fact]
    public void Never_throws_whatever_it_reads() => Prop.ForAll(
        Gen.Choose(0, 40).SelectMany(n =>
            Gen.Elements("Sun, 06-NovJan:189 GMT".ToCharArray()).ArrayOf(n)).ToArbitrary(),
        text => HttpDate.TryParse(Encoding.ASCII.GetBytes(text), out _) || true)
        .QuickCheckThrowOnFailure();
}
