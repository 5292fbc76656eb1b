using System.Buffers.Binary;
using System.Net;

namespace Tessera.Proxy.Access;

/// <summary>
/// Addresses as numbers of 128 bits, IPv4 mapped into IPv6 (RFC 4291 section 2.5.5.2). Stateless.
/// </summary>
internal static class AddressText
{
    private const ulong Mapped = 0xFFFF_0000_0000;

    /// <param name="host">4 or 16 bytes in network order; empty for a unix socket.</param>
    public static UInt128 Read(ReadOnlySpan<byte> host) => host.Length switch
    {
        4 => Mapped | BinaryPrimitives.ReadUInt32BigEndian(host),
        16 => BinaryPrimitives.ReadUInt128BigEndian(host),
        _ => 0,
    };

    /// <summary>An address without port and brackets.</summary>
    public static bool TryParse(ReadOnlySpan<byte> text, out UInt128 address)
    {
        bool isAddress = TryParse(text, out IPAddress? parsed);
        address = isAddress ? Of(parsed!) : 0;
        return isAddress;
    }

    /// <summary>An address, perhaps with a port behind it, or in brackets.</summary>
    public static bool TryParseEndPoint(
        ReadOnlySpan<byte> text, out IPAddress? address, out int port)
    {
        address = null;
        port = 0;
        Span<char> chars = stackalloc char[64];
        if (text.IsEmpty || text.Length > chars.Length
            || text.IndexOfAnyExceptInRange((byte)0x21, (byte)0x7E) >= 0)
        {
            return false;
        }

        chars = chars[..System.Text.Encoding.ASCII.GetChars(text, chars)];
        if (!IPEndPoint.TryParse(chars, out IPEndPoint? parsed))
        {
            return false;
        }

        address = parsed.Address;
        port = parsed.Port;
        return true;
    }

    public static UInt128 Of(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out int length);
        return Read(bytes[..length]);
    }

    private static bool TryParse(ReadOnlySpan<byte> text, out IPAddress? address) =>
        TryParseEndPoint(text, out address, out int port) && port == 0;
}
