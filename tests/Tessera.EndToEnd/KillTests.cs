using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd;

/// <summary>Instances that die while they serve.</summary>
public sealed class KillTests
{
    [Fact]
    public async Task Kill_9_under_load_fails_no_request_and_the_replacement_serves_once_ready()
    {
        await using var host = new TesseraHost();
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            services:
              web:
                command: {{App.Http("--answer-delay 0.005")}}
                scale: 3
                restart: always
                ports: ["{{port}}:80"]
              clock:
                command: sleep 1000
                stop_grace_period: 0s
            """, "killed");
        await project.UpAsync();
        await using EventLog events = await EventLog.FollowAsync(
            project, () => project.RunAsync("restart", "clock"));
        await using LoadClient load = LoadClient.Start(port, new LoadOptions(PauseMs: 20));
        await load.UntilMoreAnswersAsync(500);

        InstanceRow victim = (await project.PsAsync("web"))[0];
        DateTimeOffset killed = DateTimeOffset.UtcNow;
        await Processes.SignalAsync(victim.Pid, "KILL");
        LifeEvent ready = await events.UntilAsync("ready", killed, "web");
        await load.UntilMoreAnswersAsync(1_000);
        InstanceRow replacement = (await project.PsAsync("web"))[0];
        LoadReport report = (await load.StopAsync()).ShouldHaveNoFailure(atLeast: 1_500);

        replacement.Name.ShouldBe(victim.Name);
        replacement.Pid.ShouldNotBe(victim.Pid);
        replacement.Restarts.ShouldBe(1);
        replacement.IsActive.ShouldBeTrue(replacement.Json);
        DateTimeOffset served = report.Samples
            .First(sample => sample.Instance == $"{replacement.Pid}").Ended;
        (served - ready.Time).ShouldBeLessThan(TimeSpan.FromMilliseconds(100));
        report.Samples.ShouldNotContain(sample =>
            sample.Instance == $"{victim.Pid}" && sample.Began > killed.AddMilliseconds(50));
    }

    [Fact]
    public async Task Killing_every_instance_in_turn_fails_no_request()
    {
        await using var host = new TesseraHost();
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            services:
              web:
                command: {{App.Whoami}}
                scale: 3
                restart: always
                ports: ["{{port}}:80"]
            """);
        await project.UpAsync();
        await using LoadClient load = LoadClient.Start(port);

        for (int round = 0; round < 3; round++)
        {
            InstanceRow victim = (await project.PsAsync())[round];
            await Processes.SignalAsync(victim.Pid, "KILL");
            await project.UntilPsAsync(
                $"{victim.Name} is back",
                rows => rows.All(row => row.IsActive && row.Pid != victim.Pid));
            await load.UntilMoreAnswersAsync(300);
        }

        LoadReport report = (await load.StopAsync()).ShouldHaveNoFailure(atLeast: 900);
        report.ByInstance.Count.ShouldBe(3, report.ToString());
        (await project.PsAsync()).ShouldAllBe(row => row.Restarts == 1);
    }

    [Fact]
    public async Task Killing_the_only_instance_holds_requests_until_it_is_back()
    {
        await using var host = new TesseraHost();
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            services:
              web:
                command: {{App.Http("--start-delay 0.4")}}
                restart: always
                ports: ["{{port}}:80"]
            """);
        await project.UpAsync();
        InstanceRow victim = await project.PsOneAsync("web");
        await using LoadClient load =
            LoadClient.Start(port, new LoadOptions(Connections: 20, PauseMs: 10));
        await load.UntilMoreAnswersAsync(200);

        await Processes.SignalAsync(victim.Pid, "KILL");
        await load.UntilMoreAnswersAsync(500);

        LoadReport report = (await load.StopAsync()).ShouldHaveNoFailure(atLeast: 500);
        report.Slowest.ShouldBeGreaterThan(TimeSpan.FromSeconds(0.3), report.ToString());
        report.Slowest.ShouldBeLessThan(TimeSpan.FromSeconds(5), report.ToString());
    }

    [Fact]
    public async Task Post_that_may_have_been_acted_on_is_not_repeated()
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

        using RawHttp http = await RawHttp.ConnectAsync(port);
        await http.SendAsync(
            "POST /exit HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi");
        (await http.ReadAnswerAsync()).Status.ShouldBe(502);

        IReadOnlyList<InstanceRow> rows = await project.UntilPsAsync(
            "both serve again", rows => rows.All(row => row.IsActive));
        rows.Sum(row => row.Restarts).ShouldBe(1);
    }
}
