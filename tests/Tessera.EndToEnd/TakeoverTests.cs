using System.Globalization;
using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd;

/// <summary>The daemon dies or is stopped; what it ran lives on and is taken over.</summary>
public sealed class TakeoverTests
{
    private const int LineCount = 6_000;

    [Fact]
    public async Task Kill_9_of_the_daemon_keeps_instances_and_the_next_ps_takes_them_over()
    {
        await using var host = new TesseraHost();
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project(ServingAndLogging(port), "taken");
        await project.UpAsync();
        Dictionary<string, int> before = await project.PidsAsync();

        await host.KillDaemonAsync();
        before.Values.ShouldAllBe(pid => Processes.IsAlive(pid));
        await Task.Delay(300);
        host.DaemonPid.ShouldBeNull();

        IReadOnlyList<InstanceRow> rows = await project.PsAsync();
        host.DaemonPid.ShouldNotBeNull();
        rows.ToDictionary(row => row.Name, row => row.Pid).ShouldBe(before, ignoreOrder: true);
        rows.ShouldAllBe(row => row.Restarts == 0);
        await ShouldBeServedByBothAsync(port);
        await ShouldHaveLoggedEveryLineOnceAsync(project);
    }

    [Fact]
    public async Task Kill_9_of_the_daemon_again_and_again_loses_no_line()
    {
        await using var host = new TesseraHost();
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project(ServingAndLogging(port), "again");
        await project.UpAsync();
        Dictionary<string, int> before = await project.PidsAsync();

        for (int round = 0; round < 4; round++)
        {
            await host.KillDaemonAsync();
            (await project.PidsAsync()).ShouldBe(before, ignoreOrder: true);
        }

        await ShouldBeServedByBothAsync(port);
        await ShouldHaveLoggedEveryLineOnceAsync(project);
    }

