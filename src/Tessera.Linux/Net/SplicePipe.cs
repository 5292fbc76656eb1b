using Tessera.Linux.Processes;

namespace Tessera.Linux.Net;

/// <summary>
/// A pipe through which bytes go from one socket to another without being read: pages change hands
/// inside the kernel (splice(2)). EINTR is handled here. Not thread-safe.
/// </summary>
public sealed unsafe class SplicePipe : IDisposable
{
    private const int NonBlocking = 0x800;
    private const int CloseOnExec = 0x80000;
    private const int SetPipeSize = 1031;
    private const uint SpliceMove = 1;
    private const uint SpliceNonBlocking = 2;

    private readonly int _out;
    private readonly int _in;

    private SplicePipe(int output, int input)
    {
        _out = output;
        _in = input;
    }

    /// <summary>Bytes in the pipe.</summary>
    public int Held { get; private set; }

    /// <summary>
    /// Fails where descriptors have run out, or where the user's pipes have (pipe(7),
    /// pipe-user-pages-soft) and none of that many <paramref name="bytes"/> is given any more.
    /// </summary>
    public static SyscallResult TryCreate(int bytes, out SplicePipe? pipe)
    {
        pipe = null;
        int* ends = stackalloc int[2];
        SyscallResult created = ProcessCalls.Result(
            ProcessCalls.pipe2(ends, NonBlocking | CloseOnExec));
        if (!created.IsSuccess)
        {
            return created;
        }

        SyscallResult sized = ProcessCalls.Result(
            ProcessCalls.fcntl(ends[1], SetPipeSize, bytes));
        if (!sized.IsSuccess)
        {
            SocketCalls.Close(ends[0]);
            SocketCalls.Close(ends[1]);
            return sized;
        }

        pipe = new SplicePipe(ends[0], ends[1]);
        return sized;
    }

    /// <summary>
    /// From a socket into the empty pipe; 0 at the end of the peer's stream. Fewer bytes than asked
    /// for may mean either that the socket is empty or that the pipe is full.
    /// </summary>
    public SyscallResult Fill(int socket, int length)
    {
        SyscallResult moved = Move(socket, _in, length);
        Held += moved.IsSuccess ? moved.IntValue : 0;
        return moved;
    }

    /// <summary>From the pipe into a socket.</summary>
    public SyscallResult Drain(int socket, int length)
    {
        SyscallResult moved = Move(_out, socket, length);
        Held -= moved.IsSuccess ? moved.IntValue : 0;
        return moved;
    }

    /// <summary>Takes bytes out of the pipe.</summary>
    public SyscallResult Read(Span<byte> buffer)
    {
        fixed (byte* pointer = buffer)
        {
            SyscallResult read = ProcessCalls.Result(
                ProcessCalls.read(_out, pointer, (nuint)buffer.Length));
            Held -= read.IsSuccess ? read.IntValue : 0;
            return read;
        }
    }

    public void Dispose()
    {
        SocketCalls.Close(_out);
        SocketCalls.Close(_in);
    }

    private static SyscallResult Move(int source, int target, int length)
    {
        while (true)
        {
            SyscallResult moved = ProcessCalls.Result(ProcessCalls.splice(
                source, null, target, null, (nuint)length, SpliceMove | SpliceNonBlocking));
            if (moved.Errno != Errno.Interrupted)
            {
                return moved;
            }
        }
    }
}
