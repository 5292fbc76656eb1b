using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Tessera.Linux.Net;

namespace Tessera.Linux.Files;

/// <summary>
/// The calls of libc that open, read and send files. Paths are bytes that end with NUL. EINTR is
/// handled here. Stateless; safe from any thread. All of them may wait for a disk.
/// </summary>
public static unsafe partial class FileCalls
{
    private const string Library = "libc";

    // The numbers of x86-64, the only processor this program is built for.
    private const long OpenAt2 = 437;

    private const int CurrentFolder = -100;
    private const int ReadOnly = 0;
    private const int NoTerminal = 0x100;
    private const int NonBlocking = 0x800;
    private const int FolderOnly = 0x10000;
    private const int NoFollow = 0x20000;
    private const int CloseOnExec = 0x80000;
    private const int PathOnly = 0x200000;

    private const ulong NoMagicLinks = 0x02;
    private const ulong Beneath = 0x08;

    private const int EmptyPath = 0x1000;
    private const uint BasicStatus = 0x7FF;

    /// <summary>A resolution that raced with a rename is tried so often, see openat2(2).</summary>
    private const int MaxRaces = 8;

    private const int MaxNameBytes = 255;

    private static readonly bool HasOpenAt2 = ProbeOpenAt2();

    /// <summary>Opens a folder as a place to open from, not to be read itself.</summary>
    public static SyscallResult OpenRoot(ReadOnlySpan<byte> path)
    {
        fixed (byte* pointer = path)
        {
            return IsTerminated(path)
                ? Open(CurrentFolder, pointer, PathOnly | FolderOnly)
                : SyscallResult.Failure(FileErrno.Invalid);
        }
    }

    /// <summary>
    /// Opens what <paramref name="path"/>, relative and not empty, leads to for reading. With
    /// <paramref name="staysBelow"/> a path that leaves <paramref name="root"/>, by dots or by a
    /// symbolic link, fails with EXDEV; where the kernel lacks openat2(2), any link fails.
    /// </summary>
    public static SyscallResult OpenBelow(
        int root, ReadOnlySpan<byte> path, bool staysBelow, bool isFolder = false)
    {
        if (!IsTerminated(path))
        {
            return SyscallResult.Failure(FileErrno.Invalid);
        }

        // A pipe must not keep its opener waiting for a writer.
        int flags = ReadOnly | NonBlocking | NoTerminal | (isFolder ? FolderOnly : 0);
        fixed (byte* pointer = path)
        {
            return !staysBelow ? Open(root, pointer, flags)
                : HasOpenAt2 ? OpenResolved(root, pointer, flags)
                : OpenBySteps(root, path, flags);
        }
    }

    /// <summary>As <see cref="OpenBelow"/> on a kernel without openat2(2).</summary>
    public static SyscallResult OpenBelowBySteps(int root, ReadOnlySpan<byte> path) =>
        OpenBySteps(root, path, ReadOnly | NonBlocking | NoTerminal);

    public static SyscallResult GetStatus(int descriptor, out FileStatus status)
    {
        byte empty = 0;
        return GetStatus(descriptor, &empty, EmptyPath, out status);
    }

    /// <summary>Follows a symbolic link.</summary>
    public static SyscallResult GetStatus(
        int folder, ReadOnlySpan<byte> name, out FileStatus status)
    {
        status = default;
        fixed (byte* pointer = name)
        {
            return IsTerminated(name)
                ? GetStatus(folder, pointer, 0, out status)
                : SyscallResult.Failure(FileErrno.Invalid);
        }
    }

    /// <summary>Bytes read from <paramref name="offset"/> on; 0 at the end of the file.</summary>
    public static SyscallResult Read(int descriptor, Span<byte> buffer, long offset)
    {
        fixed (byte* pointer = buffer)
        {
            while (true)
            {
                nint count = pread(descriptor, pointer, (nuint)buffer.Length, offset);
                if (count >= 0 || Marshal.GetLastSystemError() != Errno.Interrupted)
                {
                    return From(count);
                }
            }
        }
    }

    /// <summary>
    /// sendfile(2): bytes that went from the file into the socket, fewer than asked for when it is
    /// full or the file ends; 0 at the file's end. It cannot be told to leave SIGPIPE out, as send
    /// can; .NET's runtime ignores that signal from its start.
    /// </summary>
    public static SyscallResult Send(int socket, int file, long offset, int length)
    {
        while (true)
        {
            nint count = sendfile(socket, file, &offset, (nuint)length);
            if (count >= 0 || Marshal.GetLastSystemError() != Errno.Interrupted)
            {
                return From(count);
            }
        }
    }

    public static void Close(int descriptor) => SocketCalls.Close(descriptor);

    private static bool IsTerminated(ReadOnlySpan<byte> path) =>
        path.Length > 1 && path.IndexOf((byte)0) == path.Length - 1;

    private static SyscallResult Open(int folder, byte* path, int flags)
    {
        while (true)
        {
            int result = openat(folder, path, flags | CloseOnExec, 0);
            if (result >= 0 || Marshal.GetLastSystemError() != Errno.Interrupted)
            {
                return From(result);
            }
        }
    }