    [Fact]
    public async Task Instances_that_died_while_no_daemon_ran_are_restarted()
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
            """);
        await project.UpAsync();
        Dictionary<string, int> before = await project.PidsAsync();
        await host.KillDaemonAsync();
        (string name, int pid) = before.First();
        await Processes.SignalAsync(pid, "KILL");

        IReadOnlyList<InstanceRow> rows = await project.UntilPsAsync(
            "both serve again", rows => rows.Count == 2 && rows.All(row => row.IsActive));

        rows.Single(row => row.Name == name).Pid.ShouldNotBe(pid);
        rows.Single(row => row.Name != name).Pid.ShouldBe(before.Last().Value);
        await ShouldBeServedByBothAsync(port);
    }

    [Fact]
    public async Task Daemon_stop_keeping_instances_is_a_pause_and_not_an_end()
    {
        await using var host = new TesseraHost();
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project(ServingAndLogging(port), "kept");
        await project.UpAsync();
        Dictionary<string, int> before = await project.PidsAsync();

        (await host.RunAsync("daemon", "stop", "--keep-instances")).ShouldSucceed();
        await Eventually.HoldsAsync("the daemon is gone", () => host.DaemonPid is null);
        before.Values.ShouldAllBe(pid => Processes.IsAlive(pid));
        FreePorts.IsFree(port).ShouldBeTrue("nobody listens without a daemon");

        (await project.PidsAsync()).ShouldBe(before, ignoreOrder: true);
        await ShouldBeServedByBothAsync(port);
        await ShouldHaveLoggedEveryLineOnceAsync(project);
    }

    [Fact]
    public async Task Daemon_stop_ends_the_instances_too()
    {
        await using var host = new TesseraHost();
        await using ComposeProject project = host.Project("""
            services:
              worker:
                command: sleep 1000
                scale: 2
            """);
        await project.UpAsync();
        Dictionary<string, int> before = await project.PidsAsync();

        (await host.RunAsync("daemon", "stop")).ShouldSucceed();

        await Eventually.HoldsAsync("the daemon is gone", () => host.DaemonPid is null);
        before.Values.ShouldAllBe(pid => !Processes.IsAlive(pid));
    }

    [Fact]
    public async Task Kill_9_of_the_daemon_during_up_ends_the_command_and_up_again_completes()
    {
        await using var host = new TesseraHost();
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            services:
              web:
                command: {{App.Http("--start-delay 0.7")}}
                scale: 3
                ports: ["{{port}}:80"]
              late:
                command: sleep 1000
                stop_grace_period: 0s
                depends_on: { web: { condition: service_healthy } }
            """, "interrupted");
        await using RunningCommand up = project.Start("up", "-d", "--wait");
        await Eventually.HoldsAsync("an instance was started", () => CountOf(host, "http_app") > 0);

        await host.KillDaemonAsync();
        CommandResult result = await up.WaitAsync(TimeSpan.FromSeconds(20));
        result.ExitCode.ShouldBe(1, result.ToString());
        result.Errors.ShouldContain("daemon");

        await project.UpAsync();
        (await project.PsAsync()).Count(row => row.State == "running").ShouldBe(4);
        CountOf(host, "http_app").ShouldBe(3);
        (await RawHttp.GetAsync(port)).Status.ShouldBe(200);
    }

    [Fact]
    public async Task Killing_the_command_in_the_middle_of_up_does_no_harm()
    {
        await using var host = new TesseraHost();
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            services:
              web:
                command: {{App.Http("--start-delay 0.7")}}
                scale: 2
                ports: ["{{port}}:80"]
            """, "abandoned");
        await using RunningCommand up = project.Start("up", "-d", "--wait");
        await Eventually.HoldsAsync("an instance was started", () => CountOf(host, "http_app") > 0);
        await up.SignalAsync("KILL");

        await project.UpAsync();

        (await project.PsAsync()).Count(row => row.IsActive).ShouldBe(2);
        CountOf(host, "http_app").ShouldBe(2);
    }

    [Fact]
    public async Task Two_daemons_live_side_by_side()
    {
        await using var one = new TesseraHost();
        await using var two = new TesseraHost();
        string Yaml(int port) => $$"""
            services:
              web:
                command: {{App.Whoami}}
                ports: ["{{port}}:80"]
            """;
        int firstPort = FreePorts.Next();
        int secondPort = FreePorts.Next();
        await using ComposeProject first = one.Project(Yaml(firstPort), "same");
        await using ComposeProject second = two.Project(Yaml(secondPort), "same");
        await first.UpAsync();
        await second.UpAsync();

        one.DaemonPid.ShouldNotBe(two.DaemonPid);
        (await first.RunAsync("down")).ShouldSucceed();

        (await second.PsOneAsync("web")).IsActive.ShouldBeTrue();
        (await RawHttp.GetAsync(secondPort)).Instance.ShouldBe("same-web-1");
    }

    private static string ServingAndLogging(int port) => $$"""
        services:
          web:
            command: {{App.Http()}}
            scale: 2
            ports: ["{{port}}:80"]
          lines:
            command: {{App.NumberedLines(LineCount, perSecond: 2_000)}}
            stop_grace_period: 0s
        """;

    private static int CountOf(TesseraHost host, string script) =>
        Processes.FindMarked(host.Root).Count(pid =>
            Processes.CommandLine(pid).Any(w => w.Contains(script, StringComparison.Ordinal)));

    private static async Task ShouldBeServedByBothAsync(int port)
    {
        HashSet<string> seen = [];
        for (int i = 0; i < 10; i++)
        {
            HttpAnswer answer = await RawHttp.GetAsync(port);
            answer.Status.ShouldBe(200);
            seen.Add(answer.Instance);
        }

        seen.Count.ShouldBe(2);
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
        int right = lines.Zip(Enumerable.Range(1, LineCount), (line, n) => line == $"line {n}")
            .TakeWhile(isRight => isRight).Count();
        lines.Length.ShouldBe(LineCount);
        right.ShouldBe(LineCount, $"out of order: {string.Join(", ", lines.Skip(right).Take(5))}");
    }
}
