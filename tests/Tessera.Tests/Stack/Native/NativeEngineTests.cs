using System.Collections.Immutable;
using Shouldly;
using Tessera.Linux.Processes;
using Tessera.Stack;
using Tessera.Stack.Discovery;
using Tessera.Stack.Engines;
using Xunit;

namespace Tessera.Tests.Stack.Native;

public class NativeEngineTests
{
    private const string Server = """
        import os, signal, socket, sys, time
        s = socket.create_server(('127.0.0.1', int(sys.argv[1])))
        print('listening on', sys.argv[1], flush=True)
        while True:
            c, _ = s.accept()
            c.close()
        """;

    [Fact]
    public async Task Reports_a_service_without_ports_as_running_when_it_is_spawned()
    {
        await using var harness = new NativeEngineHarness();
        await harness.StartAsync(harness.Shell("exec sleep 100"));

        Instance instance = harness.Newest()!;
        instance.State.ShouldBe(InstanceState.Running);
        instance.Health.ShouldBe(InstanceHealth.None);
        ProcessTable.TryRead(instance.Pid!.Value, out ProcessEntry entry).ShouldBeTrue();
        entry.Session.ShouldBe(instance.Pid.Value);
    }

    [Theory]
    [InlineData("exit 0", 0)]
    [InlineData("exit 7", 7)]
    [InlineData("kill -TERM $$", 143)]
    [InlineData("kill -KILL $$", 137)]
    public async Task Reports_the_exit_code(string script, int code)
    {
        await using var harness = new NativeEngineHarness();
        await harness.StartAsync(harness.Shell(script));

        (await harness.WaitAsync(InstanceState.Exited)).ExitCode.ShouldBe(code);
    }

    [Fact]
    public async Task Gives_an_instance_its_environment_and_nothing_of_the_daemons()
    {
        await using var harness = new NativeEngineHarness(
            options => options with { PathFolder = "/the/program" });
        Environment.SetEnvironmentVariable("OF_THE_DAEMON", "1");
        Service service = harness.Shell("env; echo done $PORT_8080") with
        {
            TargetPorts = [8080, 9090],
            Environment = ImmutableSortedDictionary<string, string>.Empty.Add(
                "GREETING", "hello there"),
        };
        await harness.StartAsync(service);
        Instance instance = await harness.WaitAsync(InstanceState.Exited);
        List<string> lines = await harness.ReadLogAsync();

        string first = $"{instance.Addresses[8080].Port}";
        lines.ShouldContain($"PORT={first}");
        lines.ShouldContain($"PORT_8080={first}");
        lines.ShouldContain($"PORT_9090={instance.Addresses[9090].Port}");
        lines.ShouldContain("GREETING=hello there");
        lines.ShouldContain("HOME=/root");
        lines.ShouldContain("TESSERA_INSTANCE=demo-web-1");
        lines.ShouldContain("TESSERA_PROJECT=demo");
        lines.ShouldContain("TESSERA_SERVICE=web");
        lines.ShouldContain("TESSERA_SLOT=1");
        lines.ShouldContain($"TESSERA_INSTANCE_ID={instance.Id}");
        lines.ShouldContain(line => line.StartsWith("PATH=/") && line.EndsWith(":/the/program"));
        lines.ShouldNotContain(line => line.StartsWith("OF_THE_DAEMON"));
        lines[^1].ShouldBe($"done {first}");
    }

    [Fact]
    public async Task Is_ready_when_the_port_in_its_command_accepts()
    {
        await using var harness = new NativeEngineHarness();
        await harness.StartAsync(
            harness.Command(["python3", "-c", "import time; time.sleep(.3)\n" + Server, "${PORT}"])
            with { TargetPorts = [80] });
        harness.Newest()!.State.ShouldBe(InstanceState.Starting);

        Instance ready = await harness.WaitAsync(InstanceState.Running);
        ready.IsReady.ShouldBeTrue();
        ready.Addresses[80].Port.ShouldBeInRange(20_000, 29_999);
        (await harness.ReadLogAsync()).ShouldBe([$"listening on {ready.Addresses[80].Port}"]);
    }

