using Shouldly;
using Tessera.Proxy;
using Tessera.Proxy.Nginx;
using Xunit;

namespace Tessera.Tests.Proxy.Nginx;

/// <summary>What proxy_* and upstream become, and what nginx says of them when wrong.</summary>
public sealed class ProxyReadingTests : IDisposable
{
    private readonly string _prefix = Directory.CreateTempSubdirectory("tessera-proxy-").FullName;

    public void Dispose() => Directory.Delete(_prefix, recursive: true);

    [Theory]
    [InlineData("proxy_pass ftp://x;", "invalid URL prefix")]
    [InlineData("proxy_pass http://127.0.0.1:0;", "invalid port in upstream")]
    [InlineData("proxy_pass http://unix:;", "no path in the unix domain socket")]
    [InlineData("proxy_pass http://u:8080;", "upstream \"u\" may not have port 8080")]
    [InlineData("proxy_pass http://no.such.invalid;", "host not found in upstream")]
    [InlineData("proxy_pass http://u; proxy_http_version 2;", "invalid value \"2\"")]
    [InlineData("proxy_pass http://u; proxy_next_upstream http_599;", "\"http_599\"")]
    [InlineData("proxy_pass http://u; proxy_ignore_headers Foo;", "invalid value \"Foo\"")]
    [InlineData("proxy_pass http://u; proxy_redirect foo;", "invalid parameter \"foo\"")]
    [InlineData("proxy_pass http://$host; proxy_redirect default;", "cannot be used")]
    [InlineData("proxy_pass http://u; proxy_bind foo;", "invalid address \"foo\"")]
    [InlineData("proxy_pass http://u; proxy_buffers 1 4k;", "at least 2 \"proxy_buffers\"")]
    [InlineData("proxy_pass http://u; proxy_busy_buffers_size 1k;", "must be equal to or greater")]
    [InlineData("proxy_pass http://u; proxy_store_access user:x;", "invalid value \"user:x\"")]
    [InlineData("proxy_pass http://u; proxy_store_access u:rw;", "invalid value \"u:rw\"")]
    [InlineData("proxy_pass http://u; proxy_temp_path x y;", "\"proxy_temp_path\" directive")]
    [InlineData("client_body_buffer_size 0;", "client body buffer size cannot be zero")]
    public void Says_what_is_wrong_with_a_location(string lines, string message) =>
        Should.Throw<NginxConfigException>(() => Read(lines))
            .Message.ShouldContain(message);

    [Theory]
    [InlineData("", "no servers are inside upstream in ")]
    [InlineData("server 127.0.0.1 weight=0;", "invalid parameter \"weight=0\"")]
    [InlineData("server 127.0.0.1 foo;", "invalid parameter \"foo\"")]
    [InlineData("server 127.0.0.1/x;", "invalid host in upstream \"127.0.0.1/x\"")]
    [InlineData("server 127.0.0.1:99999;", "invalid port in upstream \"127.0.0.1:99999\"")]
    [InlineData("keepalive 0; server 127.0.0.1;", "invalid value \"0\" in \"keepalive\" directive")]
    [InlineData("hash $uri foo; server 127.0.0.1;", "invalid parameter \"foo\"")]
    [InlineData("random three; server 127.0.0.1;", "invalid parameter \"three\"")]
    [InlineData(
        "ip_hash; server 127.0.0.1; server 127.0.0.2 backup;",
        "balancing method does not support parameter \"backup\"")]
    public void Says_what_is_wrong_with_an_upstream(string lines, string message) =>
        Should.Throw<NginxConfigException>(() => Read("proxy_pass http://u;", lines))
            .Message.ShouldContain(message);

