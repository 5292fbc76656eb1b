using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd;

/// <summary>What each command prints and leaves, as Compose users expect it.</summary>
public sealed partial class CommandTests(TesseraHost host) : IClassFixture<TesseraHost>
{
    private const string TwoServices = """
        services:
          worker: { command: sleep 1000, stop_grace_period: 0s, scale: 2 }
          single: { command: sleep 1000, stop_grace_period: 0s }
        """;

    [Fact]
    public async Task Up_again_changes_nothing_and_keeps_every_pid()
    {
        await using ComposeProject project = host.Project(TwoServices, "unchanged");
        await project.UpAsync();
        Dictionary<string, int> before = await project.PidsAsync();

        await project.UpAsync();
        (await project.RunAsync("up", "-d", "--dry-run")).ShouldSucceed();

        (await project.PidsAsync()).ShouldBe(before, ignoreOrder: true);
    }

    [Fact]
    public async Task Dry_run_prints_the_plan_and_starts_nothing()
    {
        ComposeProject project = host.Project(TwoServices, "planned");

        CommandResult up = (await project.RunAsync("up", "-d", "--dry-run")).ShouldSucceed();

        (up.Output + up.Errors).ShouldContain("planned-worker-2");
        (await project.PsAsync()).ShouldBeEmpty();
        (await project.RunAsync("down")).ShouldSucceed();
    }

    [Fact]
    public async Task Orphans_are_removed_when_asked_for()
    {
        await using ComposeProject project = host.Project(TwoServices, "orphans");
        await project.UpAsync();
        project.Write("services:\n  single: { command: sleep 1000, stop_grace_period: 0s }");

        CommandResult up = await project.UpAsync();
        up.Errors.ShouldContain("orphan", Case.Insensitive);
        Dictionary<string, int> kept = await project.PidsAsync();
        kept.Count.ShouldBe(3);
        await project.UpAsync("--remove-orphans");

        InstanceRow left = (await project.PsAsync()).ShouldHaveSingleItem();
        left.Name.ShouldBe("orphans-single-1");
        left.Pid.ShouldBe(kept[left.Name]);
    }

