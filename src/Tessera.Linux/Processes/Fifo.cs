using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Tessera.Linux.Processes;

/// <summary>
/// Named pipes and the calls that move their bytes without reading them (fifo(7), splice(2)).
/// </summary>
public static unsafe class Fifo
{
    private const int OpenReadWrite = 2;
    private const int NonBlocking = 0x800;
    private const int CloseOnExec = 0x80000;
    private const int SetPipeSize = 1031;
    private const int GetPipeSize = 1032;
    private const uint SpliceMove = 1;
    private const uint SpliceNonBlocking = 2;
    private const uint BytesReadable = 0x541B;

    // O_NOFOLLOW is one of the few flags whose value depends on the machine.
    private static readonly int NoFollow =
        RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 0x8000 : 0x20000;

    /// <summary>Creates a FIFO that only its owner may open.</summary>
    public static SyscallResult Create(string path)
    {
        fixed (byte* name = ProcessSpawn.Terminated(path))
        {
            return ProcessCalls.Result(ProcessCalls.mkfifo(name, 0x180 /* 0600 */));
        }
    }

    /// <summary>
    /// Gives a file to another user, who may then open it again by <c>/dev/stdout</c>.
    /// </summary>
    public static SyscallResult SetOwner(string path, uint user, uint group)
    {
        fixed (byte* name = ProcessSpawn.Terminated(path))
        {
            return ProcessCalls.Result(ProcessCalls.chown(name, user, group));
        }
    }

    /// <summary>
    /// Opens a FIFO without ever blocking, for reading and writing: a reader that is a writer too
    /// never sees an end of file when the last real writer leaves. Follows no symbolic link;
    /// Invalid when it is something else than a FIFO.
    /// </summary>
    public static SyscallResult TryOpen(string path, out SafeFileHandle? handle)
    {
        SyscallResult opened;
        fixed (byte* name = ProcessSpawn.Terminated(path))
        {
            do
            {
                opened = ProcessCalls.Result(
                    ProcessCalls.open(
                    name, OpenReadWrite | NonBlocking | CloseOnExec | NoFollow, 0));
            }
            while (opened.Errno == ProcessErrno.Interrupted);
        }

        handle = opened.IsSuccess ? new SafeFileHandle(opened.IntValue, ownsHandle: true) : null;

        // fcntl(2): only a pipe has a size.
        if (handle is not null && ProcessCalls.fcntl(opened.IntValue, GetPipeSize, 0) < 0)
        {
            handle.Dispose();
            handle = null;
            return SyscallResult.Failure(ProcessErrno.Invalid);
        }

        return opened;
    }

    /// <summary>A pipe whose ends are closed on exec; the reading end never blocks.</summary>
    public static SyscallResult TryCreatePipe(
        out SafeFileHandle? reader, out SafeFileHandle? writer)
    {
        const int setStatusFlags = 4;
        int* ends = stackalloc int[2];
        SyscallResult created = ProcessCalls.Result(ProcessCalls.pipe2(ends, CloseOnExec));
        reader = created.IsSuccess ? new SafeFileHandle(ends[0], ownsHandle: true) : null;
        writer = created.IsSuccess ? new SafeFileHandle(ends[1], ownsHandle: true) : null;
        if (created.IsSuccess)
        {
            _ = ProcessCalls.fcntl(ends[0], setStatusFlags, NonBlocking);
        }

        return created;
    }

    /// <summary>
    /// Sets the pipe's capacity in bytes (fcntl(2) F_SETPIPE_SZ); the size it got.
    /// </summary>
    public static SyscallResult Resize(SafeFileHandle pipe, int bytes) =>
        ProcessCalls.Result(ProcessCalls.fcntl(Number(pipe), SetPipeSize, bytes));

    /// <summary>How many bytes wait in the pipe.</summary>
    public static int CountWaitingBytes(SafeFileHandle pipe)
    {
        int count = 0;
        return ProcessCalls.ioctl(Number(pipe), BytesReadable, &count) == 0 ? count : 0;
    }

    /// <summary>
    /// Moves bytes from a pipe to <paramref name="offset"/> of a file. They leave the pipe when
    /// they
    /// are in the file and not before. Again when the pipe is empty.
    /// </summary>
    public static SyscallResult MoveToFile(
        SafeFileHandle pipe, SafeFileHandle file, long offset, int maxBytes)
    {
        SyscallResult moved;
        do
        {
            moved = ProcessCalls.Result(ProcessCalls.splice(
                Number(pipe), null, Number(file), &offset, (nuint)maxBytes,
                SpliceMove | SpliceNonBlocking));
        }
        while (moved.Errno == ProcessErrno.Interrupted);
        return moved;
    }

    /// <summary>Copies bytes to another pipe and leaves them where they are (tee(2)).</summary>
    public static SyscallResult Peek(SafeFileHandle pipe, SafeFileHandle copy, int maxBytes)
    {
        SyscallResult copied;
        do
        {
            copied = ProcessCalls.Result(ProcessCalls.tee(
                Number(pipe), Number(copy), (nuint)maxBytes, SpliceNonBlocking));
        }
        while (copied.Errno == ProcessErrno.Interrupted);
        return copied;
    }

    /// <summary>Reads what is there; 0 at the end of file, Again when a pipe is empty.</summary>
    public static SyscallResult Read(SafeFileHandle handle, Span<byte> buffer)
    {
        SyscallResult got;
        fixed (byte* start = buffer)
        {
            do
            {
                got = ProcessCalls.Result(
                    ProcessCalls.read(Number(handle), start, (nuint)buffer.Length));
            }
            while (got.Errno == ProcessErrno.Interrupted);
        }

        return got;
    }

    private static int Number(SafeFileHandle handle) => (int)handle.DangerousGetHandle();
}
