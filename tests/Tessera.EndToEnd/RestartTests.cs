using System.Globalization;
using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd;

/// <summary>Restarts and roll-outs while requests keep coming.</summary>
public sealed class RestartTests
{
    [Theory]
    [InlineData("ignores SIGTERM", "--ignore-sigterm")]
    [InlineData("dies at once on SIGTERM", "")]
    public async Task Twenty_restarts_under_load_fail_no_request(string behaviour, string options)
    {
        await using var host = new TesseraHost();
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            services:
              web:
                command: {{App.Http(options)}}
                scale: 2
                restart: always
                stop_grace_period: 150ms
                ports: ["{{port}}:80"]
            """, "twenty");
        await project.UpAsync();
        await using LoadClient load = LoadClient.Start(port, new LoadOptions(PauseMs: 30));
        await load.UntilMoreAnswersAsync(200);

        HashSet<int> pids = [.. (await project.PidsAsync()).Values];
        for (int round = 1; round <= 20; round++)
        {
            CommandResult restart = await project.RunAsync("restart");
            restart.ExitCode.ShouldBe(0, $"round {round}, app {behaviour}: {restart}");
            foreach (int pid in (await project.PidsAsync()).Values)
            {
                pids.Add(pid).ShouldBeTrue($"{pid} was not replaced in round {round}");
            }
        }

        (await load.StopAsync()).ShouldHaveNoFailure(atLeast: 2_000);
        pids.Count(Processes.IsAlive).ShouldBe(2);
        (await project.PsAsync()).ShouldAllBe(row => row.Restarts == 0);
    }

    [Fact]
    public async Task The_only_instance_is_restarted_without_a_failed_request()
    {
        await using var host = new TesseraHost();
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            services:
              web:
                command: {{App.Http("--start-delay 0.5")}}
                stop_grace_period: 1s
                ports: ["{{port}}:80"]
            """, "single");

        LoadReport report = await RestartUnderLoadAsync(project, port);

        // The new one takes over before the old one goes: nobody waits for the start delay.
        report.Percentile(0.99).ShouldBeLessThan(TimeSpan.FromSeconds(0.5), report.ToString());
    }

    [Fact]
    public async Task An_instance_on_a_fixed_port_is_stopped_first_and_its_requests_wait()
    {
        await using var host = new TesseraHost();
        int port = FreePorts.Next();
        int own = FreePorts.Next();
        string command = App.Http("--start-delay 0.5").Replace(
            "$$PORT", own.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal);
        await using ComposeProject project = host.Project($$"""
            services:
              web:
                command: {{command}}
                x-tessera: { port: {{own}} }
                stop_grace_period: 1s
                ports: ["{{port}}:80"]
            """, "fixed");

        LoadReport report = await RestartUnderLoadAsync(project, port);

        report.Slowest.ShouldBeGreaterThan(TimeSpan.FromSeconds(0.45), report.ToString());
    }

    [Fact]
    public async Task Requests_in_flight_are_finished_before_the_signal()
    {
        await using var host = new TesseraHost();
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            services:
              web:
                command: {{App.Http("--answer-delay 1.2")}}
                scale: 2
                ports: ["{{port}}:80"]
            """);
        await project.UpAsync();

        Task<HttpAnswer>[] slow = [.. Enumerable.Range(0, 6).Select(_ => RawHttp.GetAsync(port))];
        await Task.Delay(300);
        (await project.RunAsync("restart")).ShouldSucceed();

        foreach (HttpAnswer answer in await Task.WhenAll(slow))
        {
            answer.Status.ShouldBe(200);
        }
    }

    [Fact]
    public async Task A_changed_variable_rolls_only_that_service_without_a_failed_request()
    {
        await using var host = new TesseraHost();
        int port = FreePorts.Next();
        string Yaml(string version) => $$"""
            services:
              web:
                command: {{App.Http()}}
                environment: { VERSION: "{{version}}" }
                scale: 3
                ports: ["{{port}}:80"]
              other:
                command: sleep 1000
                stop_grace_period: 0s
            """;
        await using ComposeProject project = host.Project(Yaml("one"), "changed");
        await project.UpAsync();
        Dictionary<string, int> before = await project.PidsAsync();
        (await project.UpAsync()).Errors.ShouldNotContain("Recreat");
        (await project.PidsAsync()).ShouldBe(before, ignoreOrder: true);

        await using LoadClient load = LoadClient.Start(port, new LoadOptions(PauseMs: 20));
        await load.UntilMoreAnswersAsync(200);
        project.Write(Yaml("two"));
        await project.UpAsync();
        await load.UntilMoreAnswersAsync(200);
        LoadReport report = (await load.StopAsync()).ShouldHaveNoFailure(atLeast: 400);

        Dictionary<string, int> after = await project.PidsAsync();
        after["changed-other-1"].ShouldBe(before["changed-other-1"]);
        for (int number = 1; number <= 3; number++)
        {
            after[$"changed-web-{number}"].ShouldNotBe(before[$"changed-web-{number}"]);
        }

        report.ByInstance.Count.ShouldBe(6, report.ToString());
        (await RawHttp.GetAsync(port)).Text.ShouldContain("Version: two");
    }

    [Fact]
    public async Task A_new_version_that_never_gets_ready_leaves_the_old_one_serving()
    {
        await using var host = new TesseraHost();
        int port = FreePorts.Next();
        string Yaml(string command, string version) => $$"""
            services:
              web:
                command: {{command}}
                environment: { VERSION: "{{version}}" }
                x-tessera: { start_timeout: 2s }
                stop_grace_period: 200ms
                scale: 2
                ports: ["{{port}}:80"]
            """;
        await using ComposeProject project = host.Project(Yaml(App.Http(), "good"), "broken");
        await project.UpAsync();
        Dictionary<string, int> before = await project.PidsAsync();
        await using LoadClient load = LoadClient.Start(port, new LoadOptions(10, PauseMs: 10));

        project.Write(Yaml(App.Http("--start-delay 60"), "never ready"));
        CommandResult up = await project.RunAsync("up", "-d");
        up.ShouldExitWith(1);
        up.Errors.ShouldContain("broken-web-1");
        project.Write(Yaml("sh -c 'echo no such module >&2; exit 7'", "ends at once"));
        up = await project.RunAsync("up", "-d");
        up.ShouldExitWith(1);
        up.Errors.ShouldContain("no such module");
        await load.UntilMoreAnswersAsync(100);

        (await load.StopAsync()).ShouldHaveNoFailure();
        (await project.PidsAsync()).ShouldBe(before, ignoreOrder: true);
        (await RawHttp.GetAsync(port)).Text.ShouldContain("Version: good");
    }

    private static async Task<LoadReport> RestartUnderLoadAsync(ComposeProject project, int port)
    {
        await project.UpAsync();
        int before = (await project.PsOneAsync("web")).Pid;
        await using LoadClient load =
            LoadClient.Start(port, new LoadOptions(Connections: 20, PauseMs: 10));
        await load.UntilMoreAnswersAsync(200);

        CommandResult restart = (await project.RunAsync("restart", "web")).ShouldSucceed();
        await load.UntilMoreAnswersAsync(200);

        LoadReport report = (await load.StopAsync()).ShouldHaveNoFailure(atLeast: 400);
        (await project.PsOneAsync("web")).Pid.ShouldNotBe(before);
        report.Slowest.ShouldBeLessThan(
            restart.Elapsed + TimeSpan.FromMilliseconds(250), $"{restart}\n{report}");
        return report;
    }
}
