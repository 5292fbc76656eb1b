using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd.Nginx;

/// <summary>
/// Stream blocks. What is expected is what nginx does: where its stream module is installed, nginx
/// is asked as well.
/// </summary>
public sealed class StreamTests : IDisposable
{
    private const string Module = "/usr/lib/nginx/modules/ngx_stream_module.so";
    private const string ProxyHead = "PROXY TCP4 192.0.2.1 192.0.2.2 1234 5678\r\n";

    private const string Configuration =
        """
        events { }
        stream {
            log_format line "$status $bytes_received $bytes_sent $upstream_addr $name";
            map $server_port $name { %%PORT_3%% mapped; default -; }
            geo $place { default away; 127.0.0.0/8 home; }
            limit_conn_zone $binary_remote_addr zone=clients:1m;
            upstream turns {
                server 127.0.0.1:%%PORT_0%% weight=3;
                server 127.0.0.1:%%PORT_1%%;
            }
            upstream half {
                server 127.0.0.1:9;
                server 127.0.0.1:%%PORT_1%% backup;
            }
            server { listen 127.0.0.1:%%PORT_0%%; return one; }
            server { listen 127.0.0.1:%%PORT_1%%; return two; }
            server {
                listen 127.0.0.1:%%PORT_2%%;
                proxy_pass turns;
            }
            server {
                listen 127.0.0.1:%%PORT_3%%;
                proxy_pass half;
                access_log logs/half.log line;
            }
            server {
                listen 127.0.0.1:%%PORT_4%%;
                set $text "$place $protocol";
                return "$text $remote_addr $server_port";
            }
            server {
                listen 127.0.0.1:%%PORT_5%% proxy_protocol;
                set_real_ip_from 127.0.0.1;
                deny 192.0.2.1;
                return "never";
                access_log logs/denied.log line;
            }
            server {
                listen 127.0.0.1:%%PORT_6%% proxy_protocol;
                return "$proxy_protocol_addr:$proxy_protocol_port $remote_addr";
            }
            server {
                listen 127.0.0.1:%%PORT_7%%;
                proxy_pass 127.0.0.1:%%PORT_6%%;
                proxy_protocol on;
            }
            server {
                listen 127.0.0.1:%%PORT_8%%;
                ssl_preread on;
                return "<$ssl_preread_server_name>";
            }
        }
        """;

    private readonly string _links = Directory.CreateTempSubdirectory("tessera-link-").FullName;

    public void Dispose() => Directory.Delete(_links, recursive: true);

    [Fact]
    public async Task Streams_are_served_as_nginx_serves_them()
    {
        string link = Path.Combine(_links, "nginx");
        File.CreateSymbolicLink(link, Repository.Binary);
        await AskAsync(link, Configuration);
        if (File.Exists(Module))
        {
            await AskAsync("/usr/sbin/nginx", $"load_module {Module};\n{Configuration}");
        }
    }

    private static async Task AskAsync(string program, string configuration)
    {
        await using NginxServer server = await NginxServer.StartAsync(
            program, configuration, new Dictionary<string, string>());

        // (1) Three to one, over forty connections.
        var answers = new List<string>();
        for (int i = 0; i < 40; i++)
        {
            answers.Add(await server.AskAsync("", port: 2));
        }

        answers.Count(answer => answer == "one").ShouldBe(30);
        answers.Count(answer => answer == "two").ShouldBe(10);

        // (2) A server that refuses, and the backup, with its line in the log.
        (await server.AskAsync("", port: 3)).ShouldBe("two");
        await Eventually.HoldsAsync("the line is written", () =>
            server.Normalize(server.ReadFile("logs/half.log"))
                == "200 0 3 127.0.0.1:9, 127.0.0.1:PORT1 mapped\n");

        // (3) Variables, and who the client is.
        server.Normalize(await server.AskAsync("", port: 4)).ShouldBe("home TCP 127.0.0.1 PORT4");
        (await server.AskAsync(ProxyHead, port: 5)).ShouldBe("");
        await Eventually.HoldsAsync("the refusal is written", () =>
            server.ReadFile("logs/denied.log") == "403 0 0 - -\n");
        (await server.AskAsync(ProxyHead, port: 6)).ShouldBe("192.0.2.1:1234 127.0.0.1");
        (await server.AskAsync("", port: 7)).ShouldMatch(
            "^127[.]0[.]0[.]1:[0-9]+ 127[.]0[.]0[.]1$");

        // (4) What is no TLS has no name.
        (await server.AskAsync("GET / HTTP/1.1\r\n\r\n", port: 8)).ShouldBe("<>");
    }
}
