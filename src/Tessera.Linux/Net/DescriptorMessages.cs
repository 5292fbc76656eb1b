using System.Runtime.InteropServices;

namespace Tessera.Linux.Net;

/// <summary>
/// Messages over a unix socket that carry descriptors with them (SCM_RIGHTS, see unix(7) and
/// cmsg(3)). For sockets that keep messages apart (SOCK_SEQPACKET). Stateless; any thread.
/// </summary>
public static unsafe partial class DescriptorMessages
{
    /// <summary>Descriptors in one message; the kernel's own limit is 253 (SCM_MAX_FD).</summary>
    public const int MaxDescriptors = 128;

    private const string Library = "libc";
    private const int SolSocket = 1;
    private const int ScmRights = 1;
    private const int SoPeerCredentials = 17;
    private const int MsgControlTruncated = 0x8;
    private const int MsgTruncated = 0x20;
    private const int MsgNoSignal = 0x4000;
    private const int MsgCloseOnExec = 0x40000000;

    /// <summary>sizeof(struct cmsghdr): length, level, type.</summary>
    private const int HeaderLength = 16;
    private const int ControlLength = HeaderLength + (MaxDescriptors * sizeof(int));

    /// <summary>
    /// Sends a message with copies of <paramref name="descriptors"/>, at most
    /// <see cref="MaxDescriptors"/>; the caller's own stay open.
    /// </summary>
    public static SyscallResult Send(
        int socket, ReadOnlySpan<byte> message, ReadOnlySpan<int> descriptors)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(descriptors.Length, MaxDescriptors);
        byte* control = stackalloc byte[ControlLength];
        fixed (byte* bytes = message)
        {
            var part = new Part { Start = bytes, Length = (nuint)message.Length };
            var header = new MessageHeader { Parts = &part, PartCount = 1 };
            if (!descriptors.IsEmpty)
            {
                int length = HeaderLength + (descriptors.Length * sizeof(int));
                *(nuint*)control = (nuint)length;
                *(int*)(control + 8) = SolSocket;
                *(int*)(control + 12) = ScmRights;
                descriptors.CopyTo(new Span<int>(control + HeaderLength, descriptors.Length));
                header.Control = control;
                header.ControlLength = (nuint)length;
            }

            SyscallResult sent;
            do
            {
                sent = From(sendmsg(socket, &header, MsgNoSignal));
            }
            while (sent.Errno == Errno.Interrupted);
            return sent;
        }
    }

    /// <summary>
    /// Receives one message: its length, 0 at the end of the stream. Its descriptors are
    /// close-on-exec and the caller's. A message that does not fit fails with EMSGSIZE, and none of
    /// its descriptors is left open.
    /// </summary>
    public static SyscallResult Receive(int socket, Span<byte> message, out int[] descriptors)
    {
        descriptors = [];
        byte* control = stackalloc byte[ControlLength];
        fixed (byte* bytes = message)
        {
            var part = new Part { Start = bytes, Length = (nuint)message.Length };
            var header = new MessageHeader
            {
                Parts = &part,
                PartCount = 1,
                Control = control,
                ControlLength = ControlLength,
            };
            SyscallResult received;
            do
            {
                received = From(recvmsg(socket, &header, MsgCloseOnExec));
            }
            while (received.Errno == Errno.Interrupted);
            if (!received.IsSuccess)
            {
                return received;
            }

            descriptors = ReadDescriptors(control, (int)header.ControlLength);
            if ((header.Flags & (MsgTruncated | MsgControlTruncated)) == 0)
            {
                return received;
            }

            Array.ForEach(descriptors, SocketCalls.Close);
            descriptors = [];
            return SyscallResult.Failure(Errno.MessageTooLong);
        }
    }

    /// <summary>The process that connected, or listened, on the other side: its pid.</summary>
    public static SyscallResult GetPeerProcess(int socket)
    {
        int* credentials = stackalloc int[3];
        int length = 3 * sizeof(int);
        SyscallResult asked = From(
            getsockopt(socket, SolSocket, SoPeerCredentials, credentials, &length));
        return asked.IsSuccess ? SyscallResult.Success(credentials[0]) : asked;
    }

    private static int[] ReadDescriptors(byte* control, int length)
    {
        // One header at most: the sender of a message passes all of its descriptors in one.
        if (length < HeaderLength || *(int*)(control + 8) != SolSocket
            || *(int*)(control + 12) != ScmRights)
        {
            return [];
        }

        int bytes = Math.Min((int)*(nuint*)control, length) - HeaderLength;
        return new ReadOnlySpan<int>(control + HeaderLength, bytes / sizeof(int)).ToArray();
    }

    private static SyscallResult From(nint result) =>
        result >= 0
            ? SyscallResult.Success(result)
            : SyscallResult.Failure(Marshal.GetLastSystemError());

    [LibraryImport(Library)]
    private static partial nint sendmsg(int descriptor, MessageHeader* message, int flags);

    [LibraryImport(Library)]
    private static partial nint recvmsg(int descriptor, MessageHeader* message, int flags);

    [LibraryImport(Library)]
    private static partial int getsockopt(
        int descriptor, int level, int name, void* value, int* length);

    /// <summary>struct iovec.</summary>
    private struct Part
    {
        public byte* Start;
        public nuint Length;
    }

    /// <summary>struct msghdr of 64-bit Linux.</summary>
    private struct MessageHeader
    {
        public void* Name;
        public ulong NameLength;
        public Part* Parts;
        public nuint PartCount;
        public void* Control;
        public nuint ControlLength;
        public int Flags;
    }
}
