using System.Net;
using System.Net.Sockets;
using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd;

/// <summary>Which instance gets the next request.</summary>
public sealed class BalanceTests(TesseraHost host) : IClassFixture<TesseraHost>
{
    [Fact]
    public async Task Weights_by_slot_give_exact_shares()
    {
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            services:
              web:
                command: {{App.Whoami}}
                scale: 3
                ports: ["{{port}}:80"]
                x-tessera: { weights: [5, 3, 2] }
            """, "weighted");
        await project.UpAsync();

        Dictionary<string, int> counts = await CountAsync(port, 200, ["127.0.0.1"]);

        counts["weighted-web-1"].ShouldBeInRange(99, 101);
        counts["weighted-web-2"].ShouldBeInRange(59, 61);
        counts["weighted-web-3"].ShouldBeInRange(39, 41);
    }

    [Fact]
    public async Task Ip_hash_keeps_a_client_on_its_instance()
    {
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            services:
              web:
                command: {{App.Whoami}}
                scale: 3
                ports: ["{{port}}:80"]
                x-tessera: { balance: ip_hash }
            """, "sticky");
        await project.UpAsync();

        HashSet<string> used = [];
        for (int network = 1; network <= 24; network++)
        {
            Dictionary<string, int> counts = await CountAsync(
                port, 6, [$"127.0.{network}.1", $"127.0.{network}.200"]);
            used.Add(counts.Keys.ShouldHaveSingleItem($"clients of 127.0.{network}.0/24"));
        }

        used.Count.ShouldBe(3);
    }

    [Fact]
    public async Task Least_conn_sends_less_to_a_busy_instance()
    {
        int port = FreePorts.Next();
        // Slot 1 draws a long straw: the first to take the lock answers slowly.
        await using ComposeProject project = host.Project($$"""
            services:
              web:
                command: >-
                  sh -c 'mkdir slow 2>/dev/null && d=0.2 || d=0;
                  exec {{App.Http("--answer-delay $$d")}}'
                scale: 2
                ports: ["{{port}}:80"]
                x-tessera: { balance: least_conn }
            """, "busy");
        await project.UpAsync();
        await using LoadClient load =
            LoadClient.Start(port, new LoadOptions(Connections: 8, PauseMs: 5));
        await load.UntilMoreAnswersAsync(600);

        LoadReport report = (await load.StopAsync()).ShouldHaveNoFailure(atLeast: 600);

        int[] shares = [.. report.ByInstance.Values.Order()];
        shares.Length.ShouldBe(2);
        shares[1].ShouldBeGreaterThan(shares[0] * 4, report.ToString());
    }

    private static async Task<Dictionary<string, int>> CountAsync(
        int port, int requests, string[] clients)
    {
        Dictionary<string, int> counts = [];
        for (int i = 0; i < requests; i++)
        {
            string instance = await AskAsync(port, clients[i % clients.Length]);
            counts[instance] = counts.GetValueOrDefault(instance) + 1;
        }

        return counts;
    }

    /// <summary>One request from an address of the loopback network.</summary>
    private static async Task<string> AskAsync(int port, string client)
    {
        using var socket = new Socket(
            AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Parse(client), 0));
        await socket.ConnectAsync(IPAddress.Loopback, port);
        using RawHttp http = RawHttp.Over(socket);
        await http.SendAsync("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        return (await http.ReadAnswerAsync()).Instance;
    }
}
