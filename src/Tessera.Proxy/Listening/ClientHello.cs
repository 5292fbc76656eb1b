using System.Buffers;
using System.Buffers.Binary;

namespace Tessera.Proxy.Listening;

/// <summary>What the first bytes of a client say of TLS.</summary>
internal enum ClientHelloStatus : byte
{
    /// <summary>More has to come first.</summary>
    Incomplete,

    /// <summary>The message was read to its end.</summary>
    Complete,

    /// <summary>This is no ClientHello, or not one of a version that is known.</summary>
    Foreign,
}

/// <summary>
/// Reads what a TLS client asks for in its first message (RFC 8446 section 4.1.2, RFC 6066 section
/// 3, RFC 7301 section 3.1) without taking part in the handshake. Begins anew with each call, over
/// all bytes so far; never reads beyond them, whatever lengths they claim. Owned by one exchange.
/// </summary>
internal sealed class ClientHello
{
    private const int RecordHeadBytes = 5;
    private const int MaxRecordBytes = (1 << 14) + 2_048;
    private const byte HandshakeRecord = 22;
    private const byte ClientHelloMessage = 1;
    private const int RandomBytes = 32;
    private const ushort ServerNameExtension = 0;
    private const ushort ProtocolsExtension = 16;
    private const ushort VersionsExtension = 43;

    private byte[] _serverName = [];
    private int _serverNameLength;
    private byte[] _protocols = [];
    private int _protocolsLength;
    private ushort _version;

    /// <summary>As the client names the server; empty when it does not.</summary>
    public ReadOnlySpan<byte> ServerName => _serverName.AsSpan(0, _serverNameLength);

    /// <summary>What the client offers to speak, with commas between.</summary>
    public ReadOnlySpan<byte> Protocols => _protocols.AsSpan(0, _protocolsLength);

    /// <summary>The highest that the client offers, in nginx's words; empty if unknown.</summary>
    public ReadOnlySpan<byte> Version => _version switch
    {
        0x0002 => "SSLv2"u8,
        0x0300 => "SSLv3"u8,
        0x0301 => "TLSv1"u8,
        0x0302 => "TLSv1.1"u8,
        0x0303 => "TLSv1.2"u8,
        0x0304 => "TLSv1.3"u8,
        _ => default,
    };

    public void Reset()
    {
        _serverNameLength = 0;
        _protocolsLength = 0;
        _version = 0;
    }

    /// <summary>Looks at all that has come so far.</summary>
    public ClientHelloStatus Parse(ReadOnlySpan<byte> received)
    {
        Reset();

        // The message may be spread over several records; it is put together as far as it came.
        byte[] message = ArrayPool<byte>.Shared.Rent(received.Length);
        ClientHelloStatus status = Join(received, message, out int length);
        status = status == ClientHelloStatus.Foreign
            ? status
            : ReadMessage(message.AsSpan(0, length));
        ArrayPool<byte>.Shared.Return(message);
        return status;
    }

    private ClientHelloStatus ReadMessage(ReadOnlySpan<byte> rest)
    {
        if (rest.Length < 4)
        {
            return ClientHelloStatus.Incomplete;
        }

        if (rest[0] != ClientHelloMessage)
        {
            return ClientHelloStatus.Foreign;
        }

        int messageLength = (rest[1] << 16) | (rest[2] << 8) | rest[3];
        rest = rest[4..];
        if (rest.Length < messageLength)
        {
            return ClientHelloStatus.Incomplete;
        }

        return ReadBody(rest[..messageLength])
            ? ClientHelloStatus.Complete
            : ClientHelloStatus.Foreign;
    }

    /// <summary>Foreign as soon as a record is not one of a TLS handshake.</summary>
    private ClientHelloStatus Join(
        ReadOnlySpan<byte> received, Span<byte> message, out int length)
    {
        length = 0;
        while (received.Length >= RecordHeadBytes)
        {
            // An SSL 2 hello has a length of two bytes with the first bit set, and its own type.
            if (length == 0 && (received[0] & 0x80) != 0 && received[2] == ClientHelloMessage)
            {
                _version = received[3] == 0 && received[4] == 2
                    ? (ushort)2
                    : BinaryPrimitives.ReadUInt16BigEndian(received[3..]);
                return ClientHelloStatus.Foreign;
            }

            int recordLength = BinaryPrimitives.ReadUInt16BigEndian(received[3..]);
            if (received[0] != HandshakeRecord || received[1] != 3
                || recordLength is 0 or > MaxRecordBytes)
            {
                return ClientHelloStatus.Foreign;
            }

            received = received[RecordHeadBytes..];
            int present = Math.Min(recordLength, received.Length);
            received[..present].CopyTo(message[length..]);
            length += present;
            received = received[present..];
            if (present < recordLength)
            {
                break;
            }
        }

        return ClientHelloStatus.Incomplete;
    }

