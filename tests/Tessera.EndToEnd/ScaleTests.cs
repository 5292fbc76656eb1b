using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd;

/// <summary>More and fewer instances while requests keep coming.</summary>
public sealed class ScaleTests
{
    [Fact]
    public async Task One_to_five_to_two_under_load_fails_no_request_and_survivors_keep_their_pids()
    {
        await using var host = new TesseraHost();
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            services:
              web:
                command: {{App.Whoami}}
                ports: ["{{port}}:80"]
            """, "scaled");
        await project.UpAsync();
        int first = (await project.PsOneAsync("web")).Pid;
        await using LoadClient load = LoadClient.Start(port);
        await load.UntilMoreAnswersAsync(200);

        (await project.RunAsync("scale", "web=5")).ShouldSucceed();
        IReadOnlyList<InstanceRow> five = await project.UntilPsAsync(
            "five instances are active", rows => rows.Count(row => row.IsActive) == 5);
        await load.UntilMoreAnswersAsync(500);
        (await project.RunAsync("scale", "web=2")).ShouldSucceed();
        await load.UntilMoreAnswersAsync(500);

        LoadReport report = (await load.StopAsync()).ShouldHaveNoFailure(atLeast: 1_200);
        report.ByInstance.Count.ShouldBe(5, report.ToString());
        five[0].Pid.ShouldBe(first);
        IReadOnlyList<InstanceRow> two = await project.PsAsync();
        two.Select(row => row.Name).ShouldBe(["scaled-web-1", "scaled-web-2"]);
        two.Select(row => row.Pid).ShouldBe(five.Take(2).Select(row => row.Pid));
        five.Skip(2).ShouldAllBe(row => !Processes.IsAlive(row.Pid));
    }

    [Fact]
    public async Task Up_scale_overrides_the_file_and_up_alone_returns_to_it()
    {
        await using var host = new TesseraHost();
        await using ComposeProject project = host.Project("""
            services:
              worker:
                command: sleep 1000
                stop_grace_period: 0s
                deploy: { replicas: 2 }
            """, "replicas");
        await project.UpAsync();
        Dictionary<string, int> two = await project.PidsAsync();
        two.Count.ShouldBe(2);

        await project.UpAsync("--scale", "worker=4");
        Dictionary<string, int> four = await project.PidsAsync();
        four.Count.ShouldBe(4);
        await project.UpAsync();

        Dictionary<string, int> again = await project.PidsAsync();
        again.ShouldBe(two, ignoreOrder: true);
        four["replicas-worker-1"].ShouldBe(two["replicas-worker-1"]);
    }

    [Fact]
    public async Task A_service_on_a_fixed_port_cannot_be_scaled()
    {
        await using var host = new TesseraHost();
        await using ComposeProject project = host.Project($$"""
            services:
              web:
                command: sleep 1000
                x-tessera: { port: {{FreePorts.Next()}} }
                scale: 2
            """);

        CommandResult up = await project.RunAsync("up", "-d");

        up.ShouldExitWith(2);
        up.Errors.ShouldContain("port");
    }
}
