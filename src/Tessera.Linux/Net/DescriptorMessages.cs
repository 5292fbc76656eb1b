using System.Runtime.InteropServices;
using static Tessera.Linux.Net.MessageCalls;

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

    private const int ControlLength = ControlHeaderLength + (MaxDescriptors * sizeof(int));

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
            var part = new MessagePart { Start = bytes, Length = (nuint)message.Length };
            var header = new MessageHeader { Parts = &part, PartCount = 1 };
            if (!descriptors.IsEmpty)
            {
                int length = ControlHeaderLength + (descriptors.Length * sizeof(int));
                *(nuint*)control = (nuint)length;
                *(int*)(control + 8) = SolSocket;
                *(int*)(control + 12) = ScmRights;
                descriptors.CopyTo(
                    new Span<int>(control + ControlHeaderLength, descriptors.Length));
                header.Control = control;
                header.ControlLength = (nuint)length;
            }

            return MessageCalls.Send(socket, &header);
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
            var part = new MessagePart { Start = bytes, Length = (nuint)message.Length };
            var header = new MessageHeader
            {
                Parts = &part,
                PartCount = 1,
                Control = control,
                ControlLength = ControlLength,
            };
            SyscallResult received = MessageCalls.Receive(socket, &header, MsgCloseOnExec);
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
        if (length < ControlHeaderLength || *(int*)(control + 8) != SolSocket
            || *(int*)(control + 12) != ScmRights)
        {
            return [];
        }

        int bytes = Math.Min((int)*(nuint*)control, length) - ControlHeaderLength;
        return new ReadOnlySpan<int>(control + ControlHeaderLength, bytes / sizeof(int)).ToArray();
    }

    private static SyscallResult From(nint result) =>
        result >= 0
            ? SyscallResult.Success(result)
            : SyscallResult.Failure(Marshal.GetLastSystemError());

    [LibraryImport(Library)]
    private static partial int getsockopt(
        int descriptor, int level, int name, void* value, int* length);
}
