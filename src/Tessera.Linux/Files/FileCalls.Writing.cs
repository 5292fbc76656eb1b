using System.Runtime.InteropServices;
using Tessera.Linux.Net;

namespace Tessera.Linux.Files;

/// <summary>The calls of libc that make files, write to them, and move and remove them.</summary>
public static unsafe partial class FileCalls
{
    private const int WriteOnly = 0x1;
    private const int ReadWrite = 0x2;
    private const int Create = 0x40;
    private const int Exclusive = 0x80;
    private const int AtItsEnd = 0x400;

    /// <summary>UTIME_OMIT, see utimensat(2).</summary>
    private const long Unchanged = 0x3FFFFFFE;

    /// <summary>Makes a file that does not exist yet, for reading and writing.</summary>
    /// <param name="mode">Permissions, less those of umask(2).</param>
    public static SyscallResult CreateNew(ReadOnlySpan<byte> path, uint mode)
    {
        if (!IsTerminated(path))
        {
            return SyscallResult.Failure(FileErrno.Invalid);
        }

        fixed (byte* pointer = path)
        {
            while (true)
            {
                int result = openat(
                    CurrentFolder, pointer, ReadWrite | Create | Exclusive | CloseOnExec, mode);
                if (result >= 0 || Marshal.GetLastSystemError() != Errno.Interrupted)
                {
                    return From(result);
                }
            }
        }
    }

    /// <summary>
    /// Opens a file, or makes it, for <see cref="Append"/>: whatever is written comes behind all
    /// that any program has written to it (O_APPEND, open(2)).
    /// </summary>
    /// <param name="mode">Permissions of a new one, less those of umask(2).</param>
    public static SyscallResult OpenForAppending(ReadOnlySpan<byte> path, uint mode)
    {
        if (!IsTerminated(path))
        {
            return SyscallResult.Failure(FileErrno.Invalid);
        }

        const int flags = WriteOnly | Create | AtItsEnd | NoTerminal | CloseOnExec;
        fixed (byte* pointer = path)
        {
            while (true)
            {
                int result = openat(CurrentFolder, pointer, flags, mode);
                if (result >= 0 || Marshal.GetLastSystemError() != Errno.Interrupted)
                {
                    return From(result);
                }
            }
        }
    }

    /// <summary>
    /// Writes all of it where the descriptor stands, or fails: how much was written before is not
    /// told.
    /// </summary>
    public static SyscallResult Append(int descriptor, ReadOnlySpan<byte> bytes)
    {
        fixed (byte* pointer = bytes)
        {
            int written = 0;
            while (written < bytes.Length)
            {
                nint count = write(
                    descriptor, pointer + written, (nuint)(bytes.Length - written));
                if (count >= 0)
                {
                    written += (int)count;
                }
                else if (Marshal.GetLastSystemError() != Errno.Interrupted)
                {
                    return From(count);
                }
            }

            return SyscallResult.Success(written);
        }
    }

    /// <summary>Writes all of it at <paramref name="offset"/>, or fails.</summary>
    public static SyscallResult Write(int descriptor, ReadOnlySpan<byte> bytes, long offset)
    {
        fixed (byte* pointer = bytes)
        {
            int written = 0;
            while (written < bytes.Length)
            {
                nint count = pwrite(
                    descriptor,
                    pointer + written,
                    (nuint)(bytes.Length - written),
                    offset + written);
                if (count >= 0)
                {
                    written += (int)count;
                }
                else if (Marshal.GetLastSystemError() != Errno.Interrupted)
                {
                    return From(count);
                }
            }

            return SyscallResult.Success(written);
        }
    }

    /// <summary>Takes a file's name away; whoever has it open goes on reading it.</summary>
    public static SyscallResult Remove(ReadOnlySpan<byte> path)
    {
        fixed (byte* pointer = path)
        {
            return IsTerminated(path)
                ? From(unlink(pointer))
                : SyscallResult.Failure(FileErrno.Invalid);
        }
    }

    /// <summary>Gives a file another name, at once and in the place of whatever has it.</summary>
    public static SyscallResult Rename(ReadOnlySpan<byte> path, ReadOnlySpan<byte> target)
    {
        fixed (byte* from = path)
        fixed (byte* to = target)
        {
            return IsTerminated(path) && IsTerminated(target)
                ? From(rename(from, to))
                : SyscallResult.Failure(FileErrno.Invalid);
        }
    }

    /// <param name="mode">Permissions, less those of umask(2).</param>
    public static SyscallResult MakeFolder(ReadOnlySpan<byte> path, uint mode)
    {
        fixed (byte* pointer = path)
        {
            return IsTerminated(path)
                ? From(mkdir(pointer, mode))
                : SyscallResult.Failure(FileErrno.Invalid);
        }
    }

    /// <summary>Sets permissions, whatever umask(2) says.</summary>
    public static SyscallResult SetMode(int descriptor, uint mode) =>
        From(fchmod(descriptor, mode));

    /// <summary>As the other, of what has the name.</summary>
    public static SyscallResult SetMode(ReadOnlySpan<byte> path, uint mode)
    {
        if (!IsTerminated(path))
        {
            return SyscallResult.Failure(FileErrno.Invalid);
        }

        fixed (byte* pointer = path)
        {
            return From(chmod(pointer, mode));
        }
    }

    /// <summary>Sets when it was changed, in seconds since 1970.</summary>
    public static SyscallResult SetModified(int descriptor, long seconds)
    {
        long* times = stackalloc long[4];
        times[0] = 0;
        times[1] = Unchanged;
        times[2] = seconds;
        times[3] = 0;
        return From(futimens(descriptor, times));
    }

    [LibraryImport(Library)]
    private static partial nint write(int descriptor, byte* bytes, nuint length);

    [LibraryImport(Library)]
    private static partial nint pwrite(int descriptor, byte* bytes, nuint length, long offset);

    [LibraryImport(Library)]
    private static partial int unlink(byte* path);

    [LibraryImport(Library)]
    private static partial int rename(byte* path, byte* target);

    [LibraryImport(Library)]
    private static partial int mkdir(byte* path, uint mode);

    [LibraryImport(Library)]
    private static partial int chmod(byte* path, uint mode);

    [LibraryImport(Library)]
    private static partial int fchmod(int descriptor, uint mode);

    [LibraryImport(Library)]
    private static partial int futimens(int descriptor, long* times);
}
