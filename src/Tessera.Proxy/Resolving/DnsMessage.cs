using System.Buffers.Binary;
using System.Net;
using System.Text;

namespace Tessera.Proxy.Resolving;

/// <summary>Questions and answers of the Domain Name System (RFC 1035 section 4). Stateless.
/// </summary>
internal static class DnsMessage
{
    public const ushort TypeA = 1;
    public const ushort TypeCname = 5;
    public const ushort TypeAaaa = 28;
    public const ushort TypeSrv = 33;

    private const ushort ClassInternet = 1;
    private const int HeadBytes = 12;
    private const int MaxLabelBytes = 63;

    /// <summary>As nginx: two more than RFC 1035 section 3.1 allows.</summary>
    private const int MaxNameBytes = 257;

    /// <summary>More of one answer is not looked at.</summary>
    private const int MaxRecords = 256;

    private const byte TruncatedFlag = 0x02;

    /// <summary>Priority, weight and port (RFC 2782).</summary>
    private const int ServiceHeadBytes = 6;

    /// <summary>A name may point back so often; more is a loop.</summary>
    private const int MaxPointers = 32;

    /// <summary>A question for one type of record; null for what is no name.</summary>
    public static byte[]? WriteQuestion(ushort id, string name, ushort type)
    {
        var message = new List<byte>();
        Span<byte> number = stackalloc byte[2];
        Add(message, number, id);

        // Recursion is desired; one question.
        foreach (ushort word in (ReadOnlySpan<ushort>)[0x0100, 1, 0, 0, 0])
        {
            Add(message, number, word);
        }

        foreach (string label in name.TrimEnd('.').Split('.'))
        {
            byte[] bytes = Encoding.ASCII.GetBytes(label);
            if (bytes.Length is 0 or > MaxLabelBytes)
            {
                return null;
            }

            message.Add((byte)bytes.Length);
            message.AddRange(bytes);
        }

        message.Add(0);
        Add(message, number, type);
        Add(message, number, ClassInternet);
        return message.Count > HeadBytes + MaxNameBytes + 4 ? null : [.. message];
    }

    /// <summary>
    /// Reads the answer to a question. Null for what is not one; an answer without addresses names
    /// no one, or another name to ask for.
    /// </summary>
    /// <param name="question">As it was sent; empty is not compared.</param>
    public static DnsAnswer? TryRead(
        ReadOnlySpan<byte> message, ushort id, ReadOnlySpan<byte> question = default)
    {
        bool isAnswer = message.Length >= HeadBytes
            && BinaryPrimitives.ReadUInt16BigEndian(message) == id
            && (message[2] & 0x80) != 0;
        if (!isAnswer)
        {
            return null;
        }

        int code = message[3] & 0x0f;
        if ((message[2] & TruncatedFlag) != 0)
        {
            return new DnsAnswer(code, [], null, 0) { IsTruncated = true };
        }
        int questions = BinaryPrimitives.ReadUInt16BigEndian(message[4..]);
        int records = BinaryPrimitives.ReadUInt16BigEndian(message[6..]);
        int at = HeadBytes;
        if (questions > 0 && !question.IsEmpty && !Repeats(message, question))
        {
            return null;
        }

        for (int i = 0; i < questions; i++)
        {
            if (!TrySkipName(message, ref at) || at + 4 > message.Length)
            {
                return null;
            }

            at += 4;
        }

        return ReadRecords(message, at, records, code);
    }

