using System.Net;
using Shouldly;
using Tessera.Proxy;
using Tessera.Proxy.Nginx;
using Xunit;

namespace Tessera.Tests.Proxy.Nginx;

public sealed class StreamModuleTests : IDisposable
{
    private readonly string _folder =
        Directory.CreateTempSubdirectory("tessera-stream-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Datagrams_have_addresses_of_their_own()
    {
        ProxyConfig config = Read(
            """
            stream {
                proxy_requests 3;
                server { listen 53; listen 53 udp; proxy_pass 127.0.0.1:5353; }
                server { listen 54-55 udp reuseport; proxy_responses 0; return ok; }
                server { listen 56 udp; proxy_responses 2; proxy_pass 127.0.0.1:5353; }
            }
            """);
        config.Listeners.Select(l => l.Address.Port).ShouldBe([53]);
        config.DatagramListeners.Select(l => l.Address.Port).ShouldBe([53, 54, 55, 56]);
        StreamConfig first = config.DatagramListeners[0].Routes[0].Stream!;
        first.DatagramRequests.ShouldBe(3);
        first.DatagramResponses.ShouldBeNull();
        config.DatagramListeners[3].Routes[0].Stream!.DatagramResponses.ShouldBe(2);
    }

    [Fact]
    public void Reads_servers_and_what_they_inherit()
    {
        ProxyConfig config = Read(
            """
            stream {
                proxy_timeout 3s;
                proxy_protocol on;
                deny 192.0.2.1;
                upstream app {
                    least_conn;
                    server 127.0.0.1:81 weight=3 max_fails=2 fail_timeout=5s;
                    server [::1]:82 backup max_conns=7;
                    server 127.0.0.1:83 down;
                }
                server {
                    listen 1234;
                    listen [::]:1235-1236;
                    proxy_pass app;
                    proxy_timeout 1m;
                    proxy_half_close on;
                    proxy_download_rate 10k;
                }
                server {
                    listen 127.0.0.1:1237;
                    allow all;
                    ssl_preread on;
                    preread_buffer_size 1k;
                    preread_timeout 100ms;
                    proxy_protocol off;
                    proxy_pass $ssl_preread_server_name;
                }
                server {
                    listen *:1238;
                    return "$remote_addr";
                }
            }
            """);
        config.Listeners.Select(l => $"{l.Protocol} {l.Address}").ShouldBe(
        [
            "Tcp 0.0.0.0:1234", "Tcp [::]:1235", "Tcp [::]:1236", "Tcp 127.0.0.1:1237",
            "Tcp 0.0.0.0:1238",
        ]);
        RouteConfig app = config.Listeners[0].Routes.ShouldHaveSingleItem();
        app.Backend.ShouldBe("stream/app");
        StreamConfig stream = app.Stream.ShouldNotBeNull();
        stream.IdleTimeoutMs.ShouldBe(60_000);
        stream.HalfCloses.ShouldBeTrue();
        stream.SendsProxyProtocol.ShouldBeTrue();
        stream.DownloadRate.ShouldBe("10k");
        stream.UploadRate.ShouldBeNull();
        stream.ReadsClientHello.ShouldBeFalse();
        app.Access!.Addresses.ShouldBe(
            [new AddressRule(IsAllowed: false, IPNetwork.Parse("192.0.2.1/32"))]);

        RouteConfig named = config.Listeners[3].Routes[0];
        named.Backend.ShouldBeNull();
        named.Access!.Addresses.ShouldBe([new AddressRule(IsAllowed: true, null)]);
        named.Stream.ShouldNotBeNull().ShouldSatisfyAllConditions(
            s => s.Pass.ShouldBe("$ssl_preread_server_name"),
            s => s.Choices.ShouldBe([new StreamChoice("app", "stream/app")]),
            s => s.PrereadBytes.ShouldBe(1_024),
            s => s.PrereadTimeoutMs.ShouldBe(100),
            s => s.IdleTimeoutMs.ShouldBe(3_000),
            s => s.SendsProxyProtocol.ShouldBeFalse());
        config.Listeners[4].Routes[0].Stream!.Reply.ShouldBe("$remote_addr");

        BackendConfig backend = config.Backends.ShouldHaveSingleItem();
        backend.Algorithm.ShouldBe(BalanceAlgorithm.LeastConnections);
        backend.Endpoints.Select(e => $"{e.Address} {e.Weight} {e.IsBackup} {e.State}").ShouldBe(
        [
            "127.0.0.1:81 3 False Active", "[::1]:82 1 True Active", "127.0.0.1:83 1 False Out",
        ]);
        ProxyServer.FindProblems(config).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("server { listen 1; }", "no handler for server in FILE:3")]
    [InlineData("server { proxy_pass 127.0.0.1:1; }",
        "no \"listen\" is defined for server in FILE:3")]
    [InlineData("server { listen 127.0.0.1; return x; }",
        "no port in \"127.0.0.1\" of the \"listen\" directive in FILE:3")]
    [InlineData("server { listen 70000; return x; }",
        "invalid port in \"70000\" of the \"listen\" directive in FILE:3")]
    [InlineData("server { listen 1 udp proxy_protocol; return x; }",
        "\"proxy_protocol\" parameter is incompatible with \"udp\" in FILE:3")]
    [InlineData("server { listen 1 udp backlog=9; return x; }",
        "\"backlog\" parameter is incompatible with \"udp\" in FILE:3")]
    [InlineData("server { listen 1 udp; return x; }\nserver { listen 1 udp; return y; }",
        "duplicate \"0.0.0.0:1\" address and port pair in FILE:4")]
    [InlineData("server { listen 1 ssl; return x; }",
        "the \"ssl\" parameter requires ngx_stream_ssl_module in FILE:3")]
    [InlineData("server { listen 1 foo; return x; }",
        "the invalid \"foo\" parameter in FILE:3")]
    [InlineData("server { listen 1; proxy_pass 127.0.0.1; }",
        "no port in upstream \"127.0.0.1\" in FILE:3")]
    [InlineData("server { listen 1; proxy_pass http://127.0.0.1:1; }",
        "invalid host in upstream \"http://127.0.0.1:1\" in FILE:3")]
    [InlineData("upstream u { }", "no servers are inside upstream in FILE:3")]
    [InlineData("upstream u { server 127.0.0.1:1 backup; }",
        "no servers in upstream \"u\" in FILE:3")]
    [InlineData("upstream u { server 127.0.0.1:1 weight=0; }",
        "invalid parameter \"weight=0\" in FILE:3")]
    [InlineData("upstream u { server 127.0.0.1:1; }\nupstream u { server 127.0.0.1:1; }",
        "duplicate upstream \"u\" in FILE:4")]
    [InlineData("server { listen 1; return x; }\nserver { listen 1; return y; }",
        "duplicate \"0.0.0.0:1\" address and port pair in FILE:4")]
    [InlineData("server { listen 1; return x; location / { } }",
        "\"location\" directive is not allowed here in FILE:3")]
    [InlineData("server { listen 1; return x; access_log logs/a.log; }",
        "log format is not specified in FILE:3")]
    public void Says_what_is_wrong_as_nginx_does(string stream, string message)
    {
        NginxConfigException error = Should.Throw<NginxConfigException>(
            () => Read($"stream {{\n{stream}\n}}"));
        error.Message.Replace(_folder + "/nginx.conf", "FILE", StringComparison.Ordinal)
            .ShouldBe(message);
    }

    private ProxyConfig Read(string text)
    {
        File.WriteAllText(Path.Combine(_folder, "nginx.conf"), "events { }\n" + text);
        return NginxReader.Read(new NginxSource(_folder, "nginx.conf")).Proxy;
    }
}
