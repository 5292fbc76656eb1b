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

    private const ushort ClassInternet = 1;
    private const int HeadBytes = 12;
    private const int MaxLabelBytes = 63;
    private const int MaxNameBytes = 255;

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
    public static DnsAnswer? TryRead(ReadOnlySpan<byte> message, ushort id)
    {
        bool isAnswer = message.Length >= HeadBytes
            && BinaryPrimitives.ReadUInt16BigEndian(message) == id
            && (message[2] & 0x80) != 0;
        if (!isAnswer)
        {
            return null;
        }

        int code = message[3] & 0x0f;
        int questions = BinaryPrimitives.ReadUInt16BigEndian(message[4..]);
        int records = BinaryPrimitives.ReadUInt16BigEndian(message[6..]);
        int at = HeadBytes;
        for (int i = 0; i < questions; i++)
        {
            if (!TrySkipName(message, ref at) || at + 4 > message.Length)
            {
                return null;
            }

            at += 4;
        }

        var addresses = new List<IPAddress>();
        string? alias = null;
        uint seconds = uint.MaxValue;
        for (int i = 0; i < records; i++)
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
            else if (type == TypeCname)
            {
                alias = ReadName(message, at);
            }

            at += length;
        }

        return new DnsAnswer(code, addresses, alias, seconds);
    }

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
    int Code, IReadOnlyList<IPAddress> Addresses, string? Alias, uint Seconds);