    [Fact]
    public void Reads_the_parameters_of_servers()
    {
        BackendConfig backend = Read(
            "proxy_pass http://u;",
            "server 127.0.0.1:81 weight=3 max_conns=7 max_fails=2 fail_timeout=3s slow_start=1m;"
            + "server unix:/tmp/x; server 127.0.0.1:82 backup; server 127.0.0.1:83 down;"
            + "keepalive 16; keepalive_requests 5; keepalive_timeout 7s; least_conn;")
            .Backends.Single();
        backend.Algorithm.ShouldBe(BalanceAlgorithm.LeastConnections);
        backend.LeavesFailedOut.ShouldBeTrue();
        backend.KeepAlive.ShouldBe(new KeepAliveConfig(16, 5, 3_600_000, 7_000));
        EndpointConfig first = backend.Endpoints[0];
        (first.Weight, first.MaxConnections, first.MaxFails, first.FailTimeoutMs,
            first.SlowStartMs).ShouldBe((3, 7, (int?)2, 3_000, 60_000));
        backend.Endpoints[1].UnixPath.ShouldBe("/tmp/x");
        backend.Endpoints[2].IsBackup.ShouldBeTrue();
        backend.Endpoints[3].State.ShouldBe(EndpointState.Out);
    }

    [Fact]
    public void The_only_server_is_never_left_out() =>
        Read("proxy_pass http://u;", "server 127.0.0.1 max_fails=3;")
            .Backends.Single().Endpoints.Single().MaxFails.ShouldBe(0);

    [Fact]
    public void Fields_are_inherited_only_where_a_location_has_none()
    {
        ProxyPassConfig inherited = PassOf("proxy_pass http://u;");
        inherited.Fields.ShouldBe([new FieldConfig("X-Outer", "1")]);
        ProxyPassConfig own = PassOf("proxy_pass http://u; proxy_set_header X-Own 2;");
        own.Fields.ShouldBe([new FieldConfig("X-Own", "2")]);
    }

    [Fact]
    public void Reads_where_bodies_are_kept()
    {
        RouteConfig route = RouteOf(
            "proxy_pass http://u; client_body_buffer_size 1m; client_body_temp_path b 1 2;"
            + "client_body_in_file_only clean; proxy_store kept/$uri; proxy_temp_path /t;"
            + "proxy_store_access group:rw all:r; proxy_max_temp_file_size 0;"
            + "proxy_buffering off;");
        BodyKeepingConfig body = route.Client!.Body!;
        (body.MemoryBytes, body.FileUse).ShouldBe((1_048_576, BodyFileUse.Always));
        body.Folder.Path.ShouldBe(Path.Combine(_prefix, "b"));
        body.Folder.Levels.ShouldBe([1, 2]);
        StoreConfig store = route.Pass!.Store!;
        (store.Path, store.Folder.Path).ShouldBe((Path.Combine(_prefix, "kept/$uri"), "/t"));
        Convert.ToString(store.Mode, 8).ShouldBe("664");
        (route.Pass.BuffersReply, route.Pass.MaxTemporaryBytes).ShouldBe((false, 0));
    }

    [Theory]
    [InlineData("proxy_store on;", true)]
    [InlineData("proxy_store off;", false)]
    [InlineData("", false)]
    public void Answers_are_kept_where_they_are_asked_for(string line, bool isKept) =>
        (PassOf($"proxy_pass http://u; {line}").Store is not null).ShouldBe(isKept);

    [Theory]
    [InlineData("http://u", "u", "80", null)]
    [InlineData("http://127.0.0.1:8081/base/", "127.0.0.1:8081", "8081", "/base/")]
    [InlineData("http://127.0.0.1:80", "127.0.0.1", "80", null)]
    [InlineData("http://[::1]:81/", "[::1]:81", "81", "/")]
    [InlineData("http://unix:/tmp/s:/x", "localhost", "", "/x")]
    public void Reads_addresses(string text, string host, string port, string? uri)
    {
        ProxyPassConfig pass = PassOf($"proxy_pass {text};");
        (pass.Host, pass.Port, pass.Uri).ShouldBe((host, port, uri));
    }

    private ProxyPassConfig PassOf(string lines) => RouteOf(lines).Pass!;

    private RouteConfig RouteOf(string lines) =>
        Read(lines).Listeners.Single().Servers.Single().Locations.Single();

    private ProxyConfig Read(string lines, string upstream = "server 127.0.0.1:81;")
    {
        File.WriteAllText(Path.Combine(_prefix, "nginx.conf"), $$"""
            events {}
            http {
                proxy_set_header X-Outer 1;
                upstream u { {{upstream}} }
                server { listen 127.0.0.1:1; location / { {{lines}} } }
            }

            """);
        return NginxReader.Read(new NginxSource(_prefix, "nginx.conf")).Proxy;
    }
}
