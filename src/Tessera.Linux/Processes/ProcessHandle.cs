using Microsoft.Win32.SafeHandles;

namespace Tessera.Linux.Processes;

/// <summary>
/// One process, named by a pidfd: a signal sent through it can never reach another process that was
/// given the same number later. Safe from any thread until disposed.
/// </summary>
public sealed unsafe class ProcessHandle : IDisposable
{
    private const int IdTypePidfd = 3;
    private const int WaitNoHang = 1;
    private const int WaitExited = 4;
    private const int CodeExited = 1;
    private const short PollIn = 1;
    private const uint SignalProcessGroup = 1 << 2;

    // _IOWR(0xFF, 11, 64 bytes); the exit code is in it since Linux 6.15.
    private const uint PidfdGetInfo = 0xC040FF0B;
    private const ulong InfoExit = 1 << 3;

    private readonly SafeFileHandle _descriptor;

    private ProcessHandle(int pid, SafeFileHandle descriptor)
    {
        Pid = pid;
        _descriptor = descriptor;
    }

    public int Pid { get; }

    /// <summary>For poll(2) and epoll(7): readable once the process has ended.</summary>
    public int Descriptor => (int)_descriptor.DangerousGetHandle();

    /// <summary>
    /// Opens a handle to a process that exists (ended but not reaped ones do); else the errno.
    /// </summary>
    public static SyscallResult TryOpen(int pid, out ProcessHandle? handle)
    {
        SyscallResult opened = ProcessCalls.Result(ProcessCalls.pidfd_open(pid, 0));
        handle = opened.IsSuccess
            ? new ProcessHandle(pid, new SafeFileHandle(opened.IntValue, ownsHandle: true))
            : null;
        return opened;
    }

    /// <summary>Whether the process has ended, reaped or not.</summary>
    public bool HasExited()
    {
        var entry = new PollEntry { Descriptor = Descriptor, Events = PollIn };
        SyscallResult polled;
        do
        {
            polled = ProcessCalls.Result(ProcessCalls.poll(&entry, 1, 0));
        }
        while (polled.Errno == ProcessErrno.Interrupted);
        return polled.IsSuccess && polled.Value > 0;
    }

    /// <summary>Signal numbers as in signal(7); NoProcess when it is gone.</summary>
    public SyscallResult SendSignal(int signal) =>
        ProcessCalls.Result(ProcessCalls.pidfd_send_signal(Descriptor, signal, null, 0));

    /// <summary>
    /// Signals the process group that this process leads; NoProcess when it has no members.
    /// </summary>
    public SyscallResult SendSignalToGroup(int signal)
    {
        SyscallResult sent = ProcessCalls.Result(
            ProcessCalls.pidfd_send_signal(Descriptor, signal, null, SignalProcessGroup));

        // Before Linux 6.9 a pidfd names a process only, and the group goes by its number.
        return sent.Errno == ProcessErrno.Invalid ? ProcessGroup.SendSignal(Pid, signal) : sent;
    }

    /// <summary>
    /// Reaps it when it is a child of ours that has ended: its exit code, 0 to 255 or 128 + signal.
    /// Again when it still runs, NoChild when it is not ours (or no longer).
    /// </summary>
    public SyscallResult Reap()
    {
        WaitedChild info = default;
        SyscallResult waited;
        do
        {
            waited = ProcessCalls.Result(ProcessCalls.waitid(
                IdTypePidfd, (uint)Descriptor, &info, WaitExited | WaitNoHang));
        }
        while (waited.Errno == ProcessErrno.Interrupted);
        if (!waited.IsSuccess)
        {
            return waited;
        }

        return info.Pid == 0
            ? SyscallResult.Failure(ProcessErrno.Again)
            : SyscallResult.Success(info.Code == CodeExited ? info.Status : 128 + info.Status);
    }

    /// <summary>
    /// The exit code of a process that its own parent has reaped, kept by the kernel for those who
    /// hold a pidfd (Linux 6.15 and later). Again while it runs or is not reaped yet; another errno
    /// where the kernel cannot tell.
    /// </summary>
    public SyscallResult ReadExitCode()
    {
        var info = new PidfdDetails { Mask = InfoExit };
        SyscallResult asked =
            ProcessCalls.Result(ProcessCalls.ioctl(Descriptor, PidfdGetInfo, &info));
        if (!asked.IsSuccess)
        {
            return asked;
        }

        if ((info.Mask & InfoExit) == 0)
        {
            return SyscallResult.Failure(ProcessErrno.Again);
        }

        int signal = info.ExitStatus & 0x7F;
        return SyscallResult.Success(signal == 0 ? (info.ExitStatus >> 8) & 0xFF : 128 + signal);
    }

    public void Dispose() => _descriptor.Dispose();
}
