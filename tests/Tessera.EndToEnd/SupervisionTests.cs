using System.Diagnostics;
using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd;

/// <summary>How instances are started, watched, restarted, given up and ended.</summary>
public sealed class SupervisionTests(TesseraHost host) : IClassFixture<TesseraHost>
{
    [Fact]
    public async Task On_failure_with_a_limit_ends_fatal_and_shows_the_last_output()
    {
        await using ComposeProject project = host.Project("""
            services:
              crash:
                command: sh -c 'echo about to fail; echo cannot open the database >&2; exit 3'
                restart: on-failure:2
            """, "fatal");
        await project.RunAsync("up", "-d");

        IReadOnlyList<InstanceRow> rows = await project.UntilPsAsync(
            "it is given up", rows => rows is [{ State: "fatal" }], TimeSpan.FromSeconds(30));

        rows[0].Restarts.ShouldBe(2);
        rows[0].Json.ShouldContain("cannot open the database");
        (await project.RunAsync("ps", "-a")).Output.ShouldContain("FATAL", Case.Insensitive);
        string[] attempts = (await project.RunAsync("logs", "--no-log-prefix")).OutputLines;
        attempts.Count(line => line == "about to fail").ShouldBe(3);
    }

    [Fact]
    public async Task On_failure_leaves_a_success_alone_and_no_leaves_a_failure_alone()
    {
        await using ComposeProject project = host.Project("""
            services:
              fine: { command: "true", restart: "on-failure" }
              fails: { command: "sh -c 'exit 5'", restart: "no" }
              again: { command: "sh -c 'sleep 0.1'", restart: always }
            """, "policies");
        await project.RunAsync("up", "-d");

        IReadOnlyList<InstanceRow> rows = await project.UntilPsAsync(
            "always restarts, the others end",
            rows => rows.Any(row => row is { Service: "again", Restarts: >= 2 })
                && rows.Count(row => row.State == "exited") == 2,
            TimeSpan.FromSeconds(30));

        rows.Where(row => row.Service != "again").ShouldAllBe(row => row.Restarts == 0);
        rows.Single(row => row.Service == "fails").Json.ShouldContain("5");
    }

    [Fact]
    public async Task A_crash_loop_backs_off()
    {
        await using ComposeProject project = host.Project("""
            services:
              crash: { command: "false", restart: always }
            """, "loop");
        await project.RunAsync("up", "-d");
        await project.UntilPsAsync("it restarts", rows => rows[0].Restarts >= 2);
        var watch = Stopwatch.StartNew();
        int before = (await project.PsAsync())[0].Restarts;

        await Task.Delay(2_000);

        double perSecond = ((await project.PsAsync())[0].Restarts - before)
            / watch.Elapsed.TotalSeconds;
        perSecond.ShouldBeLessThan(5);
    }

