using System.Runtime.InteropServices;

namespace Tessera.Linux.Net;

/// <summary>struct iovec.</summary>
internal unsafe struct MessagePart
{
    public byte* Start;
    public nuint Length;
}

/// <summary>struct msghdr of 64-bit Linux.</summary>
internal unsafe struct MessageHeader
{
    public void* Name;
    public ulong NameLength;
    public MessagePart* Parts;
    public nuint PartCount;
    public void* Control;
    public nuint ControlLength;
    public int Flags;
}

/// <summary>
/// Messages with what goes beside their bytes: addresses, control data (sendmsg(2), recvmsg(2)).
/// EINTR is handled here, EAGAIN is passed on. Stateless; safe from any thread.
/// </summary>
internal static unsafe partial class MessageCalls
{
    /// <summary>sizeof(struct cmsghdr): length, level, type.</summary>
    public const int ControlHeaderLength = 16;

    public const int MsgControlTruncated = 0x8;
    public const int MsgTruncated = 0x20;
    public const int MsgCloseOnExec = 0x40000000;

    private const string Library = "libc";
    private const int MsgNoSignal = 0x4000;

    public static SyscallResult Send(int descriptor, MessageHeader* message)
    {
        SyscallResult sent;
        do
        {
            sent = From(sendmsg(descriptor, message, MsgNoSignal));
        }
        while (sent.Errno == Errno.Interrupted);
        return sent;
    }

    public static SyscallResult Receive(int descriptor, MessageHeader* message, int flags)
    {
        SyscallResult received;
        do
        {
            received = From(recvmsg(descriptor, message, flags));
        }
        while (received.Errno == Errno.Interrupted);
        return received;
    }

    private static SyscallResult From(nint result) =>
        result >= 0
            ? SyscallResult.Success(result)
            : SyscallResult.Failure(Marshal.GetLastSystemError());

    [LibraryImport(Library)]
    private static partial nint sendmsg(int descriptor, MessageHeader* message, int flags);

    [LibraryImport(Library)]
    private static partial nint recvmsg(int descriptor, MessageHeader* message, int flags);
}
