using System.Net;
using Shouldly;
using Tessera.Proxy;
using Xunit;

namespace Tessera.Tests.Proxy.Nginx;

public class ListenReadingTests
{
    [Fact]
    public void Options_of_sockets_are_read_once_for_an_address()
    {
        ListenerConfig listener = NginxText.ReadHttp("""
            server {
                listen 8081 backlog=7 rcvbuf=16k sndbuf=32k fastopen=3 deferred reuseport
                    so_keepalive=30m::10;
            }
            server { listen 8081; server_name b; }
            """).Listeners.ShouldHaveSingleItem();

        listener.Sockets.ShouldBe(new ListenConfig
        {
            Backlog = 7,
            ReceiveBytes = 16_384,
            SendBytes = 32_768,
            FastOpenQueue = 3,
            IsDeferred = true,
            Probes = new KeepAliveProbes(true, IdleSeconds: 1_800, IntervalSeconds: 0, Count: 10),
        });
        listener.Servers.Length.ShouldBe(2);
    }

    [Fact]
    public void A_path_is_an_address_like_any_other()
    {
        ProxyConfig config = NginxText.ReadHttp("""
            server { listen unix:/run/a.sock default_server; }
            server { listen unix:/run/a.sock; listen unix:/run/b.sock backlog=5; server_name b; }
            """);

        config.Listeners.Select(listener => listener.Address).ShouldBe(
            [new PathEndPoint("/run/a.sock"), new PathEndPoint("/run/b.sock")]);
        config.Listeners[0].Servers.Length.ShouldBe(2);
        config.Listeners[1].Sockets.Backlog.ShouldBe(5);
        PathEndPoint.ParseAny("unix:/run/a.sock").ShouldBe(config.Listeners[0].Address);
        PathEndPoint.ParseAny("127.0.0.1:80").ShouldBe(new IPEndPoint(IPAddress.Loopback, 80));
    }

    [Theory]
    [InlineData("unix:", "no path in the unix domain socket in \"unix:\" of the \"listen\"")]
    [InlineData("80 backlog=0", "invalid backlog \"backlog=0\"")]
    [InlineData("80 rcvbuf=x", "invalid rcvbuf \"rcvbuf=x\"")]
    [InlineData("80 fastopen=x", "invalid fastopen \"fastopen=x\"")]
    [InlineData("[::]:80 ipv6only=maybe", "invalid ipv6only flags \"maybe\"")]
    [InlineData("80 so_keepalive=maybe", "invalid so_keepalive value: \"maybe\"")]
    [InlineData("80 so_keepalive=::", "invalid so_keepalive value: \"::\"")]
    [InlineData("80 nonsense", "invalid parameter \"nonsense\"")]
    public void What_is_wrong_is_told(string listen, string error) =>
        NginxText.ErrorOf($"server {{ listen {listen}; }}").ShouldStartWith(error);

    [Fact]
    public void Options_that_stand_twice_are_told_of()
    {
        NginxText.ErrorOf("""
            server { listen unix:/run/a.sock backlog=5; }
            server { listen unix:/run/a.sock backlog=5; }
            """).ShouldBe("duplicate listen options for unix:/run/a.sock in nginx.conf:3");
        NginxText.ErrorOf("server { listen unix:/a; listen unix:/a; }")
            .ShouldBe("a duplicate listen unix:/a in nginx.conf:2");
        NginxText.ErrorOf($"server {{ listen unix:/{new string('x', 107)}; }}")
            .ShouldStartWith("too long path in the unix domain socket in \"unix:/xxx");
    }
}
