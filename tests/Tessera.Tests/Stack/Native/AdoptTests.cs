using System.Collections.Immutable;
using System.Globalization;
using System.Text.RegularExpressions;
using Shouldly;
using Tessera.Linux.Processes;
using Tessera.Stack;
using Tessera.Stack.Discovery;
using Xunit;

namespace Tessera.Tests.Stack.Native;

public class AdoptTests
{
    private static readonly RestartPolicy Always = new(RestartCondition.Always);

    private static readonly ImmutableArray<string> Server =
    [
        "python3", "-u", "-c",
        """
        import socket, sys
        s = socket.create_server(('127.0.0.1', int(sys.argv[1])))
        while True:
            c, _ = s.accept()
            c.close()
        """,
        "$PORT",
    ];

    [Fact]
    public async Task Living_instances_keep_their_pids_and_lose_no_line()
    {
        await using var harness = new NativeEngineHarness();
        Service service = harness.Shell("i=0; while :; do i=$((i+1)); echo line $i; done")
            with { Restart = Always };
        await harness.StartAsync(service);
        Instance before = harness.Newest()!;
        await harness.WaitForLineAsync(line => line == "line 1000");

        await harness.Engine.ReleaseAsync();
        await Task.Delay(100, TestContext.Current.CancellationToken);
        await harness.StartDaemonAsync(service);

        Instance after = harness.Newest()!;
        after.Id.ShouldBe(before.Id);
        after.Pid.ShouldBe(before.Pid);
        after.State.ShouldBe(InstanceState.Running);
        int last = int.Parse(
            (await harness.ReadLogAsync(tail: 1))[0].AsSpan(5), CultureInfo.InvariantCulture);
        await harness.WaitForLineAsync(line => line == $"line {last + 50_000}");
        await harness.StopAsync();
        List<string> lines = await harness.ReadLogAsync();
        lines.ShouldBe(Enumerable.Range(1, lines.Count).Select(i => $"line {i}"));
    }

    [Fact]
    public async Task An_instance_that_was_ready_is_ready_at_once_with_its_address()
    {
        await using var harness = new NativeEngineHarness();
        Service service = harness.Command(Server) with { TargetPorts = [80], Restart = Always };
        await harness.StartAsync(service);
        Instance before = await harness.WaitAsync(InstanceState.Running);

        await harness.RestartDaemonAsync(service);

        Instance after = harness.Newest()!;
        after.IsReady.ShouldBeTrue();
        after.Addresses.ShouldBe(before.Addresses);
        after.StartedAt.ShouldBe(before.StartedAt);

        // Its port is still taken: another instance gets another one.
        await harness.StartAsync(service, 2);
        (await harness.WaitAsync(InstanceState.Running, 2)).Addresses[80].ShouldNotBe(
            after.Addresses[80]);
    }

    [Fact]
    public async Task An_adopted_instance_is_supervised_stopped_and_counted_on()
    {
        await using var harness = new NativeEngineHarness();
        Service service = harness.Shell("exec sleep 100") with { Restart = Always };
        await harness.StartAsync(service);
        Kill(harness.Newest()!.Pid!.Value);
        await harness.WaitAsync(now => now is { Restarts: 1, State: InstanceState.Running });

        await harness.RestartDaemonAsync(service);
        Kill(harness.Newest()!.Pid!.Value);

        await harness.WaitAsync(now => now is { Restarts: 2, State: InstanceState.Running });
        await harness.StopAsync();
        harness.Newest()!.ExitCode.ShouldBe(143);
    }

    [Fact]
    public async Task An_instance_that_died_meanwhile_is_restarted_by_its_policy()
    {
        await using var harness = new NativeEngineHarness();
        Service service = harness.Shell("exec sleep 100") with { Restart = Always };
        await harness.StartAsync(service);
        Instance before = harness.Newest()!;
        await harness.Engine.ReleaseAsync();
        Kill(before.Pid!.Value);

        await harness.StartDaemonAsync(service);

        Instance after = await harness.WaitAsync(
            now => now is { Restarts: 1, State: InstanceState.Running });
        after.Id.ShouldNotBe(before.Id);
    }

