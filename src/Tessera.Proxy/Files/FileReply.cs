using Tessera.Linux.Files;
using Tessera.Proxy.Compression;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Telemetry;

namespace Tessera.Proxy.Files;

/// <summary>What is sent of a file, and what its head says. Immutable but for its parts.</summary>
internal readonly record struct FileReply(int Status, OpenFile File)
{
    /// <summary>Bytes of a part's head: its type is at most as long as the rest is short.</summary>
    public const int MaxPartHeadBytes = 1_024;

    public required byte[] Type { get; init; }

    /// <summary>Null sends from the file's descriptor.</summary>
    public byte[]? Content { get; init; }

    /// <summary>First byte that is sent, when there is one range.</summary>
    public long Offset { get; init; }

    /// <summary>Bytes from <see cref="Offset"/> on.</summary>
    public long Length { get; init; }

    /// <summary>Several ranges, each with a head of its own; null for one.</summary>
    public ByteRange[]? Parts { get; init; }

    /// <summary>Between the parts.</summary>
    public long Boundary { get; init; }

    public ContentCoding Coding { get; init; }

    /// <summary>
    /// It was compressed here: the tag is a weak one, and there are no ranges of it.
    /// </summary>
    public bool IsCompressed { get; init; }

    public bool Varies { get; init; }

    /// <summary>Bytes of the body; -1 when they are only known at its end.</summary>
    public long BodyLength
    {
        get
        {
            if (Parts is null)
            {
                return IsCompressed && Content is null ? -1 : Length;
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

    /// <summary>Writes the whole head. Returns its length.</summary>
    public int WriteHead(
        Span<byte> destination,
        Span<byte> scratch,
        FileSite site,
        ReadOnlySpan<byte> addedFields,
        ConnectionOption option,
        ReactorClock clock)
    {
        bool hasBody = Status != 304;
        var fields = new ByteWriter(scratch);
        WriteFields(ref fields, site);
        int fieldsLength = fields.Length;
        if (Parts is not null)
        {
            fields.Write("multipart/byteranges; boundary="u8);
            WriteBoundary(ref fields);
        }

        ReadOnlySpan<byte> type = !hasBody ? default
            : Parts is null ? Type
            : fields.Written[fieldsLength..];
        var writer = new ByteWriter(destination);
        LocalReply.WriteHead(
            ref writer, Status, type, hasBody ? BodyLength : -1, fields.Written[..fieldsLength],
            addedFields, option, clock);
        return fields.HasOverflowed || writer.HasOverflowed
            ? throw new InvalidOperationException("the head of a file outgrew its buffer")
            : writer.Length;
    }

    /// <summary>The head of a part (RFC 9110 section 14.6). Returns its length.</summary>
    public int WritePartHead(Span<byte> destination, ByteRange part)
    {
        var writer = new ByteWriter(destination);
        writer.Write("\r\n--"u8);
        WriteBoundary(ref writer);
        writer.Write("\r\nContent-Type: "u8);
        writer.Write(Type.AsSpan(0, Math.Min(Type.Length, MaxPartHeadBytes / 2)));
        writer.Write("\r\n"u8);
        WriteContentRange(ref writer, part.First, part.Last, File.Length);
        writer.Write("\r\n"u8);
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

    private void WriteFields(ref ByteWriter fields, FileSite site)
    {
        fields.Write("Last-Modified: "u8);
        fields.Write(File.LastModified);
        fields.Write(IsCompressed ? "\r\nETag: W/"u8 : "\r\nETag: "u8);
        fields.Write(File.ETag);
        fields.Write("\r\n"u8);
        if (!IsCompressed)
        {
            fields.Write("Accept-Ranges: bytes\r\n"u8);
        }

        if (Coding != ContentCoding.Identity && Status != 304)
        {
            fields.Write("Content-Encoding: "u8);
            fields.Write(ContentCodingNames.TokenOf(Coding));
            fields.Write("\r\n"u8);
        }

        if (Varies)
        {
            fields.Write("Vary: Accept-Encoding\r\n"u8);
        }

        if (Status == 206 && Parts is null)
        {
            WriteContentRange(ref fields, Offset, Offset + Length - 1, File.Length);
        }

        if (IsCompressed && Content is null && Status != 304)
        {
            fields.Write("Transfer-Encoding: chunked\r\n"u8);
        }

        fields.Write(site.CacheControl);
    }

    private void WriteBoundary(ref ByteWriter writer)
    {
        Span<byte> digits = stackalloc byte[16];
        System.Buffers.Text.Utf8Formatter.TryFormat(Boundary, digits, out _, new('x', 16));
        writer.Write(digits);
    }

    private static void WriteContentRange(
        ref ByteWriter writer, long first, long last, long length)
    {
        writer.Write("Content-Range: bytes "u8);
        writer.WriteNumber(first);
        writer.Write((byte)'-');
        writer.WriteNumber(last);
        writer.Write((byte)'/');
        writer.WriteNumber(length);
        writer.Write("\r\n"u8);
    }
}
