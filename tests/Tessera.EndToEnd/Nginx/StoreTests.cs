using System.Net;
using System.Net.Sockets;
using System.Text;
using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd.Nginx;

/// <summary>proxy_store: answers that become files, as nginx makes them.</summary>
public sealed class StoreTests
{
    private const string Configuration =
        """
        proxy_temp_path %%PREFIX%%/temporary;
        server {
            listen 127.0.0.1:%%PORT_0%%;
            root %%PREFIX%%/kept;
            proxy_http_version 1.1;
            location /root/ { proxy_pass http://127.0.0.1:%%PORT_1%%; proxy_store on; }
            location /named/ {
                proxy_pass http://127.0.0.1:%%PORT_1%%;
                proxy_store %%PREFIX%%/kept/deep/er$uri;
                proxy_store_access group:rw all:r;
            }
            location /packed/ {
                gzip on;
                gzip_min_length 1;
                gzip_types text/plain;
                proxy_pass http://127.0.0.1:%%PORT_1%%;
                proxy_store on;
            }
        }
        """;

    [Fact]
    public async Task The_same_answers_become_the_same_files()
    {
        await using NginxPair pair = await NginxPair.StartHttpAsync(Configuration);
        await using var forNginx = new Origin(pair.Nginx.Port(1), Answer);
        await using var forTessera = new Origin(pair.Tessera.Port(1), Answer);
        string[] names =
        [
            "sized", "chunked", "close", "empty", "cut", "cutchunk", "missing", "dated", "moved",
        ];
        foreach (string name in names)
        {
            await pair.ShouldAgreeAsync(NginxPair.Get($"/root/{name}"));
            await pair.ShouldAgreeAsync(NginxPair.Get($"/named/{name}"));
            await pair.Nginx.AskAsync(
                NginxPair.Get($"/packed/{name}", "Accept-Encoding: gzip\r\n"));
            await pair.Tessera.AskAsync(
                NginxPair.Get($"/packed/{name}", "Accept-Encoding: gzip\r\n"));
            await pair.ShouldAgreeAsync(
                $"HEAD /root/head-{name} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        }

        Tree(pair.Tessera).ShouldBe(Tree(pair.Nginx));
        Tree(pair.Tessera).ShouldContain("kept/deep/er/named/dated 664");
    }

    [Fact]
    public async Task A_client_that_leaves_does_not_end_the_file()
    {
        await using NginxPair pair = await NginxPair.StartHttpAsync(Configuration);
        using var listener = new TcpListener(IPAddress.Loopback, pair.Tessera.Port(1));
        listener.Start();
        using (var client = new TcpClient())
        {
            await client.ConnectAsync(IPAddress.Loopback, pair.Tessera.Port(0));
            await client.Client.SendAsync(
                Encoding.ASCII.GetBytes("GET /root/left HTTP/1.1\r\nHost: x\r\n\r\n"));
            using Socket origin = await listener.AcceptSocketAsync();
            byte[] buffer = new byte[4_096];
            await origin.ReceiveAsync(buffer);
            await origin.SendAsync(
                Encoding.ASCII.GetBytes("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf"));
            await client.Client.ReceiveAsync(buffer);
            client.Close();
            await origin.SendAsync("AND!"u8.ToArray());
            await Eventually.HoldsAsync(
                "the file is whole", () => pair.Tessera.ReadFile("kept/root/left") == "halfAND!");
        }

        Directory.GetFileSystemEntries(pair.Tessera.Prefix + "temporary").ShouldBeEmpty();
    }

    /// <summary>Every file that was kept, its permissions, its time if it was told, its text.
    /// </summary>
    private static string Tree(NginxServer server) => string.Join('\n', Directory
        .EnumerateFileSystemEntries(server.Prefix, "*", SearchOption.AllDirectories)
        .Select(path => path[server.Prefix.Length..])
        .Where(name => name.StartsWith("kept/", StringComparison.Ordinal)
            || name.StartsWith("temporary/", StringComparison.Ordinal))
        .Order(StringComparer.Ordinal)
        .Select(name => Describe(server, name)));

    private static string Describe(NginxServer server, string name)
    {
        string path = server.Prefix + name;
        string mode = Convert.ToString((int)File.GetUnixFileMode(path), 8);
        DateTime changed = File.GetLastWriteTimeUtc(path);
        return Directory.Exists(path)
            ? $"{name}/ {mode}"
            : $"{name} {mode} {(changed.Year < 2000 ? changed : null):s} {File.ReadAllText(path)}";
    }

    private static string Answer(string request)
    {
        string head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n";
        return request.Split(' ')[1].Split('/', '-')[^1] switch
        {
            "chunked" => head + "Transfer-Encoding: chunked\r\n\r\n"
                + "5\r\nhello\r\n1\r\n!\r\n0\r\nX-T: 1\r\n\r\n",
            "close" => head + "Connection: close\r\n\r\nuntil the end",
            "empty" => head + "Content-Length: 0\r\n\r\n",
            "cut" => head + "Content-Length: 50\r\n\r\nnot all of it",
            "cutchunk" => head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            "missing" => "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
            "moved" => "HTTP/1.1 301 Moved\r\nLocation: /x\r\nContent-Length: 2\r\n\r\nno",
            "dated" => head + "Last-Modified: Mon, 28 Sep 1970 06:00:00 GMT\r\n"
                + "Content-Length: 5\r\n\r\ndated",
            _ => head + "Content-Length: 5\r\n\r\nsized",
        };
    }
}
