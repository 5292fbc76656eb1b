using System.Text;
using Shouldly;
using Tessera.Proxy.Answers;
using Xunit;

namespace Tessera.Tests.Proxy.Answers;

public class GzipAcceptanceTests
{
    [Theory]
    [InlineData("gzip", true)]
    [InlineData("deflate, gzip", true)]
    [InlineData("GZIP", true)]
    [InlineData("foo,\tgzip", true)]
    [InlineData("gzip;q=1", true)]
    [InlineData("gzip ; q=0.001", true)]
    [InlineData("gzip;q=1.000, br", true)]
    [InlineData("gzip;q=0", false)]
    [InlineData("gzip;q=0.000", false)]
    [InlineData("gzip;q=1.001", false)]
    [InlineData("gzip;q=0.0001", false)]
    [InlineData("gzip;q=", false)]
    [InlineData("*", false)]
    [InlineData("x-gzip", false)]
    [InlineData("gzipped", false)]
    [InlineData("", false)]
    public void Takes_gzip_where_it_is_named(string field, bool isTaken) =>
        GzipAcceptance.IsTaken(Encoding.ASCII.GetBytes(field)).ShouldBe(isTaken);
}
