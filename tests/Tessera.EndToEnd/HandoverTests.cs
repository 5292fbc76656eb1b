using System.Globalization;
using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd;

/// <summary>A daemon is replaced by another one under everything that it does.</summary>
public sealed class HandoverTests
{
    private const int LineCount = 6_000;

    [Fact]
    public async Task Five_replacements_under_load_fail_no_request_and_lose_nothing()
    {
        await using var host = new TesseraHost();
        int port = FreePorts.Next();
        int socketPort = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            services:
              web:
                command: {{App.Http("--answer-delay 0.002")}}
                scale: 2
                ports: ["{{port}}:80"]
              socket:
                command: {{App.UpgradeEcho}}
                ports: ["{{socketPort}}:80"]
              lines:
                command: {{App.NumberedLines(LineCount, perSecond: 1_000)}}
                stop_grace_period: 0s
            """, "replaced");
        await project.UpAsync();
        Dictionary<string, int> before = await project.PidsAsync();
        List<RawHttp> tunnels = [];
        await using LoadClient kept = LoadClient.Start(port, new LoadOptions(Connections: 16));
        await using var fresh = NewConnections.Start(port, 4);
        await kept.UntilMoreAnswersAsync(200);

        for (int round = 0; round < 5; round++)
        {
            tunnels.Add(await UpgradeAsync(socketPort));
            int old = await DaemonPidAsync(host);
            (await host.RunAsync("daemon", "--replace")).ShouldSucceed();
            (await DaemonPidAsync(host)).ShouldNotBe(old);
            await kept.UntilMoreAnswersAsync(100);
            foreach (RawHttp tunnel in tunnels)
            {
                await tunnel.SendAsync("still here");
                (await tunnel.ReadTextAsync(10)).ShouldBe("still here");
            }
        }

        (await kept.StopAsync()).ShouldHaveNoFailure(atLeast: 500);
        (await fresh.StopAsync()).ShouldBeEmpty();
        (await project.PidsAsync("web", "socket")).ShouldBe(
            before.Where(pair => !pair.Key.Contains("lines", StringComparison.Ordinal)),
            ignoreOrder: true);
        await ShouldHaveLoggedEveryLineOnceAsync(project);

        // The old daemons end with their last connections.
        tunnels.ForEach(tunnel => tunnel.Dispose());
        await Eventually.HoldsAsync("one daemon is left", () => Daemons(host).Count() == 1);
    }

    [Fact]
    public async Task A_successor_that_is_killed_half_way_costs_nothing()
    {
        await using var host = new TesseraHost();
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            services:
              web:
                command: {{App.Http()}}
                scale: 2
                restart: always
                ports: ["{{port}}:80"]
            """, "halfway");
        await project.UpAsync();
        Dictionary<string, int> before = await project.PidsAsync();
        int daemon = await DaemonPidAsync(host);
        await using LoadClient load =
            LoadClient.Start(port, new LoadOptions(Connections: 10));
        int failures = 0;
        for (int delayMs = 0; delayMs <= 400; delayMs += 100)
        {
            await using RunningCommand successor = host.Start("daemon", "--on-demand", "--replace");
            await Eventually.HoldsAsync("the hand-over begins", () => successor.HasExited
                || host.DaemonLog().Contains($"handing over to pid {successor.Pid}",
                    StringComparison.Ordinal));
            await Task.Delay(delayMs);
            await successor.SignalAsync("KILL");
            await Eventually.HoldsAsync("a daemon answers", async () =>
                (await host.RunAsync("daemon", "status")).ExitCode == 0);
            if (await DaemonPidAsync(host) != daemon)
            {
                // It had taken over already: the death of a daemon, and no failed hand-over.
                break;
            }

            failures++;
            (await project.PidsAsync()).ShouldBe(before, ignoreOrder: true);
            await load.UntilMoreAnswersAsync(50);
        }

