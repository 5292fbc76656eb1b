using System.Buffers.Binary;
using System.Buffers.Text;
using System.Net;
using System.Text;

namespace Tessera.Proxy.Listening;

/// <summary>What the first bytes of a connection are to the PROXY protocol.</summary>
internal enum ProxyHeadStatus : byte
{
    /// <summary>More has to come first.</summary>
    Incomplete,
    Complete,
    Invalid,
}

/// <summary>
/// The head that a proxy before this one puts before a client's bytes to tell whose they are: the
/// PROXY protocol of HAProxy, versions 1 and 2 (its doc/proxy-protocol.txt sections 2.1 and 2.2).
/// Immutable.
/// </summary>
internal sealed class ProxyProtocolHead
{
    /// <summary>A longer head is none.</summary>
    public const int MaxBytes = 4_096;

    private const int MaxLineBytes = 107;
    private const int BinaryHeadBytes = 16;
    private const int InternetFamily = 1;
    private const int Internet6Family = 2;

    private ProxyProtocolHead(int length, IPEndPoint? source, IPEndPoint? destination)
    {
        Length = length;
        Source = source;
        Destination = destination;
        SourceText = TextOf(source);
        DestinationText = TextOf(destination);
    }

    /// <summary>Version 1: the addresses are kept as they were written.</summary>
    private ProxyProtocolHead(int length, in LineEnd source, in LineEnd destination)
    {
        Length = length;
        Source = source.Address;
        Destination = destination.Address;
        SourceText = source.Text.ToArray();
        DestinationText = destination.Text.ToArray();
    }

    private static ReadOnlySpan<byte> Signature => "\r\n\r\n\0\r\nQUIT\n"u8;

    private static ReadOnlySpan<byte> Word => "PROXY "u8;

    /// <summary>Of the head; the client's bytes follow.</summary>
    public int Length { get; }

    /// <summary>The client; null when the proxy does not say.</summary>
    public IPEndPoint? Source { get; }

    /// <summary>What the client connected to; null when the proxy does not say.</summary>
    public IPEndPoint? Destination { get; }

    /// <summary>Without port; empty when the proxy does not say.</summary>
    public byte[] SourceText { get; }

    /// <summary>Without port; empty when the proxy does not say.</summary>
    public byte[] DestinationText { get; }

    /// <summary>Version 2: what else it says, in fields; empty for none.</summary>
    public ProxyProtocolFields Fields { get; private init; }

    /// <param name="head">Set when it is complete.</param>
    public static ProxyHeadStatus Parse(
        ReadOnlySpan<byte> received, out ProxyProtocolHead? head)
    {
        head = null;
        if (received.Length >= Word.Length && received.StartsWith(Word))
        {
            return ParseLine(received, out head);
        }

        if (received.Length >= Signature.Length && received.StartsWith(Signature))
        {
            return ParseBinary(received, out head);
        }

        return Word.StartsWith(received) || Signature.StartsWith(received)
            ? ProxyHeadStatus.Incomplete
            : ProxyHeadStatus.Invalid;
    }

