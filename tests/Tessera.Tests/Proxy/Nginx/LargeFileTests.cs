using System.Diagnostics;
using System.Text;
using Shouldly;
using Tessera.Proxy;
using Xunit;

namespace Tessera.Tests.Proxy.Nginx;

/// <summary>
/// Files of thousands of servers. The limits of time are ten times and more what it takes, and a
/// fraction of what it takes when each location looks through the whole file.
/// </summary>
public class LargeFileTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(12);

    [Fact]
    public void Many_servers_take_time_in_proportion()
    {
        var text = new StringBuilder();
        for (int i = 0; i < 4_000; i++)
        {
            text.Append($"upstream u{i} {{ server 127.0.0.1:9; }} server {{ listen 127.0.0.1:9; ");
            text.Append($"server_name s{i}; location / {{ proxy_pass http://u{i}; }} }}\n");
        }

        ProxyConfig config = ReadInTime(text.ToString());

        config.Backends.Length.ShouldBe(4_000);
        config.Listeners[0].Servers.Length.ShouldBe(4_000);
    }

    [Fact]
    public void Expressions_are_parsed_and_built_when_they_are_met()
    {
        var text = new StringBuilder("map $uri $a {\n");
        for (int i = 0; i < 6_000; i++)
        {
            text.Append($"~^/k{i}/(.*)$ {i};\n");
        }

        ReadInTime(text.Append("} server { listen 127.0.0.1:9; }").ToString());
    }

    [Fact]
    public void Locations_share_the_types_that_they_inherit()
    {
        ServerConfig server = NginxText.ReadHttp("""
            types { text/html html; text/css css; }
            server { listen 127.0.0.1:9; location /a { } location /b { } }
            """).Listeners[0].Servers[0];

        server.Locations[1].Answers!.Types
            .ShouldBeSameAs(server.Locations[0].Answers!.Types);
        server.Fallback.Answers!.Types.ShouldBeSameAs(server.Locations[0].Answers!.Types);
    }

    private static ProxyConfig ReadInTime(string http)
    {
        long start = Stopwatch.GetTimestamp();
        ProxyConfig config = NginxText.ReadHttp(http);
        Stopwatch.GetElapsedTime(start).ShouldBeLessThan(Patience);
        return config;
    }
}