        failures.ShouldBeGreaterThan(0, host.DaemonLog());
        if (await DaemonPidAsync(host) == daemon)
        {
            (await load.StopAsync()).ShouldHaveNoFailure();
        }
    }

    [Fact]
    public async Task Commands_wait_and_followers_are_told()
    {
        await using var host = new TesseraHost();
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            services:
              web:
                command: {{App.Whoami}}
                ports: ["{{port}}:80"]
            """, "followed");
        await project.UpAsync();
        await using RunningCommand logs = project.Start("logs", "-f");
        await Eventually.HoldsAsync("the follower is there", () => logs.Output.Length > 0);
        Task<CommandResult> replace = host.RunAsync("daemon", "--replace");
        while (!replace.IsCompleted)
        {
            (await project.RunAsync("scale", "web=2")).ShouldSucceed();
            (await project.RunAsync("scale", "web=1")).ShouldSucceed();
            (await project.PsAsync()).Count.ShouldBe(1);
        }

        (await replace).ShouldSucceed();
        CommandResult followed = await logs.WaitAsync(TimeSpan.FromSeconds(10));
        followed.Errors.ShouldContain("is being replaced by another one");
    }

    [Fact]
    public async Task A_daemon_in_the_foreground_gets_a_successor_in_the_foreground()
    {
        await using var host = new TesseraHost();
        await using RunningCommand first = host.Start("daemon", "--replace");
        await Eventually.HoldsAsync("it serves", async () =>
            (await host.RunAsync("daemon", "status")).ExitCode == 0);
        await using RunningCommand second = host.Start("daemon", "--replace");
        (await first.WaitAsync()).ShouldSucceed();
        second.HasExited.ShouldBeFalse();
        (await DaemonPidAsync(host)).ShouldBe(second.Pid);
        await second.SignalAsync("TERM");
        (await second.WaitAsync()).ShouldSucceed();
    }

    private static IEnumerable<int> Daemons(TesseraHost host) =>
        Processes.FindMarked(host.Root).Where(pid => Processes.CommandLine(pid) is [var name, ..]
            && name.EndsWith("tessera", StringComparison.Ordinal)
            && Processes.CommandLine(pid).Contains("daemon"));

    private static async Task<int> DaemonPidAsync(TesseraHost host) => int.Parse(
        (await host.RunAsync("daemon", "status")).ShouldSucceed().OutputLines
            .Single(line => line.StartsWith("pid", StringComparison.Ordinal))[3..],
        CultureInfo.InvariantCulture);

    private static async Task<RawHttp> UpgradeAsync(int port)
    {
        RawHttp http = await RawHttp.ConnectAsync(port);
        await http.SendAsync(
            "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
        (await http.ReadAnswerAsync()).Status.ShouldBe(101);
        return http;
    }

    private static async Task ShouldHaveLoggedEveryLineOnceAsync(ComposeProject project)
    {
        string last = $"line {LineCount.ToString(CultureInfo.InvariantCulture)}";
        await Eventually.HoldsAsync(
            $"'{last}' is logged",
            async () => (await project.RunAsync("logs", "--no-log-prefix", "-n", "1", "lines"))
                .Output.Contains(last, StringComparison.Ordinal));
        string[] lines = (await project.RunAsync("logs", "--no-log-prefix", "lines"))
            .ShouldSucceed().OutputLines;
        lines.ShouldBe(Enumerable.Range(1, LineCount).Select(n => $"line {n}"));
    }

    /// <summary>Requests on a connection of their own, each; used by one flow.</summary>
    private sealed class NewConnections : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly List<string> _failures = [];
        private Task _workers = Task.CompletedTask;

        public static NewConnections Start(int port, int count)
        {
            var load = new NewConnections();
            load._workers = Task.WhenAll(Enumerable.Range(0, count).Select(
                _ => Task.Run(() => load.WorkAsync(port))));
            return load;
        }

        public async Task<IReadOnlyList<string>> StopAsync()
        {
            await _stop.CancelAsync();
            await _workers;
            return _failures;
        }

        public async ValueTask DisposeAsync()
        {
            await StopAsync();
            _stop.Dispose();
        }

        private async Task WorkAsync(int port)
        {
            while (!_stop.IsCancellationRequested)
            {
                string failure = "";
                try
                {
                    HttpAnswer answer = await RawHttp.GetAsync(port);
                    failure = answer.Status == 200 ? "" : $"status {answer.Status}";
                }
                catch (Exception e) when (e is not OutOfMemoryException)
                {
                    failure = e.Message;
                }

                if (failure.Length > 0)
                {
                    lock (_failures)
                    {
                        _failures.Add(failure);
                    }
                }

                await Task.Delay(3);
            }
        }
    }
}
