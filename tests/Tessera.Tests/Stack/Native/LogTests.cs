using System.Collections.Immutable;
using System.Globalization;
using Shouldly;
using Tessera.Stack;
using Tessera.Stack.Discovery;
using Tessera.Stack.Engines;
using Tessera.Stack.Engines.Native;
using Xunit;

namespace Tessera.Tests.Stack.Native;

public class LogTests
{
    [Fact]
    public async Task Keeps_a_hundred_thousand_lines_of_a_fast_writer()
    {
        await using var harness = new NativeEngineHarness();
        await harness.StartAsync(harness.Shell("seq 1 100000"));
        await harness.WaitAsync(InstanceState.Exited);

        (await harness.ReadLogAsync()).ShouldBe(Enumerable.Range(1, 100_000).Select(i => $"{i}"));
    }

    [Fact]
    public async Task Rotates_between_lines_and_keeps_the_newest()
    {
        await using var harness = new NativeEngineHarness(
            options => options with { LogFileBytes = 100_000, LogFilesKept = 3 });
        await harness.StartAsync(harness.Shell("seq 1 200000"));
        await harness.WaitAsync(InstanceState.Exited);

        List<string> lines = await harness.ReadLogAsync();
        int first = int.Parse(lines[0]);
        lines.ShouldBe(Enumerable.Range(first, 200_001 - first).Select(i => $"{i}"));
        string[] files = [.. Directory
            .GetFiles(Path.Combine(harness.StateFolder, "demo/instances/web-1"), "log.*")
            .Where(file => !file.EndsWith("idx", StringComparison.Ordinal))];
        files.Length.ShouldBeInRange(3, 4);
        files.ShouldAllBe(file => EndsWithLine(file));
    }

    [Fact]
    public async Task Keeps_the_order_of_both_outputs_and_ends_an_open_line()
    {
        await using var harness = new NativeEngineHarness();
        await harness.StartAsync(harness.Shell(
            "echo one; echo two >&2; echo three; printf 'no end'; exit 1")
                with { Restart = new(RestartCondition.OnFailure, 1) });
        await harness.WaitAsync(InstanceState.Failed);

        (await harness.ReadLogAsync()).ShouldBe(
            ["one", "two", "three", "no end", "one", "two", "three", "no end"]);
    }

