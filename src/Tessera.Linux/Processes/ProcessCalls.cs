using System.Runtime.InteropServices;

namespace Tessera.Linux.Processes;

/// <summary>libc as this folder calls it. Nothing here decides anything.</summary>
internal static unsafe partial class ProcessCalls
{
    private const string Libc = "libc";

    [LibraryImport(Libc)]
    internal static partial int posix_spawn(
        int* pid, byte* path, byte* fileActions, byte* attributes, byte** argv, byte** envp);

    [LibraryImport(Libc)]
    internal static partial int posix_spawn_file_actions_init(byte* actions);

    [LibraryImport(Libc)]
    internal static partial int posix_spawn_file_actions_destroy(byte* actions);

    [LibraryImport(Libc)]
    internal static partial int posix_spawn_file_actions_addopen(
        byte* actions, int descriptor, byte* path, int flags, uint mode);

    [LibraryImport(Libc)]
    internal static partial int posix_spawn_file_actions_adddup2(
        byte* actions, int descriptor, int newDescriptor);

    [LibraryImport(Libc)]
    internal static partial int posix_spawn_file_actions_addchdir_np(byte* actions, byte* path);

    [LibraryImport(Libc)]
    internal static partial int posix_spawn_file_actions_addclosefrom_np(byte* actions, int from);

    [LibraryImport(Libc)]
    internal static partial int posix_spawnattr_init(byte* attributes);

    [LibraryImport(Libc)]
    internal static partial int posix_spawnattr_destroy(byte* attributes);

    [LibraryImport(Libc)]
    internal static partial int posix_spawnattr_setflags(byte* attributes, short flags);

    [LibraryImport(Libc)]
    internal static partial int posix_spawnattr_setsigdefault(byte* attributes, byte* signals);

    [LibraryImport(Libc)]
    internal static partial int posix_spawnattr_setsigmask(byte* attributes, byte* signals);

    [LibraryImport(Libc)]
    internal static partial int sigfillset(byte* signals);

    [LibraryImport(Libc)]
    internal static partial int sigemptyset(byte* signals);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial int pidfd_open(int pid, uint flags);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial int pidfd_send_signal(int pidfd, int signal, void* info, uint flags);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial int waitid(int idType, uint id, WaitedChild* info, int options);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial int kill(int pid, int signal);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial nint signal(int number, nint handler);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial int prctl(
        int option, nuint argument2, nuint argument3, nuint argument4, nuint argument5);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial int ioctl(int descriptor, nuint request, void* argument);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial int poll(PollEntry* entries, nuint count, int timeoutMs);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial int open(byte* path, int flags, uint mode);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial int mkfifo(byte* path, uint mode);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial int chown(byte* path, uint user, uint group);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial int pipe2(int* descriptors, int flags);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial int fcntl(int descriptor, int command, nint argument);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial int flock(int descriptor, int operation);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial nint read(int descriptor, byte* buffer, nuint count);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial nint splice(
        int source, long* sourceOffset, int target, long* targetOffset, nuint length, uint flags);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial nint tee(int source, int target, nuint length, uint flags);

    [LibraryImport(Libc)]
    internal static partial int getpwnam_r(
        byte* name, PasswordEntry* entry, byte* buffer, nuint length, PasswordEntry** result);

    [LibraryImport(Libc)]
    internal static partial int getpwuid_r(
        uint id, PasswordEntry* entry, byte* buffer, nuint length, PasswordEntry** result);

    [LibraryImport(Libc)]
    internal static partial int getgrnam_r(
        byte* name, GroupEntry* entry, byte* buffer, nuint length, GroupEntry** result);

    [LibraryImport(Libc)]
    internal static partial uint geteuid();

    [LibraryImport(Libc)]
    internal static partial uint getegid();

    [LibraryImport(Libc)]
    internal static partial int getgrouplist(byte* user, uint group, uint* groups, int* count);

    [LibraryImport(Libc)]
    internal static partial int setfsuid(uint user);

    [LibraryImport(Libc)]
    internal static partial int setfsgid(uint group);

    [LibraryImport(Libc, SetLastError = true)]
    internal static partial nint syscall(nint number, nint first, nint second);

    /// <summary>What a call that returns -1 on failure returned, as a value.</summary>
    internal static SyscallResult Result(long returned) => returned >= 0
        ? SyscallResult.Success(returned)
        : SyscallResult.Failure(Marshal.GetLastPInvokeError());
}

/// <summary>siginfo_t as waitid(2) fills it (x86-64 and arm64 alike).</summary>
[StructLayout(LayoutKind.Explicit, Size = 128)]
internal struct WaitedChild
{
    [FieldOffset(8)] internal int Code;
    [FieldOffset(16)] internal int Pid;
    [FieldOffset(24)] internal int Status;
}

/// <summary>struct pollfd.</summary>
internal struct PollEntry
{
    internal int Descriptor;
    internal short Events;
    internal short Returned;
}

/// <summary>struct passwd of glibc.</summary>
internal unsafe struct PasswordEntry
{
    internal byte* Name;
    internal byte* Password;
    internal uint UserId;
    internal uint GroupId;
    internal byte* Gecos;
    internal byte* Home;
    internal byte* Shell;
}

/// <summary>struct group of glibc.</summary>
internal unsafe struct GroupEntry
{
    internal byte* Name;
    internal byte* Password;
    internal uint GroupId;
    internal byte** Members;
}

/// <summary>struct pidfd_info up to Linux 6.15 (its first version with an exit code).</summary>
[StructLayout(LayoutKind.Explicit, Size = 64)]
internal struct PidfdDetails
{
    [FieldOffset(0)] internal ulong Mask;
    [FieldOffset(60)] internal int ExitStatus;
}
