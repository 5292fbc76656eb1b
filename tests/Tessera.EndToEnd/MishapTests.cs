using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd;

/// <summary>What goes wrong around Tessera is said, and leaves nothing behind.</summary>
public sealed class MishapTests
{
    [Fact]
    public async Task A_project_whose_state_cannot_be_read_is_named_and_can_be_taken_up_again()
    {
        await using var host = new TesseraHost();
        await using ComposeProject project = host.Project(
            "services: { worker: { command: sleep 1000, stop_grace_period: 0s } }", "lost");
        await using ComposeProject other = host.Project(
            "services: { worker: { command: sleep 1000, stop_grace_period: 0s } }", "found");
        await project.UpAsync();
        await other.UpAsync();
        int pid = (await project.PsOneAsync("worker")).Pid;
        await host.KillDaemonAsync();
        string state = Path.Combine(host.Home, "projects/lost/project.json");
        await File.WriteAllTextAsync(state, "{garbage");

        (await other.RunAsync("ps")).ShouldSucceed().Errors.ShouldContain(state);
        (await project.RunAsync("ps")).ShouldExitWith(1).Errors.ShouldContain(state);
        (await project.RunAsync("stop")).ShouldExitWith(1).Errors.ShouldContain(state);
        (await host.RunAsync("daemon", "status")).Errors.ShouldContain(state);

        await project.UpAsync();
        (await project.PsOneAsync("worker")).Pid.ShouldBe(pid);
        (await other.RunAsync("ps")).ShouldSucceed().Errors.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_daemon_whose_folder_was_deleted_makes_it_again()
    {
        await using var host = new TesseraHost();
        await using ComposeProject project = host.Project("""
            services:
              worker: { command: sleep 1000, stop_grace_period: 0s, restart: always }
            """, "deleted");
        await project.UpAsync();
        int pid = (await project.PsOneAsync("worker")).Pid;
        int daemon = host.DaemonPid.ShouldNotBeNull();
        Directory.Delete(host.Home, recursive: true);

        await project.UntilPsAsync("the daemon answers again", rows => rows is [{ } row]
            && row.Pid == pid);
        host.DaemonPid.ShouldBe(daemon);
        await host.KillDaemonAsync();
        (await project.PsOneAsync("worker")).Pid.ShouldBe(pid);
    }

    [Fact]
    public async Task Logs_f_goes_on_with_the_next_daemon()
    {
        await using var host = new TesseraHost();
        await using ComposeProject project = host.Project("""
            services:
              worker:
                command: sh -c 'i=0; while :; do i=$$((i+1)); echo line $$i; sleep 0.01; done'
                stop_grace_period: 0s
            """, "followed");
        await project.UpAsync();
        await using RunningCommand logs = project.Start("logs", "-f", "--no-log-prefix");
        await logs.UntilOutputAsync("line 50\n");

        await host.KillDaemonAsync();
        await logs.UntilOutputAsync("line 300\n");
        await host.KillDaemonAsync();
        await logs.UntilOutputAsync("line 600\n");

        string[] lines = logs.Output.Split('\n')[..600];
        lines.ShouldBe(Enumerable.Range(1, 600).Select(
            i => string.Create(CultureInfo.InvariantCulture, $"line {i}")));
        logs.Errors.ShouldContain("the daemon died");
        await logs.SignalAsync("INT");
        (await logs.WaitAsync()).ShouldExitWith(130);
    }

    [Fact]
    public async Task A_down_that_was_cut_short_is_completed_by_the_next_one()
    {
        await using var host = new TesseraHost();
        ComposeProject project = host.Project("""
            services:
              quick: { command: sleep 1000, stop_grace_period: 0s }
              slow:
                command: sh -c 'trap "" TERM; while :; do sleep 0.1; done'
                stop_grace_period: 30s
                scale: 2
            """, "interrupted");
        await project.UpAsync();
        IReadOnlyList<int> pids = [.. (await project.PidsAsync()).Values];
        await using RunningCommand down = project.Start("down");
        await Eventually.HoldsAsync(
            "the quick one is gone", () => pids.Count(Processes.IsAlive) == 2);
        await host.KillDaemonAsync();
        (await down.WaitAsync()).ShouldExitWith(1);

        (await project.RunAsync("down", "--timeout", "1")).ShouldSucceed();

        pids.ShouldAllBe(pid => !Processes.IsAlive(pid));
        host.StateFiles().ShouldNotContain(path => path.StartsWith("projects/"));
    }

    [Fact]
    public async Task Up_d_of_a_crash_loop_warns_and_of_one_service_says_nothing_of_others()
    {
        await using var host = new TesseraHost();
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            services:
              broken:
                command: sh -c 'echo boom; exit 3'
                restart: always
                ports: ["{{port}}:80"]
              fine: { command: sleep 1000, stop_grace_period: 0s }
            """, "loop");

        (await project.RunAsync("up", "-d")).ShouldSucceed().Errors.ShouldContain(
            "tessera: warning: loop-broken-1 ends again and again (exit 3: boom)");

        CommandResult up = (await project.RunAsync("up", "-d", "fine")).ShouldSucceed();
        up.Errors.ShouldContain("loop-fine-1");
        up.Errors.ShouldNotContain("broken");
    }

    [Fact]
    public async Task A_dry_run_says_that_a_port_is_taken()
    {
        await using var host = new TesseraHost();
        using var taken = new TcpListener(IPAddress.Any, FreePorts.Next());
        taken.Start();
        int port = ((IPEndPoint)taken.LocalEndpoint).Port;
        ComposeProject project = host.Project($$"""
            services: { web: { command: sleep 1000, ports: ["{{port}}:80"] } }
            """, "taken");

        (await project.RunAsync("up", "--dry-run")).ShouldSucceed().Errors.ShouldContain(
            $"cannot listen on 0.0.0.0:{port}");
        taken.Stop();
        (await project.RunAsync("up", "--dry-run")).ShouldSucceed()
            .Errors.ShouldNotContain("cannot listen");
    }
}
