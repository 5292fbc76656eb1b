using Tessera.Linux;
using Tessera.Proxy.Files;
using Tessera.Proxy.Reactors;

namespace Tessera.Proxy.Forwarding;

/// <summary>
/// What the bodies that are kept on one reactor may take of memory together. Owned by that reactor.
/// </summary>
internal sealed class BodyMemory
{
    private readonly long _limit;

    public BodyMemory(BufferPool buffers, long limit)
    {
        Buffers = buffers;
        _limit = limit;
    }

    public BufferPool Buffers { get; }

    /// <summary>Bytes in use.</summary>
    public long Used { get; private set; }

    /// <summary>
    /// A buffer of <see cref="BufferPool.HeadBytes"/>, or null when all is in use.
    /// </summary>
    public byte[]? TryRent()
    {
        if (Used + Buffers.HeadBytes > _limit)
        {
            return null;
        }

        Used += Buffers.HeadBytes;
        return Buffers.Rent(Buffers.HeadBytes);
    }

    public void Return(byte[] buffer)
    {
        Used -= Buffers.HeadBytes;
        Buffers.Return(buffer);
    }
}

/// <summary>
/// Bytes of one request's body that are kept: because the whole of it is awaited before an endpoint
/// is taken, or because it may have to be sent again. Kept in buffers of the pool, and where the
/// route says so in a file once they are too many. Owned by one reactor.
/// </summary>
internal sealed class BodyStore
{
    private readonly BodyMemory _memory;
    private readonly List<byte[]> _chunks = [];

    private BodyKeepingConfig? _keeping;
    private TemporaryFile? _file;
    private byte[] _window = [];

    public BodyStore(BodyMemory memory) => _memory = memory;

    public long Length { get; private set; }

    /// <summary>Bytes that the endpoint of this try was given.</summary>
    public long Sent { get; private set; }

    public bool IsSent => Sent == Length;

    public bool IsInFile => _file is not null;

    /// <summary>Name of the file; empty without one.</summary>
    public ReadOnlySpan<byte> FilePath => _file is null ? default : _file.Path;

    /// <summary>Why there is no file, or no more of it; 0 while nothing failed.</summary>
    public int Errno { get; private set; }

    private int ChunkBytes => _memory.Buffers.HeadBytes;

    /// <summary>What does not fit into memory goes into a file from now on.</summary>
    public void KeepBy(BodyKeepingConfig keeping) => _keeping = keeping;

    /// <summary>
    /// Everything goes into a file, also what is kept already. False when that failed, see
    /// <see cref="Errno"/>.
    /// </summary>
    public bool TryMoveToFile()
    {
        if (_keeping is null || _file is not null)
        {
            return _file is not null;
        }

        SyscallResult created = TemporaryFile.TryCreate(
            _keeping.Folder, keepsName: _keeping.FileUse != BodyFileUse.WhenLarge, out _file);
        for (long at = 0; created.IsSuccess && at < Length; at += ChunkBytes)
        {
            int length = (int)Math.Min(ChunkBytes, Length - at);
            created = _file!.TryAppend(_chunks[(int)(at / ChunkBytes)].AsSpan(0, length));
        }

        Errno = created.Errno;
        ReturnChunks();
        return created.IsSuccess;
    }

    /// <summary>
    /// Free space behind what is kept, to be received into: <see cref="TryNoteReceived"/> follows.
    /// Null when there is no memory left.
    /// </summary>
    public byte[]? TryReserve(out int start, out int length)
    {
        start = (int)(Length % ChunkBytes);
        length = ChunkBytes - start;
        if (_file is null && Length == (long)_chunks.Count * ChunkBytes)
        {
            if (_memory.TryRent() is { } chunk)
            {
                _chunks.Add(chunk);
            }
            else if (!TryMoveToFile())
            {
                return null;
            }
        }

        if (_file is null)
        {
            return _chunks[^1];
        }

        start = 0;
        length = ChunkBytes;
        return Window();
    }

    /// <summary>
    /// So many bytes now lie in the space that was reserved last. False when their file does not
    /// take them, see <see cref="Errno"/>.
    /// </summary>
    public bool TryNoteReceived(int length)
    {
        if (_file is not null)
        {
            return TryWrite(_window.AsSpan(0, length));
        }

        Length += length;
        return true;
    }

    /// <summary>
    /// Keeps a copy of bytes that are on their way to the endpoint by themselves. False when there
    /// is no memory left; then what is kept is of no use any more.
    /// </summary>
    public bool TryAppendSent(ReadOnlySpan<byte> bytes)
    {
        bool isTooMuch = _keeping is not null && Length + bytes.Length > _keeping.MemoryBytes;
        if ((_file is not null || isTooMuch) && TryMoveToFile())
        {
            bool isWritten = TryWrite(bytes);
            Sent = Length;
            return isWritten;
        }

        while (!bytes.IsEmpty)
        {
            if (TryReserve(out int start, out int length) is not { } chunk)
            {
                return false;
            }

            length = Math.Min(length, bytes.Length);
            bytes[..length].CopyTo(chunk.AsSpan(start));
            bytes = bytes[length..];
            if (!TryNoteReceived(length))
            {
                return false;
            }
        }

        Sent = Length;
        return true;
    }

    /// <summary>
    /// As <see cref="TryAppendSent"/>, for bytes that are still to be sent.
    /// </summary>
    public bool TryAppend(ReadOnlySpan<byte> bytes)
    {
        long sent = Sent;
        bool isKept = TryAppendSent(bytes);
        Sent = sent;
        return isKept;
    }

    /// <summary>The next bytes to send; none when their file cannot be read.</summary>
    public byte[] PeekUnsent(out int start, out int length)
    {
        if (_file is not null)
        {
            start = 0;
            SyscallResult read = _file.Read(Window(), Sent);
            length = Math.Max(0, read.IntValue);
            return _window;
        }

        start = (int)(Sent % ChunkBytes);
        length = (int)Math.Min(ChunkBytes - start, Length - Sent);
        return _chunks[(int)(Sent / ChunkBytes)];
    }

    /// <summary>All of it; nothing of what is in a file.</summary>
    public void Write(ref ByteWriter writer)
    {
        for (long at = 0; _file is null && at < Length; at += ChunkBytes)
        {
            int length = (int)Math.Min(ChunkBytes, Length - at);
            writer.Write(_chunks[(int)(at / ChunkBytes)].AsSpan(0, length));
        }
    }

    public void NoteSent(int length) => Sent += length;

    /// <summary>Another endpoint gets it from the beginning.</summary>
    public void Rewind() => Sent = 0;

    /// <summary>Gives everything back.</summary>
    public void Release()
    {
        ReturnChunks();
        if (_keeping is { FileUse: BodyFileUse.Leave })
        {
            _file?.Leave();
        }
        else
        {
            _file?.Close();
        }

        _memory.Buffers.Return(_window);
        _window = [];
        _file = null;
        _keeping = null;
        Errno = 0;
        Length = 0;
        Sent = 0;
    }

    private bool TryWrite(ReadOnlySpan<byte> bytes)
    {
        SyscallResult written = _file!.TryAppend(bytes);
        Errno = written.Errno;
        Length = _file.Length;
        return written.IsSuccess;
    }

    /// <summary>What passes to the file and back.</summary>
    private byte[] Window() => _window.Length > 0
        ? _window
        : _window = _memory.Buffers.Rent(ChunkBytes);

    private void ReturnChunks()
    {
        foreach (byte[] chunk in _chunks)
        {
            _memory.Return(chunk);
        }

        _chunks.Clear();
    }
}
