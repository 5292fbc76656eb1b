using System.Buffers.Binary;
using System.Buffers.Text;

namespace Tessera.Proxy.Listening;

/// <summary>
/// What the second version of the PROXY protocol says beyond addresses: fields of a type, a length
/// and a value (its doc/proxy-protocol.txt section 2.2.1). Immutable.
/// </summary>
/// <param name="Bytes">As they were received.</param>
internal readonly record struct ProxyProtocolFields(byte[]? Bytes)
{
    private const int HeadBytes = 3;
    private const byte TlsType = 0x20;

    /// <summary>Before the fields within the one about TLS: a set of bits, and a result.</summary>
    private const int TlsHeadBytes = 5;

    private static ReadOnlySpan<byte> TlsPrefix => "ssl_"u8;

    /// <summary>
    /// A field by its name in nginx's variables: "alpn", "0x05", "ssl_cn". Empty when there is
    /// none, or no such name.
    /// </summary>
    public ReadOnlySpan<byte> Find(ReadOnlySpan<byte> name)
    {
        if (!name.StartsWith(TlsPrefix))
        {
            return TypeOf(name) is { } type ? Find(Bytes, type) : default;
        }

        ReadOnlySpan<byte> tls = Find(Bytes, TlsType);
        return tls.Length > TlsHeadBytes && TlsTypeOf(name[TlsPrefix.Length..]) is { } inner
            ? Find(tls[TlsHeadBytes..], inner)
            : default;
    }

    /// <summary>Whether the client's certificate was good: 0, or why not.</summary>
    public uint? TlsVerification =>
        Find(Bytes, TlsType) is { Length: >= TlsHeadBytes } tls
            ? BinaryPrimitives.ReadUInt32BigEndian(tls[1..])
            : null;

    private static byte? TypeOf(ReadOnlySpan<byte> name) =>
        name.SequenceEqual("alpn"u8) ? 0x01
        : name.SequenceEqual("authority"u8) ? 0x02
        : name.SequenceEqual("unique_id"u8) ? 0x05
        : name.SequenceEqual("ssl"u8) ? TlsType
        : name.SequenceEqual("netns"u8) ? 0x30
        : NumberOf(name);

    private static byte? TlsTypeOf(ReadOnlySpan<byte> name) =>
        name.SequenceEqual("version"u8) ? 0x21
        : name.SequenceEqual("cn"u8) ? 0x22
        : name.SequenceEqual("cipher"u8) ? 0x23
        : name.SequenceEqual("sig_alg"u8) ? 0x24
        : name.SequenceEqual("key_alg"u8) ? 0x25
        : NumberOf(name);

    private static byte? NumberOf(ReadOnlySpan<byte> name) =>
        name.StartsWith("0x"u8)
        && Utf8Parser.TryParse(name[2..], out ulong type, out int taken, 'x')
        && taken == name.Length - 2 && type <= byte.MaxValue
            ? (byte)type
            : null;

    /// <summary>What is cut short ends the search.</summary>
    private static ReadOnlySpan<byte> Find(ReadOnlySpan<byte> fields, byte type)
    {
        while (fields.Length >= HeadBytes)
        {
            int length = BinaryPrimitives.ReadUInt16BigEndian(fields[1..]);
            if (fields.Length < HeadBytes + length)
            {
                return default;
            }

            if (fields[0] == type)
            {
                return fields.Slice(HeadBytes, length);
            }

            fields = fields[(HeadBytes + length)..];
        }

        return default;
    }
}
