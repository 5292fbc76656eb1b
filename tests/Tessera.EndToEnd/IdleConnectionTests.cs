using System.Collections.Concurrent;
using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd;

/// <summary>Many connections that wait while a few work.</summary>
public sealed class IdleConnectionTests
{
    private const int ConnectionCount = 10_000;

    [Fact]
    public async Task Ten_thousand_idle_connections_are_held_while_others_are_served()
    {
        await using var host = new TesseraHost();
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            services:
              web:
                command: {{App.Whoami}}
                scale: 2
                ports: ["{{port}}:80"]
            """, "idle");
        await project.UpAsync();
        using var idle = new Connections();
        await idle.OpenAsync(port, ConnectionCount);

        await using LoadClient load = LoadClient.Start(port, new LoadOptions(PauseMs: 0));
        await load.UntilMoreAnswersAsync(5_000);
        LoadReport report = (await load.StopAsync()).ShouldHaveNoFailure(atLeast: 5_000);

        report.Percentile(0.99).ShouldBeLessThan(TimeSpan.FromSeconds(1), report.ToString());
        Processes.OpenFiles(host.DaemonPid!.Value).ShouldBeGreaterThan(ConnectionCount);
        await idle.ShouldAllAnswerAsync(every: 20);
    }

    /// <summary>Kept-alive connections, each of which has had one answer.</summary>
    private sealed class Connections : IDisposable
    {
        private readonly ConcurrentBag<RawHttp> _all = [];

        public Task OpenAsync(int port, int count) => Parallel.ForAsync(
            0,
            count,
            new ParallelOptions { MaxDegreeOfParallelism = 64 },
            async (_, _) =>
            {
                RawHttp http = await RawHttp.ConnectAsync(port);
                _all.Add(http);
                await AskAsync(http);
            });

        public async Task ShouldAllAnswerAsync(int every)
        {
            _all.Count.ShouldBe(ConnectionCount);
            foreach (RawHttp http in _all.Where((_, index) => index % every == 0))
            {
                await AskAsync(http);
            }
        }

        public void Dispose()
        {
            foreach (RawHttp http in _all)
            {
                http.Dispose();
            }
        }

        private static async Task AskAsync(RawHttp http)
        {
            await http.SendAsync("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
            (await http.ReadAnswerAsync()).Status.ShouldBe(200);
        }
    }
}
