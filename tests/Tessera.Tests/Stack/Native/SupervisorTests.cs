using System.Collections.Concurrent;
using System.Collections.Immutable;
using Shouldly;
using Tessera.Linux.Processes;
using Tessera.Stack;
using Tessera.Stack.Discovery;
using Tessera.Stack.Engines;
using Tessera.Stack.Planning;
using Xunit;

namespace Tessera.Tests.Stack.Native;

public class SupervisorTests
{
    private static readonly RestartPolicy Always = new(RestartCondition.Always);

    [Fact]
    public async Task Restarts_at_once_as_a_new_instance_in_the_same_slot()
    {
        await using var harness = new NativeEngineHarness();
        await harness.StartAsync(harness.Shell("exec sleep 100") with { Restart = Always });
        Instance first = harness.Newest()!;

        Kill(first.Pid!.Value);
        Instance second = await harness.WaitAsync(
            instance => instance.Id != first.Id && instance.State == InstanceState.Running);

        second.Restarts.ShouldBe(1);
        second.Pid.ShouldNotBe(first.Pid);
        (second.StartedAt!.Value - first.StartedAt!.Value).ShouldBeLessThan(
            TimeSpan.FromSeconds(2));
        harness.Catalog.Current.Instances.Count.ShouldBe(1);
    }

    [Fact]
    public async Task The_catalog_knows_of_an_end_before_the_successor_starts()
    {
        await using var harness = new NativeEngineHarness();
        List<string> changes = [];
        harness.Catalog.Observe(change => changes.Add(
            $"{Describe(change.Before)} {Describe(change.After)}"));
        await harness.StartAsync(harness.Shell("exec sleep 100") with { Restart = Always });
        Instance first = harness.Newest()!;
        Kill(first.Pid!.Value);
        await harness.WaitAsync(
            instance => instance.Id != first.Id && instance.State == InstanceState.Running);

        changes.ShouldBe(
        [
            "- Pending", "Pending Running", "Running Died",
            "- Pending", "Died Exited", "Exited -", "Pending Running",
        ]);

        static string Describe(Instance? instance) => instance?.State.ToString() ?? "-";
    }

    [Fact]
    public async Task Waits_longer_after_each_failure_and_says_so()
    {
        await using var harness = new NativeEngineHarness();
        await harness.StartAsync(harness.Shell("exit 3") with { Restart = Always });

        Instance waiting = await harness.WaitAsync(
            instance => instance.State == InstanceState.Pending && instance.Restarts == 5);

        // 100 ms, doubled three times, 20 percent up or down.
        waiting.Reason.ShouldMatch(
            @"^restarting in (0\.[6-9]|1\.0) s after exit code 3 \(5 failures in a row\)$");
    }

    [Fact]
    public async Task Starts_the_back_off_anew_after_a_stable_run()
    {
        await using var harness = new NativeEngineHarness(
            options => options with { StableRun = TimeSpan.FromMilliseconds(100) });
        await harness.StartAsync(harness.Shell("sleep .3; exit 1") with { Restart = Always });

        await harness.WaitAsync(instance => instance.Restarts == 3);

        harness.Log.ShouldAllBe(line => line == "demo-web-1: restarting after exit code 1");
        harness.Log.Count.ShouldBeInRange(2, 3);
    }

    [Fact]
    public async Task Gives_up_after_the_allowed_restarts_and_quotes_the_last_output()
    {
        await using var harness = new NativeEngineHarness();
        await harness.StartAsync(harness.Shell(
            "for i in 1 2 3 4 5 6; do echo line $i; done; echo cannot bind >&2; exit 3")
            with { Restart = new(RestartCondition.OnFailure, 2) });

        Instance failed = await harness.WaitAsync(InstanceState.Failed);

        failed.ExitCode.ShouldBe(3);
        failed.Restarts.ShouldBe(2);
        failed.Reason.ShouldBe(
            "FATAL: gave up after 3 failures in a row, the last with exit code 3; last output:\n"
            + "line 3\nline 4\nline 5\nline 6\ncannot bind");
    }

    [Theory]
    [InlineData(RestartCondition.OnFailure, "exit 0", 0)]
    [InlineData(RestartCondition.No, "exit 4", 4)]
    public async Task Leaves_an_end_alone_that_its_policy_does_not_restart(
        RestartCondition condition, string script, int exitCode)
    {
        await using var harness = new NativeEngineHarness();
        await harness.StartAsync(harness.Shell(script) with { Restart = new(condition) });

        Instance ended = await harness.WaitAsync(InstanceState.Exited);

        ended.ExitCode.ShouldBe(exitCode);
        ended.Restarts.ShouldBe(0);
        ended.Reason.ShouldBe(exitCode == 0 ? "" : "exit code 4");
    }