    [Fact]
    public async Task An_unhealthy_instance_gets_no_traffic_is_not_killed_and_comes_back()
    {
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            services:
              web:
                command: {{App.Http()}}
                scale: 2
                restart: always
                ports: ["{{port}}:80"]
                healthcheck:
                  test: test ! -e sick-$$PORT
                  interval: 100ms
                  retries: 2
                  start_period: 5s
                  start_interval: 100ms
            """, "health");
        await project.UpAsync();
        IReadOnlyList<InstanceRow> before = await project.PsAsync();
        before.ShouldAllBe(row => row.Health == "healthy");
        string sick = Path.Combine(
            project.Folder, $"sick-{before[0].Address.Split(':')[^1]}");
        File.WriteAllText(sick, "");

        IReadOnlyList<InstanceRow> during = await project.UntilPsAsync(
            "the sick one is out", rows => rows[0] is { Health: "unhealthy", Traffic: "out" });
        during[0].Pid.ShouldBe(before[0].Pid);
        for (int i = 0; i < 10; i++)
        {
            (await RawHttp.GetAsync(port)).Instance.ShouldBe($"{before[1].Pid}");
        }

        File.Delete(sick);
        IReadOnlyList<InstanceRow> after = await project.UntilPsAsync(
            "it is back", rows => rows.All(row => row is { Health: "healthy", IsActive: true }));
        after.Select(row => row.Pid).ShouldBe(before.Select(row => row.Pid));
        string[] answers =
        [
            (await RawHttp.GetAsync(port)).Instance, (await RawHttp.GetAsync(port)).Instance,
        ];
        answers.Distinct().Count().ShouldBe(2);
    }

    [Fact]
    public async Task Dependencies_are_waited_for_as_their_conditions_say()
    {
        await using ComposeProject project = host.Project("""
            services:
              last:
                command: sh -c 'test -e db-is-up && echo in order; sleep 1000'
                stop_grace_period: 0s
                depends_on:
                  db: { condition: service_healthy }
                  migration: { condition: service_completed_successfully }
              migration:
                command: sh -c 'sleep 0.3; touch migrated'
                depends_on: [first]
              db:
                command: sh -c 'sleep 0.5; test -e migrated && touch db-is-up; sleep 1000'
                stop_grace_period: 0s
                healthcheck:
                  test: test -e db-is-up
                  interval: 100ms
                  start_period: 5s
                  start_interval: 100ms
              first: { command: sleep 1000, stop_grace_period: 0s }
            """, "order");

        await project.UpAsync("--wait-timeout", "30");

        await Eventually.HoldsAsync(
            "the last one saw the others ready",
            async () => (await project.RunAsync("logs", "last"))
                .Output.Contains("in order", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_dependency_that_fails_to_complete_fails_up_and_starts_no_dependent()
    {
        await using ComposeProject project = host.Project("""
            services:
              web:
                command: sleep 1000
                depends_on: { migration: { condition: service_completed_successfully } }
              migration: { command: "sh -c 'echo no such table; exit 4'" }
            """, "failed");

        CommandResult up = await project.RunAsync("up", "-d");

        up.ShouldExitWith(1);
        up.Errors.ShouldContain("migration");
        (await project.PsAsync()).ShouldNotContain(row => row.Service == "web" && row.Pid != 0);
    }

    [Fact]
    public async Task Nothing_of_a_double_forked_child_is_left_after_down()
    {
        int port = FreePorts.Next();
        ComposeProject project = host.Project($$"""
            services:
              web:
                command: {{App.Http("--fork-child")}}
                ports: ["{{port}}:80"]
            """, "forked");
        await project.UpAsync();
        int[] children =
        [
            .. Processes.FindMarked(project.Folder)
                .Where(pid => Processes.CommandLine(pid) is ["sleep", "3600"]),
        ];
        children.Length.ShouldBe(1);

        (await project.RunAsync("down")).ShouldSucceed();

        await Eventually.HoldsAsync(
            "the child is gone", () => !Processes.IsAlive(children[0]), TimeSpan.FromSeconds(3));
    }

    [Fact]
    public async Task Stop_sends_the_stop_signal_and_kills_after_the_grace_period()
    {
        await using ComposeProject project = host.Project("""
            services:
              polite:
                command: sh -c 'trap "echo got usr1; exit 0" USR1; while :; do sleep 0.05; done'
                stop_signal: SIGUSR1
              stubborn:
                command: sh -c 'trap "" TERM; while :; do sleep 0.05; done'
                stop_grace_period: 400ms
            """, "signals");
        await project.UpAsync();

        CommandResult polite = (await project.RunAsync("stop", "polite")).ShouldSucceed();
        CommandResult stubborn = (await project.RunAsync("stop", "stubborn")).ShouldSucceed();

        (await project.RunAsync("logs", "polite")).Output.ShouldContain("got usr1");
        polite.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(3));
        stubborn.Elapsed.ShouldBeInRange(TimeSpan.FromSeconds(0.4), TimeSpan.FromSeconds(5));
        (await project.PsAsync()).ShouldAllBe(row => row.State == "exited");
    }

    [Fact]
    public async Task Each_instance_has_its_own_port_in_environment_and_command()
    {
        await using ComposeProject project = host.Project("""
            services:
              echo:
                command: [sh, -c, 'echo "$$0=$$(printenv PORT)"; sleep 1000', "$$PORT"]
                stop_grace_period: 0s
                scale: 2
                healthcheck: { test: "true", interval: 100ms }
            """, "ports");
        await project.UpAsync();

        string[] lines = [];
        await Eventually.HoldsAsync("both wrote", async () =>
        {
            lines = (await project.RunAsync("logs", "--no-log-prefix")).OutputLines;
            return lines.Length == 2;
        });
        lines.Distinct().Count().ShouldBe(2);
        lines.ShouldAllBe(line => line.Split('=')[0] == line.Split('=')[1]);
    }
}
