using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Text;
using Tessera.Proxy.Answers;
using Tessera.Proxy.Compression;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Telemetry;

namespace Tessera.Proxy.Files;

/// <summary>
/// What is sent of a file and what its head says, in nginx's form. Immutable.
/// </summary>
internal readonly record struct DocumentReply(int Status, OpenFile File)
{
    /// <summary>Of a part's head: its type is at most as long as the rest is short.</summary>
    public const int MaxPartHeadBytes = 1_024;

    private static long _boundaries;

    public required byte[] Type { get; init; }

    /// <summary>With its charset: what the head of a part says.</summary>
    public byte[]? FullType { get; init; }

    /// <summary>First byte that is sent, when there is one range.</summary>
    public long Offset { get; init; }

    /// <summary>Bytes from <see cref="Offset"/> on.</summary>
    public long Length { get; init; }

    /// <summary>Several ranges, each with a head of its own; null for one.</summary>
    public ByteRange[]? Parts { get; init; }

    /// <summary>Between the parts.</summary>
    public long Boundary { get; init; }

    public bool HasETag { get; init; }

    /// <summary>The file was compressed beforehand.</summary>
    public bool IsCoded { get; init; }

    /// <summary>Clients may ask for ranges.</summary>
    public bool TakesRanges { get; init; }

    /// <summary>Of the whole body.</summary>
    public long BodyLength
    {
        get
        {
            if (Parts is null)
            {
                return Length;
            }

            Span<byte> head = stackalloc byte[MaxPartHeadBytes];
            long length = 0;
            foreach (ByteRange part in Parts)
            {
                length += WritePartHead(head, part) + part.Length;
            }

            return length + WriteEnd(head);
        }
    }

    /// <summary>A number that no other answer of this process has.</summary>
    public static long NextBoundary() => Interlocked.Increment(ref _boundaries);

    public static byte[] TypeWithCharset(Exchange exchange, byte[] type)
    {
        var writer = new ByteWriter(stackalloc byte[MaxPartHeadBytes / 2]);
        exchange.Style!.WriteType(ref writer, type, exchange);
        return writer.Written.ToArray();
    }

    /// <summary>For 416: how long the file is.</summary>
    public byte[] ContentRange() => Encoding.ASCII.GetBytes(
        string.Create(CultureInfo.InvariantCulture, $"bytes */{File.Length}"));

    /// <summary>Writes the whole head. Returns its length.</summary>
    public int WriteHead(
        Span<byte> destination, Exchange exchange, ConnectionOption option, ReactorClock clock)
    {
        var leading = new ByteWriter(stackalloc byte[128]);
        if (HasETag)
        {
            exchange.WriteETag(ref leading, File.ETag);
        }

        leading.Write(IsCoded && Status != 304 && !exchange.Inflates
            ? "Content-Encoding: gzip\r\n"u8
            : default);

        var trailing = new ByteWriter(stackalloc byte[128]);
        if (exchange.HasNoParts)
        {
            trailing.Write(exchange.ReplyCoding == ContentCoding.Gzip
                ? "Content-Encoding: gzip\r\n"u8
                : default);
        }
        else if (Status == 206 && Parts is null)
        {
            trailing.Write("Content-Range: "u8);
            WriteRange(ref trailing, Offset, Offset + Length - 1);
            trailing.Write("\r\n"u8);
        }
        else if (Status == 200 && TakesRanges)
        {
            trailing.Write("Accept-Ranges: bytes\r\n"u8);
        }

        var type = new ByteWriter(stackalloc byte[128]);
        if (Parts is not null)
        {
            type.Write("multipart/byteranges; boundary="u8);
            WriteBoundary(ref type);
        }

        var writer = new ByteWriter(destination);
        var head = new AnswerHead(Status)
        {
            Type = Parts is null ? Type : type.Written,
            Length = exchange.LosesLength ? -1 : BodyLength,
            IsChunked = exchange.LosesLength && exchange.TakesChunks && exchange.SendsBody,
            Varies = exchange.Varies,
            LastModified = exchange.LosesValidators ? default : File.LastModified,
            LeadingLines = leading.Written,
            TrailingLines = trailing.Written,
        };
        AnswerHead.Write(ref writer, head, exchange.Style!, exchange, option, clock);
        return writer.Length;
    }

    /// <summary>The head of a part (RFC 9110 section 14.6). Returns its length.</summary>
    public int WritePartHead(Span<byte> destination, ByteRange part)
    {
        var writer = new ByteWriter(destination);
        writer.Write("\r\n--"u8);
        WriteBoundary(ref writer);
        writer.Write("\r\n"u8);
        if (FullType is { Length: > 0 } type)
        {
            writer.Write("Content-Type: "u8);
            writer.Write(type);
            writer.Write("\r\n"u8);
        }

        writer.Write("Content-Range: "u8);
        WriteRange(ref writer, part.First, part.Last);
        writer.Write("\r\n\r\n"u8);
        return writer.Length;
    }

    /// <summary>What stands behind the last part. Returns its length.</summary>
    public int WriteEnd(Span<byte> destination)
    {
        var writer = new ByteWriter(destination);
        writer.Write("\r\n--"u8);
        WriteBoundary(ref writer);
        writer.Write("--\r\n"u8);
        return writer.Length;
    }

    private void WriteBoundary(ref ByteWriter writer)
    {
        Span<byte> digits = stackalloc byte[20];
        Utf8Formatter.TryFormat(Boundary, digits, out _, new StandardFormat('D', 20));
        writer.Write(digits);
    }

    private void WriteRange(ref ByteWriter writer, long first, long last)
    {
        writer.Write("bytes "u8);
        writer.WriteNumber(first);
        writer.Write((byte)'-');
        writer.WriteNumber(last);
        writer.Write((byte)'/');
        writer.WriteNumber(File.Length);
    }
}
