using System.Runtime.InteropServices;

namespace Tessera.Linux.Net;

/// <summary>The calls of eventfd(2): a counter in the kernel that wakes whoever polls it.</summary>
public static unsafe partial class EventFd
{
    private const string Library = "libc";
    private const int NonBlockCloseOnExec = 0x800 | 0x80000;

    public static SyscallResult Create()
    {
        int result = eventfd(0, NonBlockCloseOnExec);
        return result >= 0
            ? SyscallResult.Success(result)
            : SyscallResult.Failure(Marshal.GetLastSystemError());
    }

    /// <summary>Makes the descriptor readable; any thread.</summary>
    public static void Signal(int descriptor)
    {
        ulong one = 1;
        _ = write(descriptor, &one, sizeof(ulong));
    }

    /// <summary>Takes all signals, so that the next one is an edge again.</summary>
    public static void Drain(int descriptor)
    {
        ulong count;
        _ = read(descriptor, &count, sizeof(ulong));
    }

    [LibraryImport(Library)]
    private static partial int eventfd(uint initial, int flags);

    [LibraryImport(Library)]
    private static partial nint write(int descriptor, void* buffer, nuint length);

    [LibraryImport(Library)]
    private static partial nint read(int descriptor, void* buffer, nuint length);
}
