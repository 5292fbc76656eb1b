using System.Text;
using Shouldly;
using Tessera.Proxy.Http;
using Xunit;

namespace Tessera.Tests.Proxy.Http;

public sealed class HostSyntaxTests
{
    [Theory]
    [InlineData("a.example", "a.example")]
    [InlineData("a.example.:80", "a.example")]
    [InlineData("1.2.3.4:9000:80", "1.2.3.4")]
    [InlineData("[::1]:80", "[::1]")]
    [InlineData("[v1.a:b]", "[v1.a:b]")]
    public void A_host_is_what_stands_before_its_port(string host, string name)
    {
        byte[] bytes = Encoding.ASCII.GetBytes(host);
        HostSyntax.IsTolerable(bytes).ShouldBeTrue();
        Encoding.ASCII.GetString(HostSyntax.NameOf(bytes)).ShouldBe(name);
    }

    [Theory]
    [InlineData("")]
    [InlineData(":80")]
    [InlineData("a..b")]
    [InlineData("[::1]..:80")]
    [InlineData("a/b")]
    [InlineData("a b")]
    [InlineData("a\u0002")]
    public void Some_hosts_are_none_even_for_nginx(string host) =>
        HostSyntax.IsTolerable(Encoding.ASCII.GetBytes(host)).ShouldBeFalse();
}
