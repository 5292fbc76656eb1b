using System.Net.Sockets;
using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd;

/// <summary>
/// Servers that already run, balanced as they are, and what happens when they misbehave.
/// </summary>
public sealed class ExternalTests(TesseraHost host) : IClassFixture<TesseraHost>
{
    [Fact]
    public async Task External_endpoints_are_balanced_by_weight_and_a_dead_one_is_skipped()
    {
        int[] backends = [FreePorts.Next(), FreePorts.Next()];
        int port = FreePorts.Next();
        await using RunningCommand heavy = host.Start("whoami", "--port", $"{backends[0]}");
        await using RunningCommand light = host.Start("whoami", "--port", $"{backends[1]}");
        await Eventually.HoldsAsync(
            "both servers listen", () => backends.All(p => !FreePorts.IsFree(p)));
        await using ComposeProject project = host.Project($$"""
            services:
              legacy:
                ports: ["{{port}}:80"]
                x-tessera:
                  endpoints:
                    - { address: "127.0.0.1:{{backends[0]}}", weight: 3 }
                    - "127.0.0.1:{{backends[1]}}"
            """, "external");
        await project.UpAsync();
        (await project.PsAsync()).ShouldAllBe(row => row.IsActive && row.Pid == 0);

        for (int i = 0; i < 400; i++)
        {
            (await RawHttp.GetAsync(port, $"/n{i}")).Status.ShouldBe(200);
        }

        Dictionary<int, int> counts = await CountUpstreamsAsync(backends);
        counts[backends[0]].ShouldBeInRange(299, 301);
        counts[backends[1]].ShouldBeInRange(99, 101);
        await light.SignalAsync("KILL");
        await Eventually.HoldsAsync("the light one is gone", () => light.HasExited);
        for (int i = 0; i < 40; i++)
        {
            (await RawHttp.GetAsync(port)).Status.ShouldBe(200);
        }
    }

    [Fact]
    public async Task A_backend_that_is_not_there_is_a_bad_gateway_at_once()
    {
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            services:
              broken:
                ports: ["{{port}}:80"]
                x-tessera: { endpoints: ["127.0.0.1:{{FreePorts.Next()}}"] }
            """, "broken");
        await project.UpAsync();

        HttpAnswer answer = await RawHttp.GetAsync(port, limit: TimeSpan.FromSeconds(3));

        answer.Status.ShouldBe(502);
    }

    [Fact]
    public async Task A_backend_that_says_nothing_is_a_gateway_timeout_after_read_timeout()
    {
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            services:
              slow:
                command: {{App.Http("--answer-delay 5")}}
                ports: ["{{port}}:80"]
                stop_grace_period: 0s
                x-tessera: { read_timeout: 500ms, drain_timeout: 100ms }
            """, "silent");
        await project.UpAsync();

        HttpAnswer answer = await RawHttp.GetAsync(port, limit: TimeSpan.FromSeconds(3));

        answer.Status.ShouldBe(504);
    }

    [Theory]
    [InlineData("not http")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello")]
    [InlineData("HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 5\r\n\r\nhello")]
    [InlineData("HTTP/1.1 200 OK\nContent-Length: 5\n\nhello")]
    public async Task A_backend_that_breaks_http_is_a_bad_gateway(string response)
    {
        int backend = FreePorts.Next();
        int port = FreePorts.Next();
        using var listener = new TcpListener(System.Net.IPAddress.Loopback, backend);
        listener.Start();
        Task serving = ServeOnceAsync(listener, response);
        await using ComposeProject project = host.Project($$"""
            services:
              odd:
                ports: [{ target: 80, published: {{port}}, app_protocol: http }]
                x-tessera: { endpoints: ["127.0.0.1:{{backend}}"] }
            """, "odd");
        await project.UpAsync();

        using RawHttp http = await RawHttp.ConnectAsync(port, TimeSpan.FromSeconds(5));
        await http.SendAsync(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi");
        (await http.ReadAnswerAsync()).Status.ShouldBe(502);
        await serving;
    }

    private static async Task ServeOnceAsync(TcpListener listener, string response)
    {
        using Socket client = await listener.AcceptSocketAsync();
        await client.ReceiveAsync(new byte[4_096]);
        await client.SendAsync(System.Text.Encoding.ASCII.GetBytes(response));
    }

    private async Task<Dictionary<int, int>> CountUpstreamsAsync(int[] backends)
    {
        Dictionary<int, int> counts = [];
        await Eventually.HoldsAsync("all 400 are logged", () =>
        {
            string[] lines =
            [
                .. host.StateFiles()
                    .Where(file => file.Contains("access", StringComparison.Ordinal))
                    .SelectMany(file => File.ReadAllLines(Path.Combine(host.Home, file)))
                    .Where(line => line.Contains("GET /n", StringComparison.Ordinal)),
            ];
            counts = backends.ToDictionary(
                backend => backend,
                backend => lines.Count(line =>
                    line.Contains($"127.0.0.1:{backend}", StringComparison.Ordinal)));
            return counts.Values.Sum() >= 400;
        });
        return counts;
    }
}