    [Fact]
    public async Task An_instance_that_died_meanwhile_without_a_policy_has_an_unknown_exit_code()
    {
        await using var harness = new NativeEngineHarness();
        Service service = harness.Shell("exec sleep 100");
        await harness.StartAsync(service);
        Instance before = harness.Newest()!;
        await harness.Engine.ReleaseAsync();
        Kill(before.Pid!.Value);

        await harness.StartDaemonAsync(service);

        Instance after = await harness.WaitAsync(InstanceState.Exited);
        after.ExitCode.ShouldBeNull();
        after.Reason.ShouldBe("exit code unknown: ended while no daemon was its parent");
    }

    [Fact]
    public async Task A_stopped_slot_stays_stopped_and_an_ended_one_ended()
    {
        await using var harness = new NativeEngineHarness();
        Service service = harness.Shell("exec sleep 100") with
        {
            Restart = new RestartPolicy(RestartCondition.UnlessStopped),
        };
        await harness.StartAsync(service, 1);
        await harness.StopAsync(1);
        Service job = harness.Shell("exit 6", "job");
        await harness.StartAsync(job);
        Instance ended = await harness.WaitAsync(
            now => now.State == InstanceState.Exited, 1, "job");

        await harness.RestartDaemonAsync(service, job);

        harness.Newest(1)!.State.ShouldBe(InstanceState.Exited);
        harness.Newest(1)!.ExitCode.ShouldBe(143);
        Instance shown = harness.Catalog.Current.Instances[ended.Id];
        shown.State.ShouldBe(InstanceState.Exited);
        shown.ExitCode.ShouldBe(6);
        shown.Reason.ShouldBe("exit code 6");
        shown.ExitedAt.ShouldBe(ended.ExitedAt);
    }

    [Fact]
    public async Task What_restarts_always_starts_with_the_daemon_though_it_was_stopped()
    {
        await using var harness = new NativeEngineHarness();
        Service service = harness.Shell("exec sleep 100") with { Restart = Always };
        await harness.StartAsync(service);
        await harness.StopAsync();

        await harness.RestartDaemonAsync(service);

        (await harness.WaitAsync(InstanceState.Running)).Restarts.ShouldBe(0);

        // The newest definition decides.
        await harness.StopAsync();
        await harness.RestartDaemonAsync(service with { Restart = new(RestartCondition.No) });
        harness.Newest()!.State.ShouldBe(InstanceState.Exited);
    }

    [Fact]
    public async Task A_stop_that_was_under_way_is_finished_and_not_undone()
    {
        await using var harness = new NativeEngineHarness();
        Service service = harness.Shell("exec sleep 100") with { Restart = Always };
        await harness.StartAsync(service);
        Instance before = harness.Newest()!;
        await harness.Engine.ReleaseAsync();
        Kill(before.Pid!.Value);
        string record = Path.Combine(harness.StateFolder, "demo/instances/web-1/slot.json");
        string text = await File.ReadAllTextAsync(record, TestContext.Current.CancellationToken);
        text.ShouldContain("\"Desired\": \"Running\"");
        await File.WriteAllTextAsync(
            record, text.Replace("\"Running\"", "\"Stopped\""),
            TestContext.Current.CancellationToken);

        await harness.StartDaemonAsync(service);

        (await harness.WaitAsync(InstanceState.Exited)).Id.ShouldBe(before.Id);
    }

    [Fact]
    public async Task A_process_whose_record_was_not_completed_is_found_by_its_mark()
    {
        await using var harness = new NativeEngineHarness();
        Service service = harness.Shell("sleep 101 & exec sleep 100");
        await harness.StartAsync(service);
        Instance before = harness.Newest()!;
        await harness.Engine.ReleaseAsync();
        string record = Path.Combine(
            harness.StateFolder, "demo/instances/web-1", before.Id + ".json");
        string text = await File.ReadAllTextAsync(record, TestContext.Current.CancellationToken);
        text = text.Replace("\"Phase\": \"Ready\"", "\"Phase\": \"Spawning\"");
        text = Regex.Replace(text, "\"Process\": \\{[^}]*\\}", "\"Process\": null");
        await File.WriteAllTextAsync(record, text, TestContext.Current.CancellationToken);

        await harness.StartDaemonAsync(service);

        harness.Newest()!.Pid.ShouldBe(before.Pid);
        await harness.StopAsync();
        Directory.Exists($"/proc/{before.Pid}").ShouldBeFalse();
    }

