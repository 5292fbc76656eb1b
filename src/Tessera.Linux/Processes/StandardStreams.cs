using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Tessera.Linux.Net;

namespace Tessera.Linux.Processes;

/// <summary>stdout and stderr of this process. Safe from any thread.</summary>
public static unsafe partial class StandardStreams
{
    private const string Library = "libc";

    /// <summary>O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC.</summary>
    private const int OpenFlags = 0x1 | 0x40 | 0x400 | 0x80000;

    private const uint OwnerOnly = 0x180;

    /// <summary>
    /// Points both to the end of a file, which is made when it is not there: where they wrote to
    /// before gets nothing more, see dup3(2).
    /// </summary>
    public static SyscallResult Redirect(string path)
    {
        int descriptor;
        fixed (byte* name = Encoding.UTF8.GetBytes(path + '\0'))
        {
            descriptor = open(name, OpenFlags, OwnerOnly);
        }

        if (descriptor < 0)
        {
            return SyscallResult.Failure(Marshal.GetLastSystemError());
        }

        bool isDone = dup3(descriptor, 1, 0) >= 0 && dup3(descriptor, 2, 0) >= 0;
        int errno = Marshal.GetLastSystemError();
        SocketCalls.Close(descriptor);
        return isDone ? SyscallResult.Success(0) : SyscallResult.Failure(errno);
    }

    /// <summary>Points both elsewhere; the descriptors stay the caller's.</summary>
    public static SyscallResult Replace(SafeFileHandle output, SafeFileHandle error)
    {
        bool isDone = dup3((int)output.DangerousGetHandle(), 1, 0) >= 0
            && dup3((int)error.DangerousGetHandle(), 2, 0) >= 0;
        return isDone
            ? SyscallResult.Success(0)
            : SyscallResult.Failure(Marshal.GetLastSystemError());
    }

    [LibraryImport(Library)]
    private static partial int open(byte* path, int flags, uint mode);

    [LibraryImport(Library)]
    private static partial int dup3(int from, int to, int flags);
}