    [Fact]
    public async Task Tail_counts_lines_of_each_slot()
    {
        await using var harness = new NativeEngineHarness(
            options => options with { LogFileBytes = 1_000 });
        await harness.StartAsync(harness.Shell("seq 1 1000"), 1);
        await harness.StartAsync(harness.Shell("seq 2001 3000; printf 3001"), 2);
        await harness.WaitAsync(InstanceState.Exited, 1);
        await harness.WaitAsync(InstanceState.Exited, 2);

        (await harness.ReadLogAsync(tail: 3)).Order().ShouldBe(
            ["1000", "2999", "3000", "3001", "998", "999"]);
        (await harness.ReadLogAsync(tail: 0)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Merges_slots_by_time()
    {
        await using var harness = new NativeEngineHarness();
        const string script = "for i in 1 2 3; do echo $TESSERA_SLOT $i; sleep .6; done";
        await harness.StartAsync(harness.Shell(script), 1);
        await Task.Delay(300, TestContext.Current.CancellationToken);
        await harness.StartAsync(harness.Shell(script), 2);
        await harness.WaitAsync(InstanceState.Exited, 1);
        await harness.WaitAsync(InstanceState.Exited, 2);

        List<LogLine> lines = [];
        await foreach (LogLine line in harness.Engine.LogsAsync(
            new LogQuery("demo", ["web"]), TestContext.Current.CancellationToken))
        {
            lines.Add(line);
        }

        lines.Select(line => line.Text).ShouldBe(["1 1", "2 1", "1 2", "2 2", "1 3", "2 3"]);
        lines.Select(line => line.Time).ShouldBeInOrder();
        lines.ShouldAllBe(
            line => (TimeProvider.System.GetUtcNow() - line.Time) < TimeSpan.FromMinutes(1));
        lines[1].Slot.ShouldBe(new SlotName("demo", "web", 2));

        List<string> since = [];
        await foreach (LogLine line in harness.Engine.LogsAsync(
            new LogQuery("demo", [], Since: lines[2].Time, Until: lines[4].Time),
            TestContext.Current.CancellationToken))
        {
            since.Add(line.Text);
        }

        since.ShouldBe(["1 2", "2 2", "1 3"]);
    }

    [Fact]
    public async Task Follow_brings_new_lines_rotations_restarts_and_new_slots()
    {
        await using var harness = new NativeEngineHarness(
            options => options with { LogFileBytes = 20_000, LogFilesKept = 10 });
        await harness.StartAsync(harness.Shell("echo hello; sleep .2; seq 1 20000; sleep 100"), 1);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(
            TestContext.Current.CancellationToken);
        List<string> lines = [];
        Task following = Task.Run(
            async () =>
            {
                await foreach (LogLine line in harness.Engine.LogsAsync(
                    new LogQuery("demo", [], Follow: true), end.Token))
                {
                    lock (lines)
                    {
                        lines.Add($"{line.Slot.Number}:{line.Text}");
                    }
                }
            },
            TestContext.Current.CancellationToken);
        await NativeEngineHarness.EventuallyAsync(() => Has("1:hello"));
        await NativeEngineHarness.EventuallyAsync(() => Has("1:20000"));
        await harness.StartAsync(harness.Shell("echo second slot; sleep 100"), 2);
        await NativeEngineHarness.EventuallyAsync(() => Has("2:second slot"));

        await end.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(following);

        lines[..^1].ShouldBe(
            Enumerable.Range(1, 20_000).Select(i => $"1:{i}").Prepend("1:hello"));

        bool Has(string line)
        {
            lock (lines)
            {
                return lines.Contains(line);
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_long_line_is_one_line_and_says_what_is_not_shown(bool follows)
    {
        await using var harness = new NativeEngineHarness();
        const string line = "head -c {0} /dev/zero | tr '\\0' {1}; echo; ";
        await harness.StartAsync(harness.Shell(
            string.Format(CultureInfo.InvariantCulture, line, 700_000, "x")
            + string.Format(CultureInfo.InvariantCulture, line, 3_000_000, "y") + "echo after"));
        await harness.WaitAsync(InstanceState.Exited);

        List<string> lines = [];
        await foreach (LogLine read in harness.Engine.LogsAsync(
            new LogQuery("demo", [], follows, Tail: 3), TestContext.Current.CancellationToken))
        {
            lines.Add(read.Text);
            if (lines.Count == 3)
            {
                break;
            }
        }

        lines[0].ShouldBe(new string('x', 700_000));
        lines[1].ShouldBe(new string('y', 1_048_576) + "… (1951424 bytes more)");
        lines[2].ShouldBe("after");
        (await harness.ReadLogAsync(tail: 2)).ShouldBe(lines[1..]);
        (await harness.ReadLogAsync()).Count.ShouldBe(3);
    }

    [Fact]
    public async Task Cuts_a_line_that_is_longer_than_any_limit_instead_of_losing_it()
    {
        await using var harness = new NativeEngineHarness(
            options => options with { LogFileBytes = 100_000 });
        await harness.StartAsync(
            harness.Shell("head -c 3000000 /dev/zero | tr '\\0' x; echo; echo after"));
        await harness.WaitAsync(InstanceState.Exited);

        List<string> lines = await harness.ReadLogAsync();
        lines[^1].ShouldBe("after");
        lines.SkipLast(1).ShouldAllBe(
            line => line.Length > 0 && line.Replace("x", "").Length < 30);
    }

    [Fact]
    public void Replacing_over_and_over_keeps_the_files_within_their_limit()
    {
        string folder = Directory.CreateTempSubdirectory("tessera-log-").FullName;
        try
        {
            var log = new SlotLog("demo-web-1", folder, new NativeEngineOptions
            {
                StateFolder = folder,
                Log = _ => { },
            });
            LogSegment? old = null;
            for (int i = 0; i < 200; i++)
            {
                LogSegment next = log.Open($"instance{i}");
                old?.IsOpen = false;
                old = next;
            }

            log.Segments.Length.ShouldBeInRange(2, 66);
            log.Segments[^1].Writer.ShouldBe("instance199");
            Directory.GetFiles(folder).Length.ShouldBe(2 * log.Segments.Length);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static bool EndsWithLine(string path)
    {
        byte[] bytes = File.ReadAllBytes(path);
        return bytes.Length == 0 || bytes[^1] == '\n';
    }
}
