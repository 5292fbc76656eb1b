using System.Buffers.Binary;
using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Tessera.Linux.Net;

/// <summary>
/// A sockaddr_in or sockaddr_in6 in the kernel's own layout, see ip(7) and ipv6(7): it is filled
/// by accept4 and read by connect and bind without conversion. Of a peer on a unix socket only the
/// family is known: it has no name.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public struct InternetAddress
{
    /// <summary>sizeof(struct sockaddr_in6), the longer of the two.</summary>
    public const int MaxLength = 28;

    /// <summary>Of an IPv6 address with an embedded IPv4 address and a scope.</summary>
    private const int MaxHostTextLength = 64;

    private const int IPv4Length = 16;
    private const ushort FamilyUnix = 1;
    private const ushort FamilyInet = 2;
    private const ushort FamilyInet6 = 10;

    private Storage _bytes;

    public InternetAddress(IPEndPoint address)
    {
        Span<byte> bytes = _bytes;
        BinaryPrimitives.WriteUInt16BigEndian(bytes[2..], (ushort)address.Port);
        if (address.AddressFamily == AddressFamily.InterNetwork)
        {
            MemoryMarshal.Write(bytes, FamilyInet);
            address.Address.TryWriteBytes(bytes[4..], out _);
        }
        else
        {
            MemoryMarshal.Write(bytes, FamilyInet6);
            address.Address.TryWriteBytes(bytes[8..], out _);
            MemoryMarshal.Write(bytes[24..], (uint)address.Address.ScopeId);
        }
    }

    /// <summary>AF_INET, AF_INET6 or AF_UNIX; 0 in an address that was never set.</summary>
    public readonly int Family => MemoryMarshal.Read<ushort>(Bytes);

    public readonly bool IsIPv4 => Family == FamilyInet;

    /// <summary>A connection within the machine, over a socket in the file system.</summary>
    public readonly bool IsUnix => Family == FamilyUnix;

    /// <summary>Length of the sockaddr in bytes.</summary>
    public readonly int Length => IsIPv4 ? IPv4Length : MaxLength;

    /// <summary>0 on a unix socket.</summary>
    public readonly int Port =>
        IsUnix ? 0 : BinaryPrimitives.ReadUInt16BigEndian(Bytes[2..]);

    /// <summary>
    /// The host address in network byte order: 4 bytes of IPv4, 16 of IPv6, none on a unix socket.
    /// </summary>
    [UnscopedRef]
    public readonly ReadOnlySpan<byte> Host =>
        IsIPv4 ? Bytes.Slice(4, 4) : IsUnix ? default : Bytes.Slice(8, 16);

    [UnscopedRef]
    private readonly ReadOnlySpan<byte> Bytes => _bytes;

    public readonly IPEndPoint ToIPEndPoint() => new(ToIPAddress(), Port);

    public readonly IPAddress ToIPAddress() => IsUnix ? IPAddress.None
        : IsIPv4 ? new IPAddress(Host) : new IPAddress(Host, MemoryMarshal.Read<uint>(Bytes[24..]));

    /// <summary>
    /// The host address as text, without port. A connection lives long with it, so nothing else is
    /// left behind for IPv4. "unix:" on a unix socket.
    /// </summary>
    public readonly byte[] HostText()
    {
        if (IsUnix)
        {
            return "unix:"u8.ToArray();
        }

        Span<byte> text = stackalloc byte[MaxHostTextLength];
        int length = 0;
        if (!IsIPv4)
        {
            ToIPAddress().TryFormat(text, out length);
            return text[..length].ToArray();
        }

        foreach (byte part in Host)
        {
            Utf8Formatter.TryFormat(part, text[length..], out int written);
            length += written;
            text[length++] = (byte)'.';
        }

        return text[..(length - 1)].ToArray();
    }

    public override readonly string ToString() =>
        IsUnix ? "unix:" : ToIPEndPoint().ToString();

    [InlineArray(MaxLength)]
    private struct Storage
    {
        private byte _first;
    }
}
