using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Shouldly;
using Tessera.Stack;
using Tessera.Stack.Discovery;
using Tessera.Stack.Engines;
using Tessera.Stack.Planning;
using Xunit;

namespace Tessera.Tests.Stack.Native;

public class ReplaceTests
{
    private static readonly ImmutableArray<string> Server =
    [
        "python3", "-u", "-c",
        """
        import socket, sys, time
        s = socket.create_server(('127.0.0.1', int(sys.argv[1])))
        print('up', sys.argv[2])
        while True:
            c, _ = s.accept()
            c.close()
        """,
        "$PORT",
    ];

    [Fact]
    public async Task Starts_the_new_one_before_the_old_one_is_drained()
    {
        await using var harness = new NativeEngineHarness();
        await harness.StartAsync(CreateServer(harness, "one"));
        Instance old = await harness.WaitAsync(InstanceState.Running);
        bool wasNewReady = false;
        harness.OnDrain = _ =>
        {
            wasNewReady = harness.Newest()!.Id != old.Id && harness.Newest()!.IsReady;
            return Task.CompletedTask;
        };

        await harness.ReplaceAsync(CreateServer(harness, "two"));

        wasNewReady.ShouldBeTrue();
        harness.Drained.Single().Id.ShouldBe(old.Id);
        Instance now = harness.Newest()!;
        now.IsReady.ShouldBeTrue();
        now.ProcessHash.ShouldBe("two");
        now.Restarts.ShouldBe(0);
        now.Addresses[80].ShouldNotBe(old.Addresses[80]);
        harness.Catalog.Current.Instances.Count.ShouldBe(1);
        Directory.Exists($"/proc/{old.Pid}").ShouldBeFalse();
        (await harness.ReadLogAsync()).ShouldBe(["up one", "up two"]);
    }

    [Fact]
    public async Task Keeps_the_old_one_when_the_new_one_fails()
    {
        await using var harness = new NativeEngineHarness();
        await harness.StartAsync(CreateServer(harness, "one"));
        Instance old = await harness.WaitAsync(InstanceState.Running);

        var failure = await Should.ThrowAsync<OperationFailedException>(harness.ReplaceAsync(
            harness.Shell("echo no database; exit 5")
                with { TargetPorts = [80], ProcessHash = "two" }));

        failure.Message.ShouldBe(
            "demo-web-1: ended with exit code 5 before it was ready; the old one stays; "
            + "last output:\nno database");
        harness.Catalog.Current.Instances.Values.Single().ShouldBe(old);
        harness.Drained.ShouldBeEmpty();
    }

    [Fact]
    public async Task Keeps_the_old_one_when_the_new_one_is_not_ready_in_time()
    {
        await using var harness = new NativeEngineHarness();
        await harness.StartAsync(
            CreateServer(harness, "one") with { Restart = new(RestartCondition.Always) });
        Instance old = await harness.WaitAsync(InstanceState.Running);

        var failure = await Should.ThrowAsync<OperationFailedException>(harness.ReplaceAsync(
            harness.Shell("exec sleep 100") with
            {
                TargetPorts = [80],
                ProcessHash = "two",
                Restart = new(RestartCondition.Always),
                Options = new ServiceOptions { StartTimeout = TimeSpan.FromMilliseconds(300) },
            }));

        failure.Message.ShouldMatch(
            @"^demo-web-1: not ready within 0\.3 s \(waiting for port \d+ to accept\); "
            + "the old one stays$");
        harness.Catalog.Current.Instances.Values.Single().ShouldBe(old);

        // And it is supervised as before.
        System.Diagnostics.Process.GetProcessById(old.Pid!.Value).Kill();
        await harness.WaitAsync(now => now is { Restarts: 1, IsReady: true, ProcessHash: "one" });
    }

    [Fact]
    public async Task The_new_one_takes_over_when_the_old_one_dies_meanwhile()
    {
        await using var harness = new NativeEngineHarness();
        await harness.StartAsync(
            CreateServer(harness, "one") with { Restart = new(RestartCondition.Always) });
        Instance old = await harness.WaitAsync(InstanceState.Running);
        Service slow = CreateServer(harness, "two");
        string script = "import time; time.sleep(.5)\n" + slow.Command[3];
        slow = slow with { Command = slow.Command.SetItem(3, script) };

        Task replacing = harness.ReplaceAsync(slow);
        await harness.WaitAsync(
            now => now.ProcessHash == "two" && now.State == InstanceState.Starting);
        System.Diagnostics.Process.GetProcessById(old.Pid!.Value).Kill();
        await replacing;

        Instance now = harness.Catalog.Current.Instances.Values.Single();
        now.ProcessHash.ShouldBe("two");
        now.IsReady.ShouldBeTrue();
        harness.Drained.ShouldBeEmpty();
    }

