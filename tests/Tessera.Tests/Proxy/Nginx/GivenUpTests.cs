using System.Collections.Concurrent;
using Shouldly;
using Tessera.Proxy;
using Tessera.Tests.Proxy.Forwarding;
using Xunit;

namespace Tessera.Tests.Proxy.Nginx;

/// <summary>What directives do with expressions: fail closed, and hand on their groups.</summary>
public sealed class GivenUpTests
{
    private const string Hostile = @"^/\w+/(?!zz)(a+)+\.php$";

    private static readonly string LongPath = new string('a', 60) + ".phq";

    /// <summary>Nobody knows whether it would have matched: neither way is taken.</summary>
    [Theory]
    [InlineData("if")]
    [InlineData("unless")]
    [InlineData("rewrite")]
    [InlineData("location")]
    [InlineData("map", "default")]
    public async Task A_match_that_is_given_up_is_500(string name, string body = "500")
    {
        ConcurrentQueue<string> lines = [];
        await using Site site = Site.Start(
            $$"""
            map $uri $mapped { default default; "~{{Hostile}}" matched; }
            server {
                location /if/ { if ($uri ~ "{{Hostile}}") { return 403; } return 200 open; }
                location /unless/ { if ($uri !~ "{{Hostile}}") { return 403; } return 200 open; }
                location /rewrite/ { rewrite "{{Hostile}}" /deny last; return 200 open; }
                location ^~ /map/ { return 200 $mapped; }
                location /location/ {
                    location ~ "{{Hostile}}" { return 403; }
                    return 200 open;
                }
            }
            """,
            lines.Enqueue);
        string answer = await site.AskAsync($"/{name}/{LongPath}");
        answer.ShouldStartWith(body == "500" ? "HTTP/1.1 500 " : "HTTP/1.1 200 ");
        answer.ShouldContain(body);
        lines.ShouldContain(line => line.Contains("pcre2_match() failed: -47 on \"/" + name));
        (await site.AskAsync($"/{name}/ok")).ShouldStartWith(
            name == "unless" ? "HTTP/1.1 403 " : "HTTP/1.1 200 ");
    }

    [Fact]
    public async Task A_server_whose_name_is_given_up_is_500()
    {
        await using Site site = Site.Start(
            $$"""
            server { server_name other; return 200 open; }
            server { server_name "~^(?!zz)(a+)+!$"; return 200 named; }
            """);
        (await site.AskAsync("/", new string('a', 60))).ShouldStartWith("HTTP/1.1 500 ");
        (await site.AskAsync("/", "b")).ShouldEndWith("open");
    }

    /// <summary>Bytes, names and numbers of groups are those of the expression.</summary>
    [Fact]
    public async Task Redirects_and_cookies_are_rewritten_by_groups_of_bytes()
    {
        using ScriptedServer back = ScriptedServer.Reply(_ =>
            "HTTP/1.1 302 Found\r\nLocation: http://back/\u00e9x/tail\r\n"
            + "Set-Cookie: a=b; Path=/\u00e9/in\r\nContent-Length: 0\r\n\r\n");
        await using Site site = Site.Start(
            $$"""
            server {
                location / {
                    proxy_pass http://{{back.Address}};
                    proxy_redirect "~^http://(?<site>\w+)/([^/]+)/(.*)$" /$site/$2/$3;
                    proxy_cookie_path "~^/([^/]+)/(?<rest>.*)$" /$rest/$1;
                }
            }
            """);
        string answer = await site.AskAsync("/");
        answer.ShouldContain("/back/\u00e9x/tail\r\n");
        answer.ShouldContain("Path=/in/\u00e9\r\n");
    }

    [Fact]
    public async Task Rights_of_files_are_asked_for_in_bytes()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("tessera-rights-");
        string tool = Path.Combine(folder.FullName, "tool");
        File.WriteAllText(tool, "");
        File.WriteAllText(Path.Combine(folder.FullName, "text"), "");
        File.SetUnixFileMode(tool, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        await using Site site = Site.Start(
            $$"""
            server { location / {
                root {{folder.FullName}}; if (-x $request_filename) { return 200 yes; }
                return 200 no;
            } }
            """);
        string[] answers =
        [
            await site.AskAsync("/tool"), await site.AskAsync("/text"),
            await site.AskAsync("/%ff%fe"), await site.AskAsync("/none"),
        ];
        await site.DisposeAsync();
        folder.Delete(recursive: true);
        answers.Select(answer => answer.Split("\r\n\r\n")[1])
            .ShouldBe(["yes", "no", "no", "no"]);
    }

    /// <summary>A proxy on what stands in one http block.</summary>
    private sealed class Site : IAsyncDisposable
    {
        private readonly ProxyServer _server;
        private readonly ListenerConfig _listener;

        private Site(ProxyServer server, ListenerConfig listener)
        {
            _server = server;
            _listener = listener;
        }

        public static Site Start(string http, Action<string>? log = null)
        {
            ProxyConfig read = NginxText.ReadHttp("access_log off;\n" + http);
            ListenerConfig listener =
                read.Listeners[0] with { Address = ScriptedServer.UnusedAddress() };
            ProxyServer server = ProxyFixture.NewServer(
                new ProxyOptions { Reactors = 1, ErrorLog = log });
            server.Apply(read with { Listeners = [listener], ErrorLogs = [] }).ShouldBeEmpty();
            return new Site(server, listener);
        }

        public async Task<string> AskAsync(string path, string host = "test")
        {
            using ScriptedConnection client =
                await ScriptedConnection.ConnectAsync(_listener.Address);
            await client.SendAsync(
                $"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            return await client.ReadToEndAsync();
        }

        public ValueTask DisposeAsync() => _server.DisposeAsync();
    }
}
