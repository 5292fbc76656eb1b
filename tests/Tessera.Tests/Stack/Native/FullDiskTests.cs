using System.Diagnostics;
using Shouldly;
using Tessera.Linux.Processes;
using Tessera.Stack;
using Tessera.Stack.Discovery;
using Xunit;

namespace Tessera.Tests.Stack.Native;

public class FullDiskTests
{
    [Fact]
    public async Task A_full_disk_does_not_hold_the_application_up()
    {
        await using var harness = new NativeEngineHarness();
        Directory.CreateDirectory(harness.StateFolder);
        if (Run("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", harness.StateFolder) != 0)
        {
            // Without the right to mount there is no small disk to fill.
            return;
        }

        try
        {
            string filler = Path.Combine(harness.StateFolder, "filler");
            await File.WriteAllBytesAsync(
                filler, new byte[1_200_000], TestContext.Current.CancellationToken);
            await harness.StartAsync(harness.Shell("""
                echo before; seq 1 1000000 > /dev/stdout
                while [ ! -f go ]; do sleep .05; done
                echo after; exec sleep 100
                """) with { Restart = new(RestartCondition.Always) });

            // More than the disk and the pipe can hold: it comes to its end all the same.
            await NativeEngineHarness.EventuallyAsync(() =>
                harness.Log.Any(line => line.Contains("its log cannot be written (No space left")));
            await NativeEngineHarness.EventuallyAsync(() => !ProcessTable.ReadAll().Exists(entry =>
                entry.Group == harness.Newest()!.Pid && IsSeq(entry.Pid)));

            File.Delete(filler);
            await NativeEngineHarness.EventuallyAsync(() =>
                harness.Log.Any(line => line.Contains("its log is written again")));
            await File.WriteAllTextAsync(
                Path.Combine(harness.Folder, "go"), "", TestContext.Current.CancellationToken);
            await harness.WaitForLineAsync(line => line == "after");
            harness.Newest()!.State.ShouldBe(InstanceState.Running);
            harness.Log.Count(line => line.Contains("its log is")).ShouldBe(1);
            harness.Log.Count(line => line.Contains("its log cannot")).ShouldBe(1);
        }
        finally
        {
            await harness.RemoveAsync();
            Run("umount", "-l", harness.StateFolder).ShouldBe(0);
        }
    }

    private static bool IsSeq(int pid)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid}/comm").StartsWith(
                "seq", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static int Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(program, arguments);
        process.WaitForExit();
        return process.ExitCode;
    }
}