    [Theory]
    [InlineData("no-such-program-here", "no-such-program-here: not found on PATH")]
    [InlineData("./plain.txt", "./plain.txt: not executable")]
    [InlineData("./missing", "./missing: no such file")]
    [InlineData("./broken", "./broken: Exec format error")]
    public async Task Fails_with_the_reason_when_the_program_cannot_be_run(
        string word, string reason)
    {
        await using var harness = new NativeEngineHarness();
        await File.WriteAllTextAsync(
            Path.Combine(harness.Folder, "plain.txt"), "x", TestContext.Current.CancellationToken);
        string broken = Path.Combine(harness.Folder, "broken");
        await File.WriteAllTextAsync(broken, "no program", TestContext.Current.CancellationToken);
        File.SetUnixFileMode(broken, (UnixFileMode)0b111_101_101);

        var failure = await Should.ThrowAsync<OperationFailedException>(
            harness.StartAsync(
                harness.Command([word]) with { Restart = new(RestartCondition.Always) }));

        failure.Message.ShouldBe($"demo-web-1: {reason}");
        harness.Newest()!.State.ShouldBe(InstanceState.Failed);
        harness.Newest()!.Reason.ShouldBe(reason);
    }

    [Fact]
    public async Task Fails_with_the_reason_when_the_working_directory_is_missing()
    {
        await using var harness = new NativeEngineHarness();
        var failure = await Should.ThrowAsync<OperationFailedException>(
            harness.StartAsync(harness.Shell("true") with { WorkingDirectory = "/no/such/place" }));

        failure.Message.ShouldBe("demo-web-1: working directory /no/such/place: no such directory");
    }

    [Fact]
    public async Task Stops_by_draining_then_signalling()
    {
        await using var harness = new NativeEngineHarness();
        InstanceState? stateInDrain = null;
        bool ranInDrain = false;
        harness.OnDrain = instance =>
        {
            stateInDrain = instance.State;
            ranInDrain = Directory.Exists($"/proc/{instance.Pid}");
            return Task.CompletedTask;
        };
        await harness.StartAsync(
            harness.Shell("trap 'echo bye; exit 0' TERM; while :; do sleep .05; done"));
        Instance running = harness.Newest()!;
        await Task.Delay(100, TestContext.Current.CancellationToken);

        await harness.StopAsync();

        stateInDrain.ShouldBe(InstanceState.Draining);
        ranInDrain.ShouldBeTrue();
        Instance stopped = harness.Newest()!;
        stopped.Id.ShouldBe(running.Id);
        stopped.State.ShouldBe(InstanceState.Exited);
        stopped.ExitCode.ShouldBe(0);
        (await harness.ReadLogAsync()).ShouldContain("bye");
        Directory.Exists($"/proc/{running.Pid}").ShouldBeFalse();
    }

    [Fact]
    public async Task Kills_what_ignores_the_stop_signal()
    {
        await using var harness = new NativeEngineHarness();
        await harness.StartAsync(
            harness.Shell("trap '' TERM; echo ready; while :; do sleep .05; done"));
        await harness.WaitForLineAsync(line => line == "ready");

        await harness.StopAsync(grace: TimeSpan.FromMilliseconds(200));

        Instance stopped = harness.Newest()!;
        stopped.ExitCode.ShouldBe(137);
        stopped.Reason.ShouldBe("killed: still ran 0.2 s after SIGTERM");
    }

    [Fact]
    public async Task Leaves_nothing_behind_of_an_instance_that_forked_away()
    {
        await using var harness = new NativeEngineHarness();
        // A duration that no other process sleeps for: the second number tells the processes apart.
        string sleep = $"sleep {9_000_000 + Environment.ProcessId}.";
        await harness.StartAsync(harness.Shell($"""
            setsid sh -c '{sleep}1 & {sleep}2' &
            (setsid {sleep}3 &)
            env -i setsid {sleep}4 &
            echo up; exec {sleep}5
            """));
        await harness.WaitForLineAsync(line => line == "up");
        await NativeEngineHarness.EventuallyAsync(() => CountSleeps() == 5);

        await harness.StopAsync();

        CountSleeps().ShouldBe(0);

        int CountSleeps() => ProcessTable.ReadAll().Count(entry =>
            !entry.IsEnded && ReadCommand(entry.Pid).StartsWith(sleep, StringComparison.Ordinal));
    }

    private static string ReadCommand(int pid)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid}/cmdline").TrimEnd('\0').Replace('\0', ' ');
        }
        catch (IOException)
        {
            return "";
        }
    }

    [Fact]
    public async Task Remove_leaves_no_file()
    {
        await using var harness = new NativeEngineHarness();
        await harness.StartAsync(harness.Shell("echo hi; exec sleep 100"));
        await harness.RemoveAsync();

        harness.Newest().ShouldBeNull();
        Directory.Exists(Path.Combine(harness.StateFolder, "demo")).ShouldBeFalse();
    }
}