    [Fact]
    public async Task Stops_a_service_with_a_fixed_port_first()
    {
        await using var harness = new NativeEngineHarness();
        int port = FindFreePort();
        Service one = CreateServer(harness, "one")
            with { Options = new ServiceOptions { FixedPort = port } };
        await harness.StartAsync(one);
        Instance old = await harness.WaitAsync(InstanceState.Running);
        old.Addresses[80].Port.ShouldBe(port);

        await harness.ReplaceAsync(one with { ProcessHash = "two" });

        Instance now = harness.Catalog.Current.Instances.Values.Single();
        now.IsReady.ShouldBeTrue();
        now.Addresses[80].Port.ShouldBe(port);
    }

    [Fact]
    public async Task Starts_the_old_one_again_when_a_fixed_port_stays_without_its_successor()
    {
        await using var harness = new NativeEngineHarness();
        var options = new ServiceOptions { FixedPort = FindFreePort() };
        await harness.StartAsync(CreateServer(harness, "one") with { Options = options });
        await harness.WaitAsync(InstanceState.Running);

        var failure = await Should.ThrowAsync<OperationFailedException>(harness.ReplaceAsync(
            harness.Shell("exit 5")
                with { TargetPorts = [80], ProcessHash = "two", Options = options }));

        failure.Message.ShouldEndWith("before it was ready; the old one was started again");
        await harness.WaitAsync(now => now.IsReady && now.ProcessHash == "one");
    }

    [Fact]
    public async Task A_fixed_port_held_by_another_program_is_a_clear_failure()
    {
        await using var harness = new NativeEngineHarness();
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        int port = ((IPEndPoint)other.LocalEndpoint).Port;

        var failure = await Should.ThrowAsync<OperationFailedException>(harness.StartAsync(
            CreateServer(harness, "one")
                with { Options = new ServiceOptions { FixedPort = port } }));

        failure.Message.ShouldBe(
            $"demo-web-1: port {port}, which the program always listens on, is in use by another "
            + "program");
    }

    [Fact]
    public async Task A_cancelled_replacement_leaves_the_old_one_in_place()
    {
        await using var harness = new NativeEngineHarness();
        await harness.StartAsync(CreateServer(harness, "one"));
        Instance old = await harness.WaitAsync(InstanceState.Running);
        using var cancelled = new CancellationTokenSource();
        Task replacing = harness.Engine.ExecuteAsync(
            new ReplaceInstance(
                NativeEngineHarness.Slot(),
                harness.Shell("exec sleep 100")
                    with { TargetPorts = [80], ProcessHash = "two" }, "test"),
            cancelled.Token);
        await harness.WaitAsync(
            now => now.ProcessHash == "two" && now.State == InstanceState.Starting);

        await cancelled.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(replacing);
        harness.Catalog.Current.Instances.Values.Single().ShouldBe(old);
    }

    [Fact]
    public async Task A_cancelled_replacement_still_drains_the_old_one()
    {
        await using var harness = new NativeEngineHarness();
        await harness.StartAsync(CreateServer(harness, "one"));
        Instance old = await harness.WaitAsync(InstanceState.Running);
        var answered = new TaskCompletionSource();
        harness.OnDrain = _ => answered.Task;
        bool wasCut = false;
        harness.Catalog.Observe(change => wasCut |= change.After is Instance after
            && after.Id == old.Id && after.State == InstanceState.Stopping
            && !answered.Task.IsCompleted);
        using var cancelled = new CancellationTokenSource();
        Task replacing = harness.Engine.ExecuteAsync(
            new ReplaceInstance(
                NativeEngineHarness.Slot(), CreateServer(harness, "two"), "test"),
            cancelled.Token);
        await NativeEngineHarness.EventuallyAsync(() => !harness.Drained.IsEmpty);

        await cancelled.CancelAsync();
        await Task.Delay(100, TestContext.Current.CancellationToken);
        answered.SetResult();
        await replacing;

        wasCut.ShouldBeFalse();
        harness.Catalog.Current.Instances.Values.Single().ProcessHash.ShouldBe("two");
    }

    [Fact]
    public async Task Gives_the_old_one_the_grace_period_of_the_command()
    {
        await using var harness = new NativeEngineHarness();
        await harness.StartAsync(
            harness.Shell("trap '' TERM; echo up; while :; do sleep .05; done")
                with { StopGracePeriod = TimeSpan.FromMinutes(2) });
        await harness.WaitForLineAsync(line => line == "up");
        Instance old = harness.Newest()!;

        await harness.Engine.ExecuteAsync(
            new ReplaceInstance(
                NativeEngineHarness.Slot(), harness.Shell("exec sleep 100"), "test",
                TimeSpan.FromMilliseconds(100)),
            TestContext.Current.CancellationToken)
            .WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);

        harness.Newest()!.Id.ShouldNotBe(old.Id);
        Directory.Exists($"/proc/{old.Pid}").ShouldBeFalse();
    }

    private static Service CreateServer(NativeEngineHarness harness, string hash) =>
        harness.Command(Server.Add(hash)) with { TargetPorts = [80], ProcessHash = hash };

    private static int FindFreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
