using Microsoft.Win32.SafeHandles;
using Shouldly;
using Tessera.Linux;
using Tessera.Linux.Processes;
using Xunit;

namespace Tessera.Tests.Linux.Processes;

public class ProcessHandleTests
{
    [Theory]
    [InlineData("exit 0", 0)]
    [InlineData("exit 255", 255)]
    [InlineData("kill -SEGV $$", 139)]
    public void Reaps_a_child_with_its_exit_code(string script, int exitCode)
    {
        using ProcessHandle handle = Spawn(script, out _);

        WaitForExit(handle);

        handle.Reap().Value.ShouldBe(exitCode);
        handle.Reap().Errno.ShouldBe(ProcessErrno.NoChild);
    }

    [Fact]
    public void A_running_child_cannot_be_reaped_yet()
    {
        using ProcessHandle handle = Spawn("exec sleep 100", out _);

        handle.HasExited().ShouldBeFalse();
        handle.Reap().Errno.ShouldBe(ProcessErrno.Again);

        handle.SendSignal(Signals.Kill).IsSuccess.ShouldBeTrue();
        WaitForExit(handle);
        handle.Reap().Value.ShouldBe(137);
        handle.SendSignal(Signals.Kill).Errno.ShouldBe(ProcessErrno.NoProcess);
    }

    [Fact]
    public void Tells_the_exit_code_of_a_process_that_its_own_parent_reaped()
    {
        using ProcessHandle parent = Spawn(
            "sh -c 'sleep .2; exit 7' & echo $!; wait; exec sleep 100", out SafeFileHandle output);
        int pid = int.Parse(ReadLine(output));
        ProcessHandle.TryOpen(pid, out ProcessHandle? grandchild).IsSuccess.ShouldBeTrue();
        using (grandchild)
        {
            WaitForExit(grandchild!);
            grandchild!.Reap().Errno.ShouldBe(ProcessErrno.NoChild);
            SpinWait.SpinUntil(() => grandchild.ReadExitCode().IsSuccess, 5_000);
            SyscallResult code = grandchild.ReadExitCode();

            // Linux before 6.15 does not keep it.
            if (Environment.OSVersion.Version >= new Version(6, 15))
            {
                code.Value.ShouldBe(7);
            }
        }

        parent.SendSignalToGroup(Signals.Kill);
        WaitForExit(parent);
        parent.Reap();
    }

    [Fact]
    public void A_signal_to_the_group_reaches_every_member()
    {
        using ProcessHandle handle = Spawn("sleep 100 & echo up; wait", out SafeFileHandle output);
        ReadLine(output);

        handle.SendSignalToGroup(Signals.Terminate).IsSuccess.ShouldBeTrue();

        WaitForExit(handle);
        handle.Reap().Value.ShouldBe(143);
        SpinWait.SpinUntil(
            () => !ProcessTable.ReadAll().Exists(
                entry => entry.Group == handle.Pid && !entry.IsEnded),
            10_000).ShouldBeTrue();
        ProcessGroup.Reap(handle.Pid);
    }

    [Fact]
    public void Opening_a_process_that_does_not_exist_fails()
    {
        ProcessHandle.TryOpen(0x3FFFFFFF, out ProcessHandle? handle).IsSuccess.ShouldBeFalse();
        handle.ShouldBeNull();
    }

    [Fact]
    public void A_spawned_process_has_its_own_session_and_no_descriptor_of_ours()
    {
        using ProcessHandle handle = Spawn(
            "ls /proc/$$/fd | wc -l; kill -STOP $$", out SafeFileHandle output);

        // stdin, stdout, stderr, and one that the shell opens for itself at most.
        int.Parse(ReadLine(output)).ShouldBeLessThanOrEqualTo(4);
        ProcessTable.TryRead(handle.Pid, out ProcessEntry entry).ShouldBeTrue();
        entry.Session.ShouldBe(handle.Pid);
        entry.Group.ShouldBe(handle.Pid);
        entry.Parent.ShouldBe(Environment.ProcessId);
        ProcessTable.ReadVariable(handle.Pid, "MARK").ShouldBe("yes");
        ProcessTable.ReadVariable(handle.Pid, "MAR").ShouldBeNull();
        ProcessTable.ReadVariable(handle.Pid, "PATH").ShouldNotBeNull();

        handle.SendSignal(Signals.Kill);
        WaitForExit(handle);
        handle.Reap();
    }

    [Fact]
    public void Spawning_tells_the_errno_of_exec()
    {
        SyscallResult started = ProcessSpawn.Start(new SpawnRequest(
            "/no/such/program", ["x"], [], "/", null, 1));

        started.Errno.ShouldBe(ProcessErrno.NoEntry);
        ProcessErrno.Describe(started.Errno).ShouldBe("No such file or directory");
    }

    private static ProcessHandle Spawn(string script, out SafeFileHandle output)
    {
        Fifo.TryCreatePipe(out SafeFileHandle? reader, out SafeFileHandle? writer);
        using (writer)
        {
            SyscallResult started = ProcessSpawn.Start(new SpawnRequest(
                "/bin/sh",
                ["sh", "-c", script],
                ["MARK=yes", "PATH=/usr/bin:/bin"],
                "/",
                null,
                (int)writer!.DangerousGetHandle()));
            started.IsSuccess.ShouldBeTrue();
            output = reader!;
            ProcessHandle.TryOpen(
                started.IntValue, out ProcessHandle? handle).IsSuccess.ShouldBeTrue();
            return handle!;
        }
    }

    private static void WaitForExit(ProcessHandle handle) =>
        SpinWait.SpinUntil(handle.HasExited, 10_000).ShouldBeTrue();

    private static string ReadLine(SafeFileHandle output)
    {
        var text = "";
        var buffer = new byte[256];
        SpinWait.SpinUntil(
            () =>
            {
                SyscallResult got = Fifo.Read(output, buffer);
                text += got.IsSuccess
                    ? System.Text.Encoding.UTF8.GetString(buffer, 0, got.IntValue) : "";
                return text.Contains('\n');
            },
            10_000).ShouldBeTrue();
        return text.Split('\n')[0].Trim();
    }
}
