using System.Collections.Immutable;
using Shouldly;
using Tessera.Cli;
using Tessera.Stack;
using Tessera.Stack.Discovery;
using Tessera.Stack.Engines;
using Xunit;

namespace Tessera.Tests.Cli;

/// <summary><c>up</c> without <c>-d</c>: it stays, and ends as docker compose's does.</summary>
public sealed class AttachmentTests : IDisposable
{
    private static readonly SlotName WebSlot = new("shop", "web", 1);

    private static readonly InstanceView Web = new(
        "id1", "shop-web-1", "shop", "web", "x", InstanceStates.Running, "", "Up", "", "", 1, null,
        0, "", "", DateTimeOffset.UnixEpoch, []);

    private static readonly InstanceView Job = Web with
    {
        Id = "id2", Name = "shop-job-1", Service = "job",
    };

    private readonly CommandRun _run = new();

    public AttachmentTests()
    {
        _run.WriteFile("name: shop\nservices:\n  web: {command: x}\n  job: {command: x}\n");
        _run.Daemon.Instances = [Web, Job];
        _run.Daemon.ProgressWriter.TryWrite(
            new Progress(ProgressKind.Done, "shop-web-1", "started"));
        _run.Daemon.ProgressWriter.Complete();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Shows_lines_while_others_are_still_being_started(bool isTerminal)
    {
        using var run = new CommandRun { IsTerminal = isTerminal };
        run.WriteFile("name: shop\nservices:\n  web: {command: x}\n  job: {command: x}\n");
        run.Daemon.Instances = [Web, Job];
        Task<int> up = run.RunAsync("up");
        run.Daemon.ProgressWriter.TryWrite(
            new Progress(ProgressKind.Started, "shop-web-1", "starting"));
        run.Daemon.LogWriter.TryWrite(new LogLine(WebSlot, DateTimeOffset.UnixEpoch, "early"));
        await WaitForAsync(() => run.Output.Contains("early\n", StringComparison.Ordinal));

        run.Daemon.ProgressWriter.TryWrite(
            new Progress(ProgressKind.Failed, "shop-job-1", "no such file"));
        run.Daemon.ProgressWriter.Complete(new UserErrorException("no such file"));

        (await up.WaitAsync(TimeSpan.FromSeconds(20), Token)).ShouldBe(2);
        run.Error.ShouldContain("no such file");
    }

    private static async Task WaitForAsync(Func<bool> condition)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Token);
        limit.CancelAfter(TimeSpan.FromSeconds(10));
        while (!condition())
        {
            await Task.Delay(5, limit.Token);
        }
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _run.Dispose();

    [Fact]
    public async Task Shows_lines_and_ends_with_the_last_instance()
    {
        Task<int> up = _run.RunAsync("up");
        await WriteLineAsync("hello");
        End(Web with { ExitCode = 3 }, Job with { ExitCode = 0 });
        (await up.WaitAsync(TimeSpan.FromSeconds(20), Token)).ShouldBe(ExitCode.Ok);
        _run.Output.ShouldBe(
            "web-1  | hello\nweb-1 exited with code 3\njob-1 exited with code 0\n");
        _run.Error.ShouldBe(" shop-web-1  Started\n");
    }

    [Fact]
    public async Task Ctrl_C_stops_the_services_and_is_130()
    {
        Task<int> up = _run.RunAsync("up", "web");
        await WriteLineAsync("hello");
        _run.Daemon.OnRequest = _ => End(Web with { ExitCode = 0 }, Job with { ExitCode = 0 });
        _run.Interrupts.Raise();
        (await up.WaitAsync(TimeSpan.FromSeconds(20), Token)).ShouldBe(ExitCode.Interrupted);
        var change = (ChangeRequest)_run.Daemon.Requests.Last(request => request is ChangeRequest);
        change.Kind.ShouldBe(ChangeKind.Stop);
        change.Project.ShouldBe("shop");
        change.Services.ShouldBe(["web"]);
        _run.Error.ShouldContain("Gracefully stopping... (press Ctrl+C again to force)");
        _run.Output.ShouldContain("web-1 exited with code 0\n");
    }

    [Theory]
    [InlineData(3, "--abort-on-container-exit")]
    [InlineData(3, "--abort-on-container-failure")]
    [InlineData(5, "--exit-code-from", "job")]
    public async Task An_exit_can_end_everything(int expected, params string[] options)
    {
        Task<int> up = _run.RunAsync(["up", .. options]);
        await WriteLineAsync("hello");
        _run.Daemon.OnRequest = _ => End(Web with { ExitCode = 3 }, Job with { ExitCode = 5 });
        _run.Daemon.EventWriter.TryWrite(Died(WebSlot, "id1", 3));
        (await up.WaitAsync(TimeSpan.FromSeconds(20), Token)).ShouldBe(expected);
        _run.Daemon.Requests.OfType<ChangeRequest>().ShouldHaveSingleItem()
            .Kind.ShouldBe(ChangeKind.Stop);
    }

    [Fact]
    public async Task A_daemon_that_ends_ends_the_command()
    {
        Task<int> up = _run.RunAsync("up");
        await WriteLineAsync("hello");
        _run.Daemon.LogWriter.Complete();
        (await up.WaitAsync(TimeSpan.FromSeconds(20), Token)).ShouldBe(ExitCode.Failed);
        _run.Error.ShouldContain("the daemon ended");
    }

    [Fact]
    public async Task Logs_are_asked_for_from_before_the_start()
    {
        DateTimeOffset before = DateTimeOffset.UtcNow;
        Task<int> up = _run.RunAsync("up");
        await WriteLineAsync("hello");
        LogQuery query = _run.Daemon.Requests.OfType<LogQuery>().ShouldHaveSingleItem();
        query.Follow.ShouldBeTrue();
        query.Since!.Value.ShouldBeInRange(before, DateTimeOffset.UtcNow);
        End(Web, Job);
        await up;
    }

    private async Task WriteLineAsync(string text)
    {
        _run.Daemon.LogWriter.TryWrite(new LogLine(WebSlot, DateTimeOffset.UnixEpoch, text));
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Token);
        limit.CancelAfter(TimeSpan.FromSeconds(10));
        while (!_run.Output.Contains(text, StringComparison.Ordinal))
        {
            await Task.Delay(5, limit.Token);
        }
    }

    /// <summary>All end at once, with an event each.</summary>
    private void End(params InstanceView[] instances)
    {
        _run.Daemon.Instances =
            [.. instances.Select(view => view with { State = InstanceStates.Exited })];
        foreach (InstanceView view in instances)
        {
            _run.Daemon.EventWriter.TryWrite(
                Died(new SlotName("shop", view.Service, 1), view.Id, view.ExitCode ?? 0));
        }
    }

    private static InstanceEvent Died(SlotName slot, string id, int exitCode) => new(
        DateTimeOffset.UnixEpoch, "die", id, slot,
        ImmutableSortedDictionary<string, string>.Empty.Add("exitCode", $"{exitCode}"));
}