    private static DnsAnswer? ReadRecords(
        ReadOnlySpan<byte> message, int at, int records, int code)
    {
        var addresses = new List<IPAddress>();
        var services = new List<DnsService>();
        string? alias = null;
        uint seconds = uint.MaxValue;
        for (int i = 0; i < records && i < MaxRecords; i++)
        {
            if (!TrySkipName(message, ref at) || at + 10 > message.Length)
            {
                return null;
            }

            ushort type = BinaryPrimitives.ReadUInt16BigEndian(message[at..]);
            uint ttl = BinaryPrimitives.ReadUInt32BigEndian(message[(at + 4)..]);
            int length = BinaryPrimitives.ReadUInt16BigEndian(message[(at + 8)..]);
            at += 10;
            if (at + length > message.Length)
            {
                return null;
            }

            if ((type == TypeA && length == 4) || (type == TypeAaaa && length == 16))
            {
                addresses.Add(new IPAddress(message.Slice(at, length)));
                seconds = Math.Min(seconds, ttl);
            }
            else if (type == TypeSrv && length > ServiceHeadBytes
                && ReadName(message, at + ServiceHeadBytes) is { } target)
            {
                services.Add(new DnsService(
                    BinaryPrimitives.ReadUInt16BigEndian(message[at..]),
                    BinaryPrimitives.ReadUInt16BigEndian(message[(at + 2)..]),
                    BinaryPrimitives.ReadUInt16BigEndian(message[(at + 4)..]),
                    target));
                seconds = Math.Min(seconds, ttl);
            }
            else if (type == TypeCname)
            {
                alias = ReadName(message, at);
                seconds = Math.Min(seconds, ttl);
            }

            at += length;
        }

        return new DnsAnswer(code, addresses, alias, seconds) { Services = services };
    }

    /// <summary>An answer begins with its question, whose letter case servers may change.</summary>
    private static bool Repeats(ReadOnlySpan<byte> message, ReadOnlySpan<byte> question) =>
        message.Length >= question.Length
        && Ascii.EqualsIgnoreCase(message[HeadBytes..question.Length], question[HeadBytes..]);

    private static void Add(List<byte> message, Span<byte> scratch, ushort value)
    {
        BinaryPrimitives.WriteUInt16BigEndian(scratch, value);
        message.AddRange(scratch);
    }

    private static bool TrySkipName(ReadOnlySpan<byte> message, ref int at)
    {
        while (at < message.Length)
        {
            int length = message[at];
            if ((length & 0xc0) == 0xc0)
            {
                at += 2;
                return at <= message.Length;
            }

            at += length + 1;
            if (length == 0)
            {
                return true;
            }
        }

        return false;
    }

    private static string? ReadName(ReadOnlySpan<byte> message, int at)
    {
        var name = new StringBuilder();
        for (int pointers = 0; at < message.Length && pointers <= MaxPointers;)
        {
            int length = message[at];
            if (length == 0)
            {
                return name.ToString();
            }

            if ((length & 0xc0) == 0xc0)
            {
                if (at + 1 >= message.Length)
                {
                    return null;
                }

                at = ((length & 0x3f) << 8) | message[at + 1];
                pointers++;
                continue;
            }

            if (at + 1 + length > message.Length || name.Length > MaxNameBytes)
            {
                return null;
            }

            name.Append(name.Length > 0 ? "." : "");
            name.Append(Encoding.ASCII.GetString(message.Slice(at + 1, length)));
            at += length + 1;
        }

        return null;
    }
}

/// <summary>What a server said.</summary>
/// <param name="Code">0, or why not: 3 is a name that there is not.</param>
/// <param name="Alias">Where else to ask; null for nowhere.</param>
/// <param name="Seconds">How long it is good.</param>
internal sealed record DnsAnswer(
    int Code, IReadOnlyList<IPAddress> Addresses, string? Alias, uint Seconds)
{
    /// <summary>Servers of a service, where that was asked for.</summary>
    public IReadOnlyList<DnsService> Services { get; init; } = [];

    /// <summary>There is more than fits: it has to be asked for over TCP.</summary>
    public bool IsTruncated { get; init; }
}

/// <summary>A server of a service: an SRV record (RFC 2782).</summary>
/// <param name="Priority">The lowest comes first.</param>
internal sealed record DnsService(int Priority, int Weight, int Port, string Target);
