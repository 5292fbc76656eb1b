using System.Buffers.Binary;
using System.IO.Compression;

namespace Tessera.Proxy.Compression;

/// <summary>
/// Decompresses one body of gzip, which may have several members (RFC 1952 section 2.2) and comes
/// in pieces. Owned by one reactor.
/// </summary>
internal sealed class GzipInflater : BodyStep
{
    private const int PieceBytes = 16 * 1_024;

    private readonly Feed _feed = new();
    private readonly GZipStream _gzip;
    private readonly byte[] _piece = new byte[PieceBytes];
    private readonly byte[] _tail = new byte[sizeof(uint)];
    private long _read;
    private long _written;

    public GzipInflater() => _gzip = new GZipStream(_feed, CompressionMode.Decompress);

    public override bool TryWrite(ReadOnlySpan<byte> data, bool isLast, Stream output)
    {
        _feed.Put(data);
        NoteTail(data);
        try
        {
            int length;
            while ((length = _gzip.Read(_piece)) > 0)
            {
                output.Write(_piece.AsSpan(0, length));
                _written += length;
            }
        }
        catch (InvalidDataException)
        {
            return false;
        }

        return !isLast || IsWhole;
    }

    public override void Dispose()
    {
        _gzip.Dispose();
        _feed.Dispose();
    }

    /// <summary>
    /// The last bytes say how long the last member was. The decompressor itself does not tell
    /// whether it has seen an end: of a body that was cut short these bytes are any, and mostly
    /// more than was written.
    /// </summary>
    private bool IsWhole => _read == 0 || (_read > _tail.Length
        && BinaryPrimitives.ReadUInt32LittleEndian(_tail) <= _written);

    private void NoteTail(ReadOnlySpan<byte> data)
    {
        _read += data.Length;
        int kept = Math.Max(0, _tail.Length - data.Length);
        _tail.AsSpan(_tail.Length - kept).CopyTo(_tail);
        data[Math.Max(0, data.Length - _tail.Length)..].CopyTo(_tail.AsSpan(kept));
    }

    /// <summary>
    /// What has come and was not read yet. That there is nothing now does not mean that nothing
    /// comes any more: the decompressor asks again.
    /// </summary>
    private sealed class Feed : Stream
    {
        private byte[] _bytes = [];
        private int _start;
        private int _end;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public void Put(ReadOnlySpan<byte> bytes)
        {
            if (_bytes.Length < bytes.Length)
            {
                _bytes = new byte[bytes.Length];
            }

            bytes.CopyTo(_bytes);
            _start = 0;
            _end = bytes.Length;
        }

        public override int Read(Span<byte> buffer)
        {
            int length = Math.Min(buffer.Length, _end - _start);
            _bytes.AsSpan(_start, length).CopyTo(buffer);
            _start += length;
            return length;
        }

        public override int Read(byte[] buffer, int offset, int count) =>
            Read(buffer.AsSpan(offset, count));

        public override void Flush()
        {
            // It is only read.
        }

        public override long Seek(long offset, SeekOrigin origin) =>
            throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) =>
            throw new NotSupportedException();
    }
}