    [Fact]
    public async Task Ps_has_composes_columns_and_traffic_pid_and_restarts()
    {
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            services:
              web:
                command: {{App.Whoami}}
                ports: ["{{port}}:80"]
            """, "columns");
        await project.UpAsync();

        string[] table = (await project.RunAsync("ps")).ShouldSucceed().OutputLines;
        string[] columns = ["NAME", "SERVICE", "STATUS", "PORTS", "TRAFFIC", "PID", "RESTARTS"];
        foreach (string column in columns)
        {
            table[0].ShouldContain(column, Case.Sensitive);
        }

        table[1].ShouldStartWith("columns-web-1");
        table[1].ShouldContain("active");
        table[1].ShouldContain($"0.0.0.0:{port}->80/tcp");
        table[1].ShouldNotContain("\u001b");
        (await project.RunAsync("ps", "-q")).OutputLines.Length.ShouldBe(1);
        (await project.RunAsync("ps", "--services")).OutputLines.ShouldBe(["web"]);
        using JsonDocument row = JsonDocument.Parse((await project.PsOneAsync("web")).Json);
        JsonElement publisher = row.RootElement.GetProperty("Publishers")[0];
        publisher.GetProperty("PublishedPort").GetInt32().ShouldBe(port);
        publisher.GetProperty("TargetPort").GetInt32().ShouldBe(80);
    }

    [Fact]
    public async Task Stop_keeps_instances_and_start_starts_them_again()
    {
        await using ComposeProject project = host.Project(TwoServices, "stopped");
        await project.UpAsync();
        Dictionary<string, int> before = await project.PidsAsync();

        (await project.RunAsync("stop", "worker")).ShouldSucceed();
        (await project.PsAsync("worker")).ShouldAllBe(row => row.State == "exited");
        (await project.RunAsync("ps", "-q")).OutputLines.Length.ShouldBe(1);
        before.Where(pair => pair.Key.Contains("worker", StringComparison.Ordinal))
            .ShouldAllBe(pair => !Processes.IsAlive(pair.Value));
        (await project.RunAsync("start", "worker")).ShouldSucceed();

        IReadOnlyList<InstanceRow> after = await project.PsAsync();
        after.Count.ShouldBe(3);
        after.ShouldAllBe(row => row.State == "running");
        after.Single(row => row.Service == "single").Pid.ShouldBe(before["stopped-single-1"]);
    }

    [Fact]
    public async Task Kill_sends_the_named_signal()
    {
        await using ComposeProject project = host.Project("""
            services:
              traps:
                command: sh -c 'trap "echo got hup" HUP; echo ready; while :; do sleep 0.05; done'
                stop_grace_period: 0s
            """, "hup");
        await project.UpAsync();
        int pid = (await project.PsOneAsync("traps")).Pid;
        await UntilLoggedAsync(project, "ready");

        (await project.RunAsync("kill", "-s", "HUP")).ShouldSucceed();

        await UntilLoggedAsync(project, "got hup");
        (await project.PsOneAsync("traps")).Pid.ShouldBe(pid);
        (await project.RunAsync("kill")).ShouldSucceed();
        await Eventually.HoldsAsync("it is gone", () => !Processes.IsAlive(pid));
    }

    [Fact]
    public async Task Logs_are_prefixed_bounded_and_stamped_as_asked()
    {
        await using ComposeProject project = host.Project("""
            services:
              talks:
                command: sh -c 'for i in 1 2 3 4 5; do echo line $$i; done; sleep 1000'
                stop_grace_period: 0s
                scale: 2
            """, "talking");
        await project.UpAsync();
        await Eventually.HoldsAsync("all is logged", async () =>
            (await project.RunAsync("logs")).OutputLines.Length == 10);

        string[] plain = (await project.RunAsync("logs")).ShouldSucceed().OutputLines;
        plain.ShouldAllBe(line => PrefixedLine().IsMatch(line));
        string[] tail = (await project.RunAsync("logs", "-n", "2")).ShouldSucceed().OutputLines;
        tail.Length.ShouldBe(4);
        tail.ShouldAllBe(line => line.EndsWith("line 4") || line.EndsWith("line 5"));
        string[] bare = (await project.RunAsync("logs", "--no-log-prefix", "-n", "1")).OutputLines;
        bare.ShouldBe(["line 5", "line 5"]);
        string[] stamped = (await project.RunAsync("logs", "--timestamps", "-n", "1")).OutputLines;
        stamped.ShouldAllBe(line => Stamp().IsMatch(line));
    }

    [Fact]
    public async Task Logs_follow_shows_new_lines_at_once_and_ends_on_ctrl_c()
    {
        await using ComposeProject project = host.Project("""
            services:
              talks:
                command: sh -c 'trap "echo poked" USR1; echo hello; while :; do sleep 0.05; done'
                stop_grace_period: 0s
            """, "following");
        await project.UpAsync();
        await using RunningCommand logs = project.Start("logs", "-f");
        await logs.UntilOutputAsync("hello");

        var watch = Stopwatch.StartNew();
        (await project.RunAsync("kill", "-s", "USR1")).ShouldSucceed();
        await logs.UntilOutputAsync("poked", TimeSpan.FromSeconds(5));
        watch.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(3));
        await logs.SignalAsync("INT");

        (await logs.WaitAsync(TimeSpan.FromSeconds(5))).ExitCode.ShouldBeOneOf(0, 130);
    }

    [Fact]
    public async Task Events_tell_the_life_of_an_instance_in_order()
    {
        await using ComposeProject project = host.Project(TwoServices, "eventful");
        await project.UpAsync();
        await using EventLog events = await EventLog.FollowAsync(
            project, () => project.RunAsync("restart", "single"));
        DateTimeOffset before = DateTimeOffset.UtcNow;

        (await project.RunAsync("stop", "worker")).ShouldSucceed();
        (await project.RunAsync("start", "worker")).ShouldSucceed();

        LifeEvent died = await events.UntilAsync("die", before, "worker");
        LifeEvent started = await events.UntilAsync("start", died.Time, "worker");
        LifeEvent ready = await events.UntilAsync("ready", started.Time, "worker");
        (ready.Time - before).ShouldBeLessThan(TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task Version_and_help_need_no_daemon_and_go_to_stdout()
    {
        await using var other = new TesseraHost();

        CommandResult version = (await other.RunAsync("version")).ShouldSucceed();
        CommandResult help = (await other.RunAsync("--help")).ShouldSucceed();

        version.Output.ShouldMatch(@"\d+\.\d+\.\d+");
        version.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(1));
        foreach (string command in new[] { "up", "down", "ps", "logs", "scale", "events" })
        {
            help.Output.ShouldContain(command, Case.Sensitive);
        }

        Processes.FindMarked(other.Root).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("bash")]
    [InlineData("zsh")]
    [InlineData("fish")]
    public async Task Completion_scripts_are_printed(string shell)
    {
        CommandResult completion = (await host.RunAsync("completion", shell)).ShouldSucceed();

        completion.Output.ShouldContain("tessera");
        completion.Output.Length.ShouldBeGreaterThan(100);
    }

    [Fact]
    public async Task Up_in_the_foreground_ends_when_everything_has_ended()
    {
        await using ComposeProject project = host.Project("""
            services:
              one: { command: "sh -c 'echo first words; exit 0'" }
              two: { command: "sh -c 'sleep 0.3; echo last words; exit 3'" }
            """, "ending");

        CommandResult up = await project.RunAsync("up");

        up.ShouldSucceed();
        up.Output.ShouldContain("first words");
        up.Output.ShouldContain("last words");
        (up.Output + up.Errors).ShouldContain("exited with code 3");
    }

    [Theory]
    [InlineData("", true)]
    [InlineData("1", false)]
    public async Task On_a_terminal_output_is_coloured_unless_no_color_is_set(
        string noColor, bool isColoured)
    {
        await using ComposeProject project = host.Project("""
            services:
              talks:
                command: sh -c 'echo hello; sleep 1000'
                stop_grace_period: 0s
            """, "coloured");
        await project.UpAsync();
        await UntilLoggedAsync(project, "hello");

        using Process terminal = Process.Start(new ProcessStartInfo("script")
        {
            ArgumentList =
            {
                "-qec",
                $"{Repository.Binary} -f {project.File} -p {project.Name} logs",
                "/dev/null",
            },
            Environment =
            {
                ["TESSERA_HOME"] = host.Home, ["TERM"] = "xterm", ["NO_COLOR"] = noColor,
            },
            RedirectStandardOutput = true,
            RedirectStandardInput = true,
        })!;
        string output = await terminal.StandardOutput.ReadToEndAsync();
        await terminal.WaitForExitAsync();

        output.ShouldContain("hello");
        output.Contains("\u001b[", StringComparison.Ordinal).ShouldBe(isColoured, output);
    }

    [Fact]
    public async Task Down_of_a_project_that_does_not_run_is_no_error()
    {
        await using ComposeProject project = host.Project(TwoServices, "nothing");

        (await project.RunAsync("down")).ShouldSucceed();
        (await project.RunAsync("ps")).ShouldSucceed().OutputLines.Length.ShouldBe(1);
    }

    private static Task UntilLoggedAsync(ComposeProject project, string text) =>
        Eventually.HoldsAsync(
            $"'{text}' is logged",
            async () => (await project.RunAsync("logs"))
                .Output.Contains(text, StringComparison.Ordinal));

    [GeneratedRegex(@"^(talking-)?talks-[12]\s+\| line [1-5]$")]
    private static partial Regex PrefixedLine();

    [GeneratedRegex(@"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z? .*line 5$")]
    private static partial Regex Stamp();
}
