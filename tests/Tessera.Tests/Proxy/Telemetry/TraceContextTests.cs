using System.Text;
using Shouldly;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Telemetry;
using Xunit;

namespace Tessera.Tests.Proxy.Telemetry;

public sealed class TraceContextTests
{
    private const string Valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    [Fact]
    public void Reads_and_writes_the_same()
    {
        TraceContext.TryParse(Encoding.ASCII.GetBytes(Valid), out TraceContext context)
            .ShouldBeTrue();
        context.IsSampled.ShouldBeTrue();
        context.ParentId.ShouldBe(0xb7ad6b7169203331);
        var writer = new ByteWriter(new byte[TraceContext.TraceParentBytes]);
        context.WriteTraceParent(ref writer, context.ParentId);
        Encoding.ASCII.GetString(writer.Written).ShouldBe(Valid);
    }

    [Theory]
    [InlineData("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", true)]
    [InlineData("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-later", true)]
    [InlineData("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true)]
    [InlineData("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x", false)]
    [InlineData("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x", false)]
    [InlineData("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false)]
    [InlineData("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", false)]
    [InlineData("00-00000000000000000000000000000000-b7ad6b7169203331-01", false)]
    [InlineData("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false)]
    [InlineData("00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01", false)]
    [InlineData("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0", false)]
    [InlineData("", false)]
    public void Takes_what_the_specification_allows(string text, bool isValid) =>
        TraceContext.TryParse(Encoding.ASCII.GetBytes(text), out _).ShouldBe(isValid);
}
