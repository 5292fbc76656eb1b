using System.Diagnostics;
using Shouldly;
using Tessera.Linux.Processes;
using Tessera.Stack.Engines.Native;
using Xunit;

namespace Tessera.Tests.Stack.Native;

public class ExitWatchTests
{
    [Fact]
    public async Task Reaps_orphans_and_leaves_the_children_of_others_to_them()
    {
        ProcessGroup.BecomeSubreaper();
        using var watch = new ExitWatch(_ => { });

        // A child of .NET's own, whose child in turn is left to us.
        using Process shell = Process.Start(new ProcessStartInfo(
            "/bin/sh", ["-c", "(setsid sh -c 'echo $$; sleep .1; exit 1' &); sleep 2.5; exit 42"])
        {
            RedirectStandardOutput = true,
        })!;
        int orphan = int.Parse((await shell.StandardOutput.ReadLineAsync(
            TestContext.Current.CancellationToken))!);

        await NativeEngineHarness.EventuallyAsync(() =>
            !ProcessTable.TryRead(orphan, out ProcessEntry entry)
                || entry.Parent != Environment.ProcessId
            ? false
            : entry.IsEnded);
        await NativeEngineHarness.EventuallyAsync(() => !ProcessTable.TryRead(orphan, out _));

        await shell.WaitForExitAsync(TestContext.Current.CancellationToken);
        shell.ExitCode.ShouldBe(42);
    }
}