    [Fact]
    public async Task Reads_the_policy_anew_at_each_end()
    {
        await using var harness = new NativeEngineHarness();
        Service service = harness.Shell("exec sleep 100");
        await harness.StartAsync(service);
        await harness.Engine.ExecuteAsync(
            new DefineService("demo", service with { Restart = Always }, "test"),
            TestContext.Current.CancellationToken);

        Kill(harness.Newest()!.Pid!.Value);

        await harness.WaitAsync(
            instance => instance is { Restarts: 1, State: InstanceState.Running });
    }

    [Fact]
    public async Task A_stop_ends_the_wait_for_a_restart()
    {
        await using var harness = new NativeEngineHarness(
            options => options with
            {
                RestartDelay = TimeSpan.FromSeconds(100),
                MaxRestartDelay = TimeSpan.FromSeconds(100),
            });
        await harness.StartAsync(harness.Shell("exit 3") with { Restart = Always });
        await harness.WaitAsync(
            instance => instance is { Restarts: 2, State: InstanceState.Pending });

        await harness.StopAsync();

        harness.Newest()!.State.ShouldBe(InstanceState.Exited);
        await harness.StartAsync(harness.Shell("exec sleep 100"));
        harness.Newest()!.State.ShouldBe(InstanceState.Running);
    }

    [Fact]
    public async Task Kills_what_an_instance_left_before_it_is_restarted()
    {
        await using var harness = new NativeEngineHarness();
        await harness.StartAsync(
            harness.Shell("sleep 8001 & echo $!; exec sleep 8002") with { Restart = Always });
        int child = int.Parse((await harness.WaitForLineAsync(_ => true))[0]);
        bool wasThere = true;
        harness.Catalog.Observe(change =>
        {
            if (change.After is { State: InstanceState.Running, Restarts: 1 })
            {
                wasThere = ProcessTable.TryRead(child, out ProcessEntry entry) && !entry.IsEnded;
            }
        });
        Kill(harness.Newest()!.Pid!.Value);
        await harness.WaitAsync(
            instance => instance is { Restarts: 1, State: InstanceState.Running });

        wasThere.ShouldBeFalse();
        harness.Log.ShouldContain("demo-web-1: killed 1 process that it left behind");
    }

    [Fact]
    public async Task Start_leaves_a_living_slot_alone()
    {
        await using var harness = new NativeEngineHarness();
        Service service = harness.Shell("exec sleep 100");
        await harness.StartAsync(service);
        Instance first = harness.Newest()!;

        await harness.StartAsync(service);

        harness.Newest()!.ShouldBe(first);
    }

    [Fact]
    public async Task Signal_reaches_the_group_without_more()
    {
        await using var harness = new NativeEngineHarness();
        await harness.StartAsync(
            harness.Shell("trap 'echo reloaded' HUP; echo up; while :; do sleep .02; done"));
        await harness.WaitForLineAsync(line => line == "up");

        await harness.Engine.ExecuteAsync(
            new SignalInstance(NativeEngineHarness.Slot(), "SIGHUP", "test"),
            TestContext.Current.CancellationToken);

        await harness.WaitForLineAsync(line => line == "reloaded");
        harness.Newest()!.State.ShouldBe(InstanceState.Running);
        (await Should.ThrowAsync<OperationFailedException>(harness.Engine.ExecuteAsync(
            new SignalInstance(NativeEngineHarness.Slot(2), "SIGHUP", "test"),
            TestContext.Current.CancellationToken)))
            .Message.ShouldBe("demo-web-2 is not running");
    }

    [Fact]
    public async Task A_cancelled_stop_still_drains()
    {
        await using var harness = new NativeEngineHarness();
        await harness.StartAsync(harness.Shell("exec sleep 100"));
        var answered = new TaskCompletionSource();
        harness.OnDrain = _ => answered.Task;
        bool wasCut = false;
        harness.Catalog.Observe(change => wasCut |=
            change.After?.State == InstanceState.Stopping && !answered.Task.IsCompleted);
        using var cancelled = new CancellationTokenSource();
        Task stopping = harness.Engine.ExecuteAsync(
            new StopInstance(NativeEngineHarness.Slot(), "test"), cancelled.Token);
        await harness.WaitAsync(InstanceState.Draining);

        await cancelled.CancelAsync();
        await Task.Delay(100, TestContext.Current.CancellationToken);
        answered.SetResult();
        await stopping;

        wasCut.ShouldBeFalse();
        harness.Newest()!.State.ShouldBe(InstanceState.Exited);
    }

