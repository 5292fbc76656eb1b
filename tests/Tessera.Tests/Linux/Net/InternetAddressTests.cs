using System.Net;
using System.Text;
using Shouldly;
using Tessera.Linux.Net;
using Xunit;

namespace Tessera.Tests.Linux.Net;

public sealed class InternetAddressTests
{
    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("0.0.0.0")]
    [InlineData("255.249.101.90")]
    [InlineData("::1")]
    [InlineData("fe80::1:2")]
    [InlineData("::ffff:192.168.100.200")]
    [InlineData("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff")]
    public void Writes_its_host_as_dotnet_does(string text)
    {
        var address = new InternetAddress(new IPEndPoint(IPAddress.Parse(text), 8080));
        Encoding.ASCII.GetString(address.HostText()).ShouldBe(text);
        address.Port.ShouldBe(8080);
    }
}
