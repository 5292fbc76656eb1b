using System.Net;
using System.Net.Sockets;
using Shouldly;
using Tessera.Linux.Processes;
using Tessera.Stack;
using Tessera.Stack.Discovery;
using Tessera.Stack.Planning;
using Xunit;

namespace Tessera.Tests.Stack.Native;

public class HealthTests
{
    private static readonly Healthcheck Quick = new()
    {
        Test = ["true"],
        Interval = TimeSpan.FromMilliseconds(30),
        Timeout = TimeSpan.FromSeconds(5),
        Retries = 2,
    };

    [Fact]
    public async Task Becomes_ready_turns_unhealthy_and_recovers()
    {
        await using var harness = new NativeEngineHarness();
        string file = Path.Combine(harness.Folder, "healthy");
        await harness.StartAsync(harness.Shell("exec sleep 100") with
        {
            Healthcheck = Quick with
            {
                Test =
                [
                    "test -f healthy || { echo hm; echo no file in $TESSERA_INSTANCE; false; }",
                ],
                UsesShell = true,
            },
        });
        Instance starting = harness.Newest()!;
        starting.State.ShouldBe(InstanceState.Starting);
        starting.Health.ShouldBe(InstanceHealth.Starting);

        await File.WriteAllTextAsync(file, "", TestContext.Current.CancellationToken);
        Instance ready = await harness.WaitAsync(now => now.IsReady);
        ready.Health.ShouldBe(InstanceHealth.Healthy);

        File.Delete(file);
        Instance unhealthy = await harness.WaitAsync(now => now.Health == InstanceHealth.Unhealthy);
        unhealthy.State.ShouldBe(InstanceState.Running);
        unhealthy.Reason.ShouldBe("unhealthy: no file in demo-web-1 (exit code 1)");
        unhealthy.Pid.ShouldBe(starting.Pid);

        await File.WriteAllTextAsync(file, "", TestContext.Current.CancellationToken);
        Instance healed = await harness.WaitAsync(now => now.IsReady);
        healed.Reason.ShouldBe("");
    }

    [Fact]
    public async Task Fills_the_port_into_the_words_of_a_check()
    {
        await using var harness = new NativeEngineHarness();
        await harness.StartAsync(harness.Shell("exec sleep 100") with
        {
            TargetPorts = [80],
            Healthcheck = Quick with { Test = ["sh", "-c", "test $0 = $PORT_80", "${PORT}"] },
        });

        await harness.WaitAsync(now => now.IsReady);
    }

    [Fact]
    public async Task Kills_a_check_with_its_group_when_it_takes_too_long()
    {
        await using var harness = new NativeEngineHarness();
        await harness.StartAsync(harness.Shell("exec sleep 100") with
        {
            Healthcheck = Quick with
            {
                Test = ["echo $$ >> pids; sleep 77 & sleep 78"],
                UsesShell = true,
                Timeout = TimeSpan.FromMilliseconds(100),
                Retries = 1,
            },
        });

        Instance unhealthy = await harness.WaitAsync(now => now.Health == InstanceHealth.Unhealthy);

        unhealthy.Reason.ShouldBe("unhealthy: no answer within 0.1 s");
        int group = int.Parse(File.ReadLines(Path.Combine(harness.Folder, "pids")).First());
        ProcessTable.ReadAll().ShouldNotContain(entry => entry.Group == group);
    }

    [Fact]
    public async Task Survives_a_check_that_writes_much()
    {
        await using var harness = new NativeEngineHarness();
        await harness.StartAsync(harness.Shell("exec sleep 100") with
        {
            Healthcheck = Quick with
            {
                Test = ["head -c 3000000 /dev/zero | tr '\\0' x; echo; echo the end; exit 1"],
                UsesShell = true,
                Retries = 1,
            },
        });

        Instance unhealthy = await harness.WaitAsync(now => now.Health == InstanceHealth.Unhealthy);

        unhealthy.Reason.ShouldBe("unhealthy: the end (exit code 1)");
    }

    [Fact]
    public async Task Failures_within_the_start_period_do_not_count()
    {
        await using var harness = new NativeEngineHarness();
        await harness.StartAsync(harness.Shell("exec sleep 100") with
        {
            Healthcheck = Quick with
            {
                Test = ["echo x >> tries; test $(wc -l < tries) -ge 6"],
                UsesShell = true,
                StartPeriod = TimeSpan.FromSeconds(15),
                StartInterval = TimeSpan.FromMilliseconds(20),
                Interval = TimeSpan.FromSeconds(100),
                Retries = 1,
            },
        });
        bool wasUnhealthy = false;
        harness.Catalog.Observe(change =>
            wasUnhealthy |= change.After?.Health == InstanceHealth.Unhealthy);

        await harness.WaitAsync(now => now.IsReady);

        wasUnhealthy.ShouldBeFalse();
    }

    [Fact]
    public async Task Times_of_a_check_are_read_anew_for_each_round()
    {
        await using var harness = new NativeEngineHarness();
        Service service = harness.Shell("exec sleep 100") with
        {
            Healthcheck = Quick with { Test = ["false"], Retries = 1 },
        };
        await harness.StartAsync(service);
        await harness.WaitAsync(now => now.Health == InstanceHealth.Unhealthy);

        await harness.Engine.ExecuteAsync(
            new DefineService("demo", service with { Healthcheck = Quick }, "test"),
            TestContext.Current.CancellationToken);

        await harness.WaitAsync(now => now.IsReady);
    }

    [Fact]
    public async Task Is_not_ready_while_another_program_holds_its_port()
    {
        await using var harness = new NativeEngineHarness();
        using var other = new Socket(
            AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        string file = Path.Combine(harness.Folder, "go");
        await harness.StartAsync(harness.Shell("exec sleep 100") with { TargetPorts = [80] });
        Instance starting = harness.Newest()!;
        other.Bind(starting.Addresses[80]);
        other.Listen();

        Instance waiting = await harness.WaitAsync(now => now.Reason.Contains("held"));

        waiting.State.ShouldBe(InstanceState.Starting);
        waiting.Reason.ShouldBe($"port {starting.Addresses[80].Port} is held by another program");
    }
}
