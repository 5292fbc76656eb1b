namespace Tessera.Api;

/// <summary>
/// Splits a stream of bytes at line feeds, without turning them into characters first. For one
/// reader; a line is valid until the next call.
/// </summary>
internal sealed class LineReader(Stream stream, int maxLineBytes)
{
    private byte[] _buffer = new byte[16 * 1024];
    private int _start;
    private int _scanned;
    private int _end;

    /// <summary>The next line without its line feed; null at the end of the stream.</summary>
    /// <exception cref="IOException">
    /// The stream failed, or ended within a line, or a line is too long.
    /// </exception>
    public async ValueTask<ReadOnlyMemory<byte>?> ReadAsync(CancellationToken cancellation)
    {
        while (true)
        {
            int length = _buffer.AsSpan(_scanned, _end - _scanned).IndexOf((byte)'\n');
            if (length >= 0)
            {
                int lineEnd = _scanned + length;
                ReadOnlyMemory<byte> line = _buffer.AsMemory(_start, lineEnd - _start);
                _start = _scanned = lineEnd + 1;
                return line;
            }

            _scanned = _end;
            MakeRoom();
            int count = await stream.ReadAsync(_buffer.AsMemory(_end), cancellation);
            if (count == 0)
            {
                return _start == _end
                    ? null
                    : throw new IOException("the stream ended within a line");
            }

            _end += count;
        }
    }

    private void MakeRoom()
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            _end -= _start;
            _scanned -= _start;
            _start = 0;
        }

        if (_end == _buffer.Length)
        {
            if (_end >= maxLineBytes)
            {
                throw new IOException($"a line is longer than {maxLineBytes} bytes");
            }

            Array.Resize(ref _buffer, Math.Min(_buffer.Length * 2, maxLineBytes));
        }
    }
}
