using Shouldly;
using Tessera.Proxy;
using Xunit;

namespace Tessera.Tests.Proxy.Nginx;

public sealed class UpstreamReadingTests
{
    private const string Two = "server 127.0.0.1:81 route=a; server 127.0.0.1:82 route=b;";

    [Fact]
    public void Reads_how_clients_are_kept()
    {
        PersistenceConfig cookie = Read(
            $"{Two} sticky cookie srv \"expires=1h 3m\" domain=$host path=/x secure httponly "
            + "samesite=lax;").Persistence!;
        cookie.Lookup.ShouldBe(["$cookie_srv"]);
        cookie.Cookie.ShouldBe(new PersistenceCookieConfig("srv")
        {
            LifetimeSeconds = 3_780,
            Domain = "$host",
            Path = "/x",
            SameSite = "lax",
            IsSecure = true,
            IsHttpOnly = true,
        });
        Read($"{Two} sticky route $cookie_a $arg_a;").Persistence!.Lookup
            .ShouldBe(["$cookie_a", "$arg_a"]);
        BackendConfig learnt = Read(
            $"{Two} sticky learn create=$upstream_cookie_a lookup=$cookie_a zone=z:1m "
            + "timeout=5m header;");
        learnt.Persistence!.Learn!.ShouldBe(
            new LearnConfig("z", 4_096, learnt.Persistence.Learn!.Create)
            {
                TimeoutMs = 300_000,
                IsFromHead = true,
            });
        learnt.Endpoints.Select(e => e.Route).ShouldBe(["a", "b"]);
    }

    [Theory]
    [InlineData("sticky cookie;", "invalid number of arguments in \"sticky\" directive")]
    [InlineData("sticky trick x;", "invalid parameter \"trick\"")]
    [InlineData("sticky cookie a late;", "invalid parameter \"late\"")]
    [InlineData("sticky cookie a expires=soon;", "invalid parameter \"expires=soon\"")]
    [InlineData("sticky learn create=$a lookup=$a;",
        "\"sticky learn\" requires \"zone\" parameter")]
    [InlineData("sticky learn create=$a lookup=$a zone=z:1k;", "zone \"z\" is too small")]
    public void Refuses_what_keeps_nobody(string directive, string message) =>
        NginxText.ErrorOf($"upstream u {{ {Two} {directive} }}").ShouldStartWith(message);

    [Fact]
    public void Refuses_variables_that_there_are_not() =>
        NginxText.ErrorOf($"upstream u {{ {Two} sticky route $none; }}")
            .ShouldBe("unknown \"none\" variable");

    [Fact]
    public void Reads_names_that_are_followed_in_their_places()
    {
        BackendConfig config = Read(
            """
            zone z 64k;
            resolver 127.0.0.1:5353 valid=2s;
            resolver_timeout 3s;
            server one.test:81 resolve weight=3;
            server 127.0.0.1:82 resolve;
            server two.test resolve service=app max_fails=4;
            server three.test resolve service=_x._udp backup;
            """);
        config.Endpoints.ShouldHaveSingleItem().Address.Port.ShouldBe(82);
        config.Names.Select(n => $"{n.Before} {n.Name} {n.Port} {n.Common.Weight} "
                + $"{n.Common.MaxFails} {n.Common.IsBackup}").ShouldBe(
        [
            "0 one.test 81 3 1 False",
            "1 _app._tcp.two.test 0 1 4 False",
            "1 _x._udp.three.test 0 1 1 True",
        ]);
        config.Resolver!.Servers.ShouldBe(["127.0.0.1:5353"]);
        config.Resolver.ValidMs.ShouldBe(2_000);
        config.Resolver.TimeoutMs.ShouldBe(3_000);
    }

    [Theory]
    [InlineData("resolver 127.0.0.1; server a.test resolve;",
        "resolving names at run time requires upstream \"u\" in ")]
    [InlineData("zone z 64k; server a.test resolve;",
        "no resolver defined to resolve names at run time in upstream \"u\" in ")]
    [InlineData("zone z 64k; resolver 127.0.0.1; server a.test service=x;",
        "service upstream \"a.test\" requires \"resolve\" parameter")]
    [InlineData("zone z 64k; resolver 127.0.0.1; server a.test:1 service=x resolve;",
        "service upstream \"a.test:1\" may not have port")]
    public void Refuses_names_that_nobody_could_follow(string upstream, string message) =>
        NginxText.ErrorOf($"upstream u {{ {upstream} }}").ShouldStartWith(message);

    [Fact]
    public void A_proxy_before_a_server_speaks_for_all_servers_of_its_address()
    {
        ProxyConfig config = NginxText.ReadHttp(
            """
            server { listen 8081; listen 8082; server_name a; }
            server { listen 8081 proxy_protocol; server_name b; }
            """);
        config.Listeners.Select(l => l.ExpectsProxyProtocol).ShouldBe([true, false]);
    }

    private static BackendConfig Read(string upstream) =>
        NginxText.ReadHttp($"upstream u {{ {upstream} }}").Backends.ShouldHaveSingleItem();
}
