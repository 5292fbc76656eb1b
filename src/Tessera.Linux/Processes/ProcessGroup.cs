namespace Tessera.Linux.Processes;

/// <summary>Calls on process groups and on the caller's own children.</summary>
public static unsafe class ProcessGroup
{
    private const int SetChildSubreaper = 36;
    private const int IdTypeAll = 0;
    private const int IdTypePid = 1;
    private const int IdTypeGroup = 2;
    private const int WaitNoHang = 1;
    private const int WaitExited = 4;
    private const int WaitNoReap = 0x01000000;

    // Descendants that reap at once never come near it; it bounds a loop that a fork bomb feeds.
    private const int MaxReapedAtOnce = 10_000;

    /// <summary>Descendants whose parent ends become children of this process (prctl(2)).</summary>
    public static SyscallResult BecomeSubreaper() =>
        ProcessCalls.Result(ProcessCalls.prctl(SetChildSubreaper, 1, 0, 0, 0));

    /// <summary>Sends a signal to every member of a group; NoProcess when it has none.</summary>
    public static SyscallResult SendSignal(int group, int signal) => group > 1
        ? ProcessCalls.Result(ProcessCalls.kill(-group, signal))
        : SyscallResult.Failure(ProcessErrno.Invalid);

    /// <summary>Whether the group has members; ended ones that nobody has reaped count.</summary>
    public static bool Exists(int group) => SendSignal(group, 0).Errno != ProcessErrno.NoProcess;

    /// <summary>
    /// Reaps the group's ended members that are children of ours; returns how many.
    /// </summary>
    public static int Reap(int group)
    {
        int reaped = 0;
        while (reaped < MaxReapedAtOnce && Wait(IdTypeGroup, group, WaitExited | WaitNoHang) > 0)
        {
            reaped++;
        }

        return reaped;
    }

    /// <summary>Reaps one child when it has ended; false when it runs or is none of ours.</summary>
    public static bool ReapChild(int pid) => Wait(IdTypePid, pid, WaitExited | WaitNoHang) > 0;

    /// <summary>
    /// Reaps every child that has ended, whoever it was; only for a process that waits for none.
    /// </summary>
    public static void ReapChildren()
    {
        for (int i = 0; i < MaxReapedAtOnce && Wait(IdTypeAll, 0, WaitExited | WaitNoHang) > 0; i++)
        {
        }
    }

    /// <summary>Whether some child has ended and was not reaped yet; reaps nothing.</summary>
    public static bool HasEndedChild() =>
        Wait(IdTypeAll, 0, WaitExited | WaitNoHang | WaitNoReap) > 0;

    /// <summary>The process that was waited for, 0 for none, -1 for an error.</summary>
    private static int Wait(int idType, int id, int options)
    {
        WaitedChild info = default;
        SyscallResult waited;
        do
        {
            waited = ProcessCalls.Result(ProcessCalls.waitid(idType, (uint)id, &info, options));
        }
        while (waited.Errno == ProcessErrno.Interrupted);
        return waited.IsSuccess ? info.Pid : -1;
    }
}