    [Fact]
    public async Task An_instance_that_was_not_spawned_yet_is_started()
    {
        await using var harness = new NativeEngineHarness();
        Service service = harness.Shell("exec sleep 100");
        await harness.StartAsync(service);
        Instance before = harness.Newest()!;
        await harness.Engine.ReleaseAsync();
        Kill(before.Pid!.Value);
        string record = Path.Combine(
            harness.StateFolder, "demo/instances/web-1", before.Id + ".json");
        string text = await File.ReadAllTextAsync(record, TestContext.Current.CancellationToken);
        text = text.Replace("\"Phase\": \"Ready\"", "\"Phase\": \"Spawning\"");
        text = Regex.Replace(text, "\"Process\": \\{[^}]*\\}", "\"Process\": null");
        await File.WriteAllTextAsync(record, text, TestContext.Current.CancellationToken);

        await harness.StartDaemonAsync(service);

        Instance after = await harness.WaitAsync(InstanceState.Running);
        after.Id.ShouldBe(before.Id);
        after.Pid.ShouldNotBe(before.Pid);
    }

    [Fact]
    public async Task An_unhealthy_instance_stays_unhealthy_until_it_is_checked()
    {
        await using var harness = new NativeEngineHarness();
        Service service = harness.Shell("exec sleep 100") with
        {
            Healthcheck = new Healthcheck
            {
                Test = ["test ! -f sick"],
                UsesShell = true,
                Interval = TimeSpan.FromMilliseconds(30),
                Timeout = TimeSpan.FromSeconds(5),
                Retries = 1,
            },
        };
        await harness.StartAsync(service);
        await harness.WaitAsync(now => now.IsReady);
        string sick = Path.Combine(harness.Folder, "sick");
        await File.WriteAllTextAsync(sick, "", TestContext.Current.CancellationToken);
        await harness.WaitAsync(now => now.Health == InstanceHealth.Unhealthy);

        await harness.RestartDaemonAsync(service with
        {
            Healthcheck = service.Healthcheck! with { Interval = TimeSpan.FromSeconds(1) },
        });

        harness.Newest()!.Health.ShouldBe(InstanceHealth.Unhealthy);
        harness.Newest()!.State.ShouldBe(InstanceState.Running);
        File.Delete(sick);
        await harness.WaitAsync(now => now.IsReady);
    }

