using System.Net;
using System.Runtime.InteropServices;
using static Tessera.Linux.Net.MessageCalls;

namespace Tessera.Linux.Net;

/// <summary>
/// Datagrams of one socket that has many peers, see udp(7): who sent one, and to which address of
/// this machine. EINTR is handled here, EAGAIN is passed on. Stateless; safe from any thread.
/// </summary>
public static unsafe partial class DatagramCalls
{
    private const string Library = "libc";

    private const int SockDatagram = 2;
    private const int SockNonBlock = 0x800;
    private const int SockCloseOnExec = 0x80000;
    private const int IpProtoIP = 0;
    private const int IPPacketInfo = 8;
    private const int IpProtoIPv6 = 41;
    private const int IPv6ReceivePacketInfo = 49;
    private const int IPv6PacketInfo = 50;

    /// <summary>struct in_pktinfo: interface, local address, address of the header.</summary>
    private const int InfoLength = 12;

    /// <summary>struct in6_pktinfo: address, interface.</summary>
    private const int Info6Length = 20;

    private const int ControlLength = 64;

    /// <summary>A non-blocking, close-on-exec UDP socket of the address's family.</summary>
    public static SyscallResult Open(in InternetAddress address) =>
        From(socket(address.Family, SockDatagram | SockNonBlock | SockCloseOnExec, 0));

    /// <summary>
    /// IP_PKTINFO, IPV6_RECVPKTINFO: <see cref="Receive"/> tells where datagrams were sent to.
    /// </summary>
    public static SyscallResult TellLocalAddress(int descriptor, bool isIPv4)
    {
        int on = 1;
        return From(isIPv4
            ? setsockopt(descriptor, IpProtoIP, IPPacketInfo, &on, sizeof(int))
            : setsockopt(descriptor, IpProtoIPv6, IPv6ReceivePacketInfo, &on, sizeof(int)));
    }

    /// <summary>
    /// Takes one datagram: its bytes, of which those that do not fit are lost, and who sent it.
    /// </summary>
    /// <param name="local">
    /// Its destination, without port; not set unless <see cref="TellLocalAddress"/> asked.
    /// </param>
    public static SyscallResult Receive(
        int descriptor, Span<byte> buffer, out InternetAddress peer, out InternetAddress local)
    {
        peer = default;
        local = default;
        byte* control = stackalloc byte[ControlLength];
        fixed (byte* bytes = buffer)
        fixed (InternetAddress* name = &peer)
        {
            var part = new MessagePart { Start = bytes, Length = (nuint)buffer.Length };
            var header = new MessageHeader
            {
                Name = name,
                NameLength = InternetAddress.MaxLength,
                Parts = &part,
                PartCount = 1,
                Control = control,
                ControlLength = ControlLength,
            };
            SyscallResult received = MessageCalls.Receive(descriptor, &header, flags: 0);
            local = received.IsSuccess
                ? ReadLocal(control, (int)header.ControlLength)
                : default;
            return received;
        }
    }

    /// <summary>Sends one datagram as a whole.</summary>
    /// <param name="local">Sent from there; one that is not set leaves it to the kernel.</param>
    public static SyscallResult Send(
        int descriptor, ReadOnlySpan<byte> datagram, in InternetAddress peer,
        in InternetAddress local)
    {
        byte* control = stackalloc byte[ControlLength];
        fixed (byte* bytes = datagram)
        fixed (InternetAddress* name = &peer)
        {
            var part = new MessagePart { Start = bytes, Length = (nuint)datagram.Length };
            var header = new MessageHeader
            {
                Name = name,
                NameLength = (uint)peer.Length,
                Parts = &part,
                PartCount = 1,
            };
            if (local.Family != 0)
            {
                header.Control = control;
                header.ControlLength = WriteLocal(control, local);
            }

            return MessageCalls.Send(descriptor, &header);
        }
    }

    private static InternetAddress ReadLocal(byte* control, int length)
    {
        if (length < ControlHeaderLength)
        {
            return default;
        }

        int level = *(int*)(control + 8);
        int type = *(int*)(control + 12);
        byte* info = control + ControlHeaderLength;
        if (level == IpProtoIP && type == IPPacketInfo
            && length >= ControlHeaderLength + InfoLength)
        {
            return new InternetAddress(
                new IPEndPoint(new IPAddress(new ReadOnlySpan<byte>(info + 8, 4)), 0));
        }

        return level == IpProtoIPv6 && type == IPv6PacketInfo
            && length >= ControlHeaderLength + Info6Length
                ? new InternetAddress(
                    new IPEndPoint(new IPAddress(new ReadOnlySpan<byte>(info, 16)), 0))
                : default;
    }

    private static nuint WriteLocal(byte* control, in InternetAddress local)
    {
        int length = ControlHeaderLength + (local.IsIPv4 ? InfoLength : Info6Length);
        new Span<byte>(control, ControlLength).Clear();
        *(nuint*)control = (nuint)length;
        *(int*)(control + 8) = local.IsIPv4 ? IpProtoIP : IpProtoIPv6;
        *(int*)(control + 12) = local.IsIPv4 ? IPPacketInfo : IPv6PacketInfo;
        byte* address = control + ControlHeaderLength + (local.IsIPv4 ? 4 : 0);
        local.Host.CopyTo(new Span<byte>(address, local.Host.Length));

        // CMSG_SPACE: lengths count in words of eight bytes.
        return (nuint)((length + 7) & ~7);
    }

    private static SyscallResult From(int result) =>
        result >= 0
            ? SyscallResult.Success(result)
            : SyscallResult.Failure(Marshal.GetLastSystemError());

    [LibraryImport(Library)]
    private static partial int socket(int family, int type, int protocol);

    [LibraryImport(Library)]
    private static partial int setsockopt(
        int descriptor, int level, int name, void* value, int length);
}