    private bool ReadBody(ReadOnlySpan<byte> body)
    {
        if (body.Length < 2 + RandomBytes)
        {
            return false;
        }

        _version = BinaryPrimitives.ReadUInt16BigEndian(body);
        body = body[(2 + RandomBytes)..];

        // Session, cipher suites, compression: of no interest here.
        if (!TryTake(ref body, 1, out _) || !TryTake(ref body, 2, out _)
            || !TryTake(ref body, 1, out _))
        {
            return false;
        }

        if (body.IsEmpty)
        {
            return true;
        }

        if (!TryTake(ref body, 2, out ReadOnlySpan<byte> extensions))
        {
            return false;
        }

        while (extensions.Length >= 4)
        {
            ushort type = BinaryPrimitives.ReadUInt16BigEndian(extensions);
            extensions = extensions[2..];
            if (!TryTake(ref extensions, 2, out ReadOnlySpan<byte> content)
                || !ReadExtension(type, content))
            {
                return false;
            }
        }

        return true;
    }

    private bool ReadExtension(ushort type, ReadOnlySpan<byte> content) => type switch
    {
        ServerNameExtension => ReadServerName(content),
        ProtocolsExtension => ReadProtocols(content),
        VersionsExtension => ReadVersions(content),
        _ => true,
    };

    /// <summary>The first name of type host_name.</summary>
    private bool ReadServerName(ReadOnlySpan<byte> content)
    {
        if (!TryTake(ref content, 2, out ReadOnlySpan<byte> names))
        {
            return false;
        }

        while (!names.IsEmpty)
        {
            byte type = names[0];
            names = names[1..];
            if (!TryTake(ref names, 2, out ReadOnlySpan<byte> name))
            {
                return false;
            }

            if (type == 0)
            {
                Keep(name, ref _serverName);
                _serverNameLength = name.Length;
                return true;
            }
        }

        return true;
    }

    private bool ReadProtocols(ReadOnlySpan<byte> content)
    {
        if (!TryTake(ref content, 2, out ReadOnlySpan<byte> list))
        {
            return false;
        }

        // Each has a byte of length, in whose place a comma comes.
        Keep(list, ref _protocols);
        int length = 0;
        while (!list.IsEmpty)
        {
            if (!TryTake(ref list, 1, out ReadOnlySpan<byte> protocol) || protocol.IsEmpty)
            {
                return false;
            }

            if (length > 0)
            {
                _protocols[length++] = (byte)',';
            }

            protocol.CopyTo(_protocols.AsSpan(length));
            length += protocol.Length;
        }

        _protocolsLength = length;
        return true;
    }

    /// <summary>The highest that is known; others are there to be passed over.</summary>
    private bool ReadVersions(ReadOnlySpan<byte> content)
    {
        if (!TryTake(ref content, 1, out ReadOnlySpan<byte> versions))
        {
            return false;
        }

        ushort highest = 0;
        for (; versions.Length >= 2; versions = versions[2..])
        {
            ushort version = BinaryPrimitives.ReadUInt16BigEndian(versions);
            highest = version is > 0x0300 and <= 0x0304 && version > highest ? version : highest;
        }

        _version = highest > 0 ? highest : _version;
        return true;
    }

    private static void Keep(ReadOnlySpan<byte> text, ref byte[] kept)
    {
        kept = kept.Length < text.Length ? new byte[text.Length] : kept;
        text.CopyTo(kept);
    }

    /// <summary>
    /// Takes what a length of so many bytes announces; false when it is not there.
    /// </summary>
    private static bool TryTake(
        ref ReadOnlySpan<byte> from, int lengthBytes, out ReadOnlySpan<byte> taken)
    {
        taken = default;
        if (from.Length < lengthBytes)
        {
            return false;
        }

        int length = lengthBytes == 1
            ? from[0]
            : BinaryPrimitives.ReadUInt16BigEndian(from);
        from = from[lengthBytes..];
        if (from.Length < length)
        {
            return false;
        }

        taken = from[..length];
        from = from[length..];
        return true;
    }
}