    /// <summary>
    /// RESOLVE_BENEATH holds for every component at the moment it is walked, so no link that is
    /// swapped meanwhile leads out.
    /// </summary>
    private static SyscallResult OpenResolved(int root, byte* path, int flags)
    {
        var how = new OpenHow
        {
            Flags = (ulong)(flags | CloseOnExec),
            Resolve = Beneath | NoMagicLinks,
        };
        SyscallResult result;
        int races = 0;
        do
        {
            result = From((nint)syscall(OpenAt2, root, path, &how, sizeof(OpenHow)));
            races += result.Errno == Errno.TryAgain ? 1 : 0;
        }
        while (result.Errno == Errno.Interrupted
            || (result.Errno == Errno.TryAgain && races < MaxRaces));
        return result;
    }

    /// <summary>One name at a time, and no links: none can be swapped in between.</summary>
    private static SyscallResult OpenBySteps(int root, ReadOnlySpan<byte> path, int flags)
    {
        if (!IsTerminated(path))
        {
            return SyscallResult.Failure(FileErrno.Invalid);
        }

        if (path[0] == '/')
        {
            return SyscallResult.Failure(FileErrno.OutOfFolder);
        }

        Span<byte> name = stackalloc byte[MaxNameBytes + 1];
        ReadOnlySpan<byte> rest = path[..^1];
        int folder = root;
        while (true)
        {
            int slash = rest.IndexOf((byte)'/');
            ReadOnlySpan<byte> step = slash < 0 ? rest : rest[..slash];
            rest = slash < 0 ? default : rest[(slash + 1)..];
            bool isLast = rest.Trim((byte)'/').IsEmpty;
            int last = flags | (slash < 0 ? 0 : FolderOnly);
            SyscallResult opened =
                step.SequenceEqual(".."u8) ? SyscallResult.Failure(FileErrno.OutOfFolder)
                : step.Length > MaxNameBytes ? SyscallResult.Failure(FileErrno.NameTooLong)
                : Step(folder, step, name, isLast ? last : PathOnly | FolderOnly);
            if (folder != root)
            {
                Close(folder);
            }

            if (!opened.IsSuccess || isLast)
            {
                return opened;
            }

            folder = opened.IntValue;
        }
    }

    private static SyscallResult Step(
        int folder, ReadOnlySpan<byte> step, Span<byte> name, int flags)
    {
        ReadOnlySpan<byte> target = step.IsEmpty ? "."u8 : step;
        target.CopyTo(name);
        name[target.Length] = 0;
        fixed (byte* pointer = name)
        {
            return Open(folder, pointer, flags | NoFollow);
        }
    }

    private static SyscallResult GetStatus(
        int folder, byte* name, int flags, out FileStatus status)
    {
        StatusBuffer buffer;
        SyscallResult result = From(statx(folder, name, flags, BasicStatus, &buffer));
        status = result.IsSuccess ? buffer.ToStatus() : default;
        return result;
    }

    /// <summary>
    /// ENOSYS before Linux 5.6; a sandbox that does not know the call may refuse it instead.
    /// </summary>
    private static bool ProbeOpenAt2()
    {
        fixed (byte* path = "."u8)
        {
            SyscallResult result = OpenResolved(CurrentFolder, path, PathOnly | FolderOnly);
            if (result.IsSuccess)
            {
                Close(result.IntValue);
            }

            return result.Errno is not (FileErrno.NoSystemCall or FileErrno.NotPermitted);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static SyscallResult From(nint result) =>
        result >= 0
            ? SyscallResult.Success(result)
            : SyscallResult.Failure(Marshal.GetLastSystemError());

    [LibraryImport(Library)]
    private static partial int openat(int folder, byte* path, int flags, uint mode);

    [LibraryImport(Library)]
    private static partial long syscall(
        long number, long folder, byte* path, OpenHow* how, long size);

    [LibraryImport(Library)]
    private static partial int statx(
        int folder, byte* path, int flags, uint mask, StatusBuffer* buffer);

    [LibraryImport(Library)]
    private static partial nint pread(int descriptor, byte* buffer, nuint length, long offset);

    [LibraryImport(Library)]
    private static partial nint sendfile(int socket, int file, long* offset, nuint count);

    private struct OpenHow
    {
        public ulong Flags;
        public ulong Mode;
        public ulong Resolve;
    }

    /// <summary>struct statx; its layout is the same on all processors.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct StatusBuffer
    {
        private const int TypeMask = 0xF000;
        private const int TypeRegular = 0x8000;
        private const int TypeFolder = 0x4000;
        private const int OwnerMayExecute = 0x40;

        [FieldOffset(20)]
        public uint Owner;

        [FieldOffset(28)]
        public ushort Mode;

        [FieldOffset(32)]
        public ulong Inode;

        [FieldOffset(40)]
        public long Length;

        [FieldOffset(96)]
        public long ChangedSeconds;

        [FieldOffset(104)]
        public uint ChangedNs;

        [FieldOffset(112)]
        public long ModifiedSeconds;

        [FieldOffset(120)]
        public uint ModifiedNs;

        [FieldOffset(136)]
        public uint DeviceMajor;

        [FieldOffset(140)]
        public uint DeviceMinor;

        public readonly FileStatus ToStatus() => new(
            (Mode & TypeMask) switch
            {
                TypeRegular => FileKind.Regular,
                TypeFolder => FileKind.Folder,
                _ => FileKind.Other,
            },
            Length,
            (ModifiedSeconds * 1_000_000_000) + ModifiedNs,
            (ChangedSeconds * 1_000_000_000) + ChangedNs,
            Inode,
            ((ulong)DeviceMajor << 32) | DeviceMinor)
        {
            IsExecutable = (Mode & OwnerMayExecute) != 0,
        };
    }
}
