using System.Net.Sockets;
using System.Text;
using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd.Nginx;

/// <summary>Servers that listen in the file system.</summary>
public sealed class UnixSocketTests
{
    private const string Configuration =
        """
        worker_processes 2;
        events { }
        http {
            log_format where '$remote_addr $server_addr $status';
            access_log logs/where.log where;
            server {
                listen unix:%%PREFIX%%/inner.sock backlog=64;
                location / {
                    return 200 "$remote_addr $server_addr:$server_port $binary_remote_addr";
                }
                location /sent/ { return 301 /elsewhere; }
                location /closed/ { deny unix:; allow all; }
                location /open/ {
                    deny 0.0.0.0/0;
                    allow unix:;
                    deny all;
                    alias %%PREFIX%%/html/;
                }
                location /named/ {
                    set_real_ip_from unix:;
                    real_ip_header X-Real-IP;
                    alias %%PREFIX%%/html/;
                }
            }
            server {
                listen 127.0.0.1:%%PORT_0%% so_keepalive=10m rcvbuf=64k;
                location / {
                    proxy_pass http://unix:%%PREFIX%%/inner.sock;
                    proxy_set_header X-Real-IP 192.0.2.7;
                }
            }
        }
        """;

    [Fact]
    public async Task Answers_and_logs_are_nginxs()
    {
        await using NginxPair pair = await NginxPair.StartAsync(
            Configuration, new Dictionary<string, string> { ["html/a.txt"] = "a file" });

        await pair.ShouldAgreeAsync(
        [
            "GET / HTTP/1.0\r\nHost: a\r\n\r\n", "GET /sent/ HTTP/1.0\r\nHost: a\r\n\r\n",
            "GET /closed/ HTTP/1.0\r\n\r\n", "GET /open/a.txt HTTP/1.0\r\n\r\n",
            "GET /named/../named/a.txt HTTP/1.0\r\n\r\n",
        ]);
        await Eventually.HoldsAsync("the lines of the log agree", () =>
            SortedLog(pair.Nginx).SequenceEqual(SortedLog(pair.Tessera)));
        File.GetUnixFileMode(pair.Tessera.Prefix + "inner.sock")
            .ShouldBe(File.GetUnixFileMode(pair.Nginx.Prefix + "inner.sock"));
    }

    [Fact]
    public async Task The_socket_is_kept_over_a_reload_and_goes_with_its_line_and_with_the_end()
    {
        string link = Directory.CreateTempSubdirectory("tessera-link-").FullName;
        File.CreateSymbolicLink(link + "/nginx", Repository.Binary);
        try
        {
            await using NginxServer server = await NginxServer.StartAsync(
                link + "/nginx", Configuration, new Dictionary<string, string>());
            string inner = server.Prefix + "inner.sock";
            using Socket kept = await ConnectAsync(inner);
            string text = await File.ReadAllTextAsync(server.Prefix + "nginx.conf");

            // (1) A second one comes, and the first stays the same.
            await ReloadAsync(text.Replace(
                "backlog=64;", $"; listen unix:{server.Prefix}second.sock;",
                StringComparison.Ordinal));
            await Eventually.HoldsAsync(
                "the second is there", () => File.Exists(server.Prefix + "second.sock"));
            (await AskAsync(kept)).ShouldStartWith("HTTP/1.1 200");

            // (2) The first goes.
            await ReloadAsync(text.Replace("inner.sock", "second.sock", StringComparison.Ordinal));
            await Eventually.HoldsAsync("the first is gone", () => !File.Exists(inner));
            await server.SignalAsync("QUIT");
            (await server.WaitAsync()).ShouldExitWith(0);
            File.Exists(server.Prefix + "second.sock").ShouldBeFalse();

            async Task ReloadAsync(string configuration)
            {
                await File.WriteAllTextAsync(server.Prefix + "nginx.conf", configuration);
                await server.SignalAsync("HUP");
            }
        }
        finally
        {
            Directory.Delete(link, recursive: true);
        }
    }

    /// <summary>
    /// Both servers of a request write a line when it has ended, the workers in any order.
    /// </summary>
    private static IEnumerable<string> SortedLog(NginxServer server) => server
        .Normalize(server.ReadFile("logs/where.log")).Split('\n').Order(StringComparer.Ordinal);

    private static async Task<Socket> ConnectAsync(string path)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(path));
        return socket;
    }

    private static async Task<string> AskAsync(Socket socket)
    {
        await socket.SendAsync("GET / HTTP/1.0\r\n\r\n"u8.ToArray());
        byte[] answer = new byte[4_096];
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        return Encoding.ASCII.GetString(
            answer, 0, await socket.ReceiveAsync(answer, limit.Token));
    }
}
