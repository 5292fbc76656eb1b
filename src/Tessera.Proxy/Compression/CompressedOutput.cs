using System.Buffers.Text;

namespace Tessera.Proxy.Compression;

/// <summary>
/// Gathers what a compressor gives, so that it can be sent as one chunk (RFC 9112 section 7.1):
/// room for the chunk's size is left before it. It grows with what one step of input can make of
/// it, which is bounded. Owned by one reactor.
/// </summary>
internal sealed class CompressedOutput : Stream
{
    /// <summary>Eight digits and CRLF.</summary>
    private const int ChunkHeadBytes = 10;

    /// <summary>CRLF, and the last chunk.</summary>
    private const int ChunkTailBytes = 7;

    private const int InitialBytes = 32 * 1_024;

    private byte[] _buffer = Allocate(InitialBytes);
    private int _length;

    /// <summary>Bytes that were not taken yet.</summary>
    public int Pending => _length;

    public ReadOnlySpan<byte> Bytes => _buffer.AsSpan(ChunkHeadBytes, _length);

    /// <summary>Large ones are not kept for other responses.</summary>
    public bool IsLarge => _buffer.Length > InitialBytes * 4;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Room for a compressor to write into; <see cref="Advance"/> says how much.</summary>
    public Span<byte> GetRoom(int bytes)
    {
        int needed = ChunkHeadBytes + _length + bytes + ChunkTailBytes;
        if (needed > _buffer.Length)
        {
            byte[] larger = Allocate(Math.Max(needed, _buffer.Length * 2));
            _buffer.AsSpan(0, ChunkHeadBytes + _length).CopyTo(larger);
            _buffer = larger;
        }

        return _buffer.AsSpan(
            ChunkHeadBytes + _length,
            _buffer.Length - ChunkHeadBytes - _length - ChunkTailBytes);
    }

    public void Advance(int bytes) => _length += bytes;

    /// <summary>
    /// What is pending as one chunk, with the last chunk behind it when the body ends. It is valid
    /// until the next write.
    /// </summary>
    /// <param name="isChunked">False leaves it without framing.</param>
    /// <param name="trailers">Whole lines behind the last chunk.</param>
    public byte[] TakeChunk(
        bool isLast, out int start, out int length, bool isChunked = true,
        ReadOnlySpan<byte> trailers = default)
    {
        // There is room for the rest already.
        GetRoom(trailers.Length);
        if (!isChunked)
        {
            start = ChunkHeadBytes;
            length = _length;
            _length = 0;
            return _buffer;
        }

        int end = ChunkHeadBytes + _length;
        start = ChunkHeadBytes;
        if (_length > 0)
        {
            Span<byte> digits = stackalloc byte[ChunkHeadBytes];
            Utf8Formatter.TryFormat(_length, digits, out int count, new('x'));
            start = ChunkHeadBytes - 2 - count;
            digits[..count].CopyTo(_buffer.AsSpan(start));
            "\r\n"u8.CopyTo(_buffer.AsSpan(ChunkHeadBytes - 2));
            "\r\n"u8.CopyTo(_buffer.AsSpan(end));
            end += 2;
        }

        if (isLast)
        {
            "0\r\n"u8.CopyTo(_buffer.AsSpan(end));
            trailers.CopyTo(_buffer.AsSpan(end + 3));
            end += 3 + trailers.Length;
            "\r\n"u8.CopyTo(_buffer.AsSpan(end));
            end += 2;
        }

        length = end - start;
        _length = 0;
        return _buffer;
    }

    public void Clear() => _length = 0;

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        buffer.CopyTo(GetRoom(buffer.Length));
        Advance(buffer.Length);
    }

    public override void Write(byte[] buffer, int offset, int count) =>
        Write(buffer.AsSpan(offset, count));

    public override void Flush()
    {
        // Nothing lies between this and the buffer.
    }

    public override int Read(byte[] buffer, int offset, int count) =>
        throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    private static byte[] Allocate(int bytes) =>
        GC.AllocateUninitializedArray<byte>(bytes, pinned: true);
}