    [Fact]
    public async Task What_a_person_kills_stays_down()
    {
        await using var harness = new NativeEngineHarness();
        await harness.StartAsync(harness.Shell("exec sleep 100") with { Restart = Always });

        await KillByCommandAsync(harness);

        (await harness.WaitAsync(InstanceState.Exited)).Reason.ShouldBe("killed by a command");
    }

    [Fact]
    public async Task A_kill_that_met_no_process_does_not_end_a_later_one()
    {
        await using var harness = new NativeEngineHarness(
            options => options with { RestartDelay = TimeSpan.FromSeconds(1) });
        await harness.StartAsync(
            harness.Shell("[ -f go ] && exec sleep 100; exit 3") with { Restart = Always });
        await harness.WaitAsync(now => now is { Restarts: 2, State: InstanceState.Pending });

        (await Should.ThrowAsync<OperationFailedException>(KillByCommandAsync(harness)))
            .Message.ShouldBe("demo-web-1 is not running");
        await File.WriteAllTextAsync(
            Path.Combine(harness.Folder, "go"), "", TestContext.Current.CancellationToken);
        Kill((await harness.WaitAsync(InstanceState.Running)).Pid!.Value);

        await harness.WaitAsync(now => now is { Restarts: 3, State: InstanceState.Running });
    }

    private static Task KillByCommandAsync(NativeEngineHarness harness) =>
        harness.Engine.ExecuteAsync(
            new SignalInstance(NativeEngineHarness.Slot(), "SIGKILL", "test"),
            TestContext.Current.CancellationToken);

    [Fact]
    public async Task Refuses_operations_that_are_not_an_engines()
    {
        await using var harness = new NativeEngineHarness();
        await Should.ThrowAsync<InvalidOperationException>(harness.Engine.ExecuteAsync(
            new AwaitService(
                "demo", harness.Shell("true"), DependencyCondition.ServiceStarted, "test"),
            TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Observe_does_not_show_a_dead_process_as_running()
    {
        await using var harness = new NativeEngineHarness();
        await harness.StartAsync(harness.Shell("exec sleep 100"));
        Kill(harness.Newest()!.Pid!.Value);

        ImmutableArray<Instance> observed = await harness.Engine.ObserveAsync(
            "demo", TestContext.Current.CancellationToken);

        (observed.Single().State >= InstanceState.Stopping).ShouldBeTrue();
    }

    [Fact]
    public async Task An_end_that_nobody_asked_for_is_no_stop()
    {
        await using var harness = new NativeEngineHarness();
        var states = new ConcurrentQueue<InstanceState>();
        await harness.StartAsync(harness.Shell("exec sleep 100"));
        Instance first = harness.Newest()!;
        harness.Catalog.Observe(change =>
        {
            if (change.After is Instance after && after.Id == first.Id)
            {
                states.Enqueue(after.State);
            }
        });

        Kill(first.Pid!.Value);

        await harness.WaitAsync(InstanceState.Exited);
        states.Distinct().ShouldBe([InstanceState.Died, InstanceState.Exited]);
    }

    [Fact]
    public async Task Says_how_many_requests_a_stop_has_cut()
    {
        await using var harness = new NativeEngineHarness();
        harness.LeftInFlight = 3;
        await harness.StartAsync(harness.Shell("exec sleep 100") with
        {
            Options = new ServiceOptions { DrainTimeout = TimeSpan.FromSeconds(2) },
        });

        await harness.StopAsync();

        const string cut = "3 requests cut: still in flight 2 s after it was unrouted";
        harness.Newest()!.Reason.ShouldBe(cut);
        harness.Log.ShouldContain($"demo-web-1: {cut}");
    }

    [Fact]
    public async Task A_project_that_is_forgotten_leaves_no_environment()
    {
        await using var harness = new NativeEngineHarness();
        harness.Engine.Forget(NativeEngineHarness.ProjectName);
        await harness.StartAsync(harness.Shell("/usr/bin/env; exec /bin/sleep 100"));
        List<string> lines = await harness.WaitForLineAsync(
            line => line.StartsWith("TESSERA_INSTANCE=", StringComparison.Ordinal));
        lines.ShouldNotContain("HOME=/root");
    }

    /// <summary>Returns when the process has ended, whether anyone has noticed or not.</summary>
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
