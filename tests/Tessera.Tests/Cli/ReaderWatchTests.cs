using System.CommandLine;
using Shouldly;
using Tessera.Cli;
using Tessera.Linux;
using Tessera.Linux.Processes;
using Xunit;

namespace Tessera.Tests.Cli;

/// <summary>Commands that would wait for something that no longer comes.</summary>
public sealed class ReaderWatchTests : IDisposable
{
    private readonly CommandRun _run = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _run.Dispose();

    [Theory]
    [InlineData("logs", "-f")]
    [InlineData("events")]
    public async Task A_follower_ends_when_its_reader_leaves(params string[] words)
    {
        Task<int> command = _run.RunAsync(["-p", "shop", .. words]);
        await Task.WhenAny(command, Task.Delay(50, Token));
        command.IsCompleted.ShouldBeFalse();

        _run.IsReaderGone = true;

        (await command.WaitAsync(TimeSpan.FromSeconds(10), Token)).ShouldBe(ExitCode.Ok);
        _run.Error.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_daemon_that_nobody_has_reaped_yet_has_ended()
    {
        // A child that ended and is not waited for stays a zombie for as long as we live.
        SyscallResult started = ProcessSpawn.Start(
            new SpawnRequest("/bin/true", ["true"], [], "/", "/dev/null"));
        started.IsSuccess.ShouldBeTrue();
        int pid = started.IntValue;
        RootCommand root = CommandLine.Build(_run.Caller);
        var session = new Session(
            _run.Caller, new GlobalOptions(), CommandLine.Parse(root, ["version"]));

        await DaemonEnd.WaitAsync(session, pid).WaitAsync(TimeSpan.FromSeconds(10), Token);

        ProcessTable.TryRead(pid, out ProcessEntry entry).ShouldBeTrue();
        entry.IsEnded.ShouldBeTrue();
        ProcessHandle.TryOpen(pid, out ProcessHandle? handle).IsSuccess.ShouldBeTrue();
        using (handle)
        {
            handle!.Reap();
        }
    }
}