    /// <summary>PROXY TCP4 source destination port port, or PROXY UNKNOWN and anything.</summary>
    private static ProxyHeadStatus ParseLine(
        ReadOnlySpan<byte> received, out ProxyProtocolHead? head)
    {
        head = null;
        ReadOnlySpan<byte> rest = received[Word.Length..];
        ReadOnlySpan<byte> kind = rest[..Math.Min(rest.Length, 4)];
        bool isUnknown = "UNKNOWN"u8.StartsWith(rest[..Math.Min(rest.Length, 7)]);
        if (!isUnknown && !"TCP4"u8.StartsWith(kind) && !"TCP6"u8.StartsWith(kind))
        {
            return ProxyHeadStatus.Invalid;
        }

        int end = received[..Math.Min(received.Length, MaxLineBytes)].IndexOf("\r\n"u8);
        if (end < 0)
        {
            return received.Length < MaxLineBytes
                ? ProxyHeadStatus.Incomplete
                : ProxyHeadStatus.Invalid;
        }

        ReadOnlySpan<byte> fields = received[Word.Length..end];
        if (fields.StartsWith("UNKNOWN"u8))
        {
            head = new ProxyProtocolHead(end + 2, null, null);
            return ProxyHeadStatus.Complete;
        }

        Span<Range> parts = stackalloc Range[6];
        int count = 0;
        foreach (Range part in fields.Split((byte)' '))
        {
            if (count == parts.Length)
            {
                break;
            }

            parts[count++] = part;
        }

        if (count != 5
            || !TryReadEnd(fields[parts[1]], fields[parts[3]], out IPEndPoint? source)
            || !TryReadEnd(fields[parts[2]], fields[parts[4]], out IPEndPoint? destination))
        {
            return ProxyHeadStatus.Invalid;
        }

        head = new ProxyProtocolHead(
            end + 2,
            new LineEnd(source!, fields[parts[1]]),
            new LineEnd(destination!, fields[parts[2]]));
        return ProxyHeadStatus.Complete;
    }

    private static bool TryReadEnd(
        ReadOnlySpan<byte> address, ReadOnlySpan<byte> port, out IPEndPoint? end)
    {
        end = null;
        bool isPort = Utf8Parser.TryParse(port, out ushort number, out int taken)
            && taken == port.Length;
        if (!isPort || !IPAddress.TryParse(Encoding.Latin1.GetString(address), out IPAddress? host))
        {
            return false;
        }

        end = new IPEndPoint(host, number);
        return true;
    }

    /// <summary>
    /// A connection of the proxy's own, and families of no interest, name nobody.
    /// </summary>
    private static ProxyHeadStatus ParseBinary(
        ReadOnlySpan<byte> received, out ProxyProtocolHead? head)
    {
        head = null;
        if (received.Length < BinaryHeadBytes)
        {
            return ProxyHeadStatus.Incomplete;
        }

        int version = received[12] >> 4;
        int length = BinaryHeadBytes + BinaryPrimitives.ReadUInt16BigEndian(received[14..]);
        if (version != 2 || length > MaxBytes)
        {
            return ProxyHeadStatus.Invalid;
        }

        if (received.Length < length)
        {
            return ProxyHeadStatus.Incomplete;
        }

        bool isProxied = (received[12] & 0x0F) == 1 && (received[13] & 0x0F) == 1;
        int addressBytes = (received[13] >> 4) switch
        {
            InternetFamily when isProxied => 4,
            Internet6Family when isProxied => 16,
            _ => 0,
        };
        ReadOnlySpan<byte> ends = received[BinaryHeadBytes..length];
        if (addressBytes == 0)
        {
            head = new ProxyProtocolHead(length, null, null);
            return ProxyHeadStatus.Complete;
        }

        if (ends.Length < (2 * addressBytes) + 4)
        {
            return ProxyHeadStatus.Invalid;
        }

        ReadOnlySpan<byte> ports = ends[(2 * addressBytes)..];
        head = new ProxyProtocolHead(
            length,
            new IPEndPoint(
                new IPAddress(ends[..addressBytes]),
                BinaryPrimitives.ReadUInt16BigEndian(ports)),
            new IPEndPoint(
                new IPAddress(ends.Slice(addressBytes, addressBytes)),
                BinaryPrimitives.ReadUInt16BigEndian(ports[2..])))
        {
            Fields = new ProxyProtocolFields(ports[4..].ToArray()),
        };
        return ProxyHeadStatus.Complete;
    }

    private static byte[] TextOf(IPEndPoint? end) =>
        end is null ? [] : Encoding.ASCII.GetBytes(end.Address.ToString());

    /// <summary>One end of a connection as a line names it.</summary>
    private readonly ref struct LineEnd(IPEndPoint address, ReadOnlySpan<byte> text)
    {
        public IPEndPoint Address { get; } = address;

        public ReadOnlySpan<byte> Text { get; } = text;
    }
}