    [Fact]
    public async Task Records_are_their_owners_only()
    {
        await using var harness = new NativeEngineHarness();
        await harness.StartAsync(harness.Shell("exec sleep 100"));

        string project = Path.Combine(harness.StateFolder, "demo");
        const UnixFileMode others = ~(
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Directory.EnumerateFileSystemEntries(project, "*", SearchOption.AllDirectories)
            .Append(project)
            .ShouldAllBe(path => (File.GetUnixFileMode(path) & others) == 0);
    }

    [Fact]
    public async Task Another_process_with_the_same_number_is_not_adopted()
    {
        await using var harness = new NativeEngineHarness();
        Service service = harness.Shell("exec sleep 100");
        await harness.StartAsync(service);
        Instance before = harness.Newest()!;
        await harness.Engine.ReleaseAsync();
        string record = Path.Combine(
            harness.StateFolder, "demo/instances/web-1", before.Id + ".json");
        string text = await File.ReadAllTextAsync(record, TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(
            record,
            Regex.Replace(text, "\"Pid\": \\d+", $"\"Pid\": {Environment.ProcessId}"),
            TestContext.Current.CancellationToken);

        await harness.StartDaemonAsync(service);

        // The process that the record forgot still carries the mark of the instance.
        (await harness.WaitAsync(InstanceState.Exited)).ExitCode.ShouldBeNull();
        await NativeEngineHarness.EventuallyAsync(
            () => !ProcessTable.TryRead(before.Pid!.Value, out ProcessEntry entry)
            || entry.IsEnded);
    }

    [Fact]
    public async Task A_daemon_that_died_in_the_middle_of_a_replacement_leaves_one_instance()
    {
        await using var harness = new NativeEngineHarness();
        Service one = harness.Command(Server.Add("one")) with { TargetPorts = [80] };
        await harness.StartAsync(one);
        Instance old = await harness.WaitAsync(InstanceState.Running);
        await harness.Engine.ReleaseAsync();

        // The new one is started by another daemon, and its records put beside those of the old
        // one.
        await using var other = new NativeEngineHarness();
        Service two = other.Shell("exec sleep 100")
            with { TargetPorts = [80], WorkingDirectory = "/" };
        await other.StartAsync(two);
        Instance next = other.Newest()!;
        await other.Engine.ReleaseAsync();
        foreach (string suffix in (string[])[".json", ".fifo"])
        {
            const string slot = "demo/instances/web-1";
            File.Move(
                Path.Combine(other.StateFolder, slot, next.Id + suffix),
                Path.Combine(harness.StateFolder, slot, next.Id + suffix));
        }

        await other.StartDaemonAsync();
        await harness.StartDaemonAsync(two);

        await harness.WaitAsync(now => now.Id == old.Id && now.IsReady);
        await NativeEngineHarness.EventuallyAsync(
            () => harness.Catalog.Current.Instances.Count == 1);
        ProcessTable.TryRead(next.Pid!.Value, out ProcessEntry entry).ShouldBe(entry.IsEnded);
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public async Task An_unreadable_record_leaves_no_process_to_nobody(
        bool slotIsBroken, bool recordIsBroken)
    {
        await using var harness = new NativeEngineHarness();
        Service service = harness.Shell("sleep 101 & exec sleep 100");
        await harness.StartAsync(service);
        Instance before = harness.Newest()!;
        await harness.Engine.ReleaseAsync();
        string folder = Path.Combine(harness.StateFolder, "demo/instances/web-1");
        if (slotIsBroken)
        {
            Write("slot.json", "{garbage");
        }

        if (recordIsBroken)
        {
            Write(before.Id + ".json", slotIsBroken ? "{}" : "{garbage");
        }

        ImmutableArray<string> troubles = await harness.StartDaemonAsync(service);

        Instance after = await harness.WaitAsync(InstanceState.Running);
        if (recordIsBroken)
        {
            troubles.ShouldHaveSingleItem().ShouldContain("demo-web-1");
            after.Id.ShouldNotBe(before.Id);
            ProcessTable.TryRead(before.Pid!.Value, out ProcessEntry entry)
                .ShouldBe(entry.IsEnded);
            File.Exists(Path.Combine(folder, before.Id + ".json")).ShouldBeFalse();
            harness.Log.ShouldContain(line => line.Contains("2 of its processes were killed"));
        }
        else
        {
            troubles.ShouldBeEmpty();
            after.Pid.ShouldBe(before.Pid);
        }

        await harness.StopAsync();
        harness.Newest()!.State.ShouldBe(InstanceState.Exited);

        void Write(string name, string text) =>
            File.WriteAllText(Path.Combine(folder, name), text);
    }

    [Fact]
    public async Task A_job_that_ended_is_not_run_again_for_its_unreadable_record()
    {
        await using var harness = new NativeEngineHarness();
        Service job = harness.Shell("echo ran");
        await harness.StartAsync(job);
        Instance before = await harness.WaitAsync(InstanceState.Exited);
        await harness.Engine.ReleaseAsync();
        File.WriteAllText(
            Path.Combine(
                harness.StateFolder, "demo/instances/web-1", before.Id + ".json"), "garbage");

        (await harness.StartDaemonAsync(job)).ShouldBeEmpty();

        harness.Newest().ShouldBeNull();
        (await harness.ReadLogAsync()).ShouldBe(["ran"]);
    }

    private static void Kill(int pid)
    {
        ProcessHandle.TryOpen(pid, out ProcessHandle? handle);
        using (handle)
        {
            handle!.SendSignal(Signals.Kill);
            SpinWait.SpinUntil(handle.HasExited, 5_000).ShouldBeTrue();
        }
    }
}
