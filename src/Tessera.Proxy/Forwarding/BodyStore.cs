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
/// is taken, or because it may have to be sent again. Kept in buffers of the pool. Owned by one
/// reactor.
/// </summary>
internal sealed class BodyStore
{
    private readonly BodyMemory _memory;
    private readonly List<byte[]> _chunks = [];

    public BodyStore(BodyMemory memory) => _memory = memory;

    public int Length { get; private set; }

    /// <summary>Bytes that the endpoint of this try was given.</summary>
    public int Sent { get; private set; }

    public bool IsSent => Sent == Length;

    private int ChunkBytes => _memory.Buffers.HeadBytes;

    /// <summary>
    /// Free space behind what is kept, to be received into: <see cref="NoteReceived"/> follows.
    /// Null when there is no memory left.
    /// </summary>
    public byte[]? TryReserve(out int start, out int length)
    {
        start = Length % ChunkBytes;
        length = ChunkBytes - start;
        if (Length == _chunks.Count * ChunkBytes)
        {
            if (_memory.TryRent() is not { } chunk)
            {
                return null;
            }

            _chunks.Add(chunk);
        }

        return _chunks[^1];
    }

    /// <summary>So many bytes now lie in the space that was reserved last.</summary>
    public void NoteReceived(int length) => Length += length;

    /// <summary>
    /// Keeps a copy of bytes that are on their way to the endpoint by themselves. False when there
    /// is no memory left; then what is kept is of no use any more.
    /// </summary>
    public bool TryAppendSent(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            if (TryReserve(out int start, out int length) is not { } chunk)
            {
                return false;
            }

            length = Math.Min(length, bytes.Length);
            bytes[..length].CopyTo(chunk.AsSpan(start));
            bytes = bytes[length..];
            Length += length;
        }

        Sent = Length;
        return true;
    }

    /// <summary>
    /// As <see cref="TryAppendSent"/>, for bytes that are still to be sent.
    /// </summary>
    public bool TryAppend(ReadOnlySpan<byte> bytes)
    {
        int sent = Sent;
        bool isKept = TryAppendSent(bytes);
        Sent = sent;
        return isKept;
    }

    /// <summary>The next bytes to send; there are some.</summary>
    public byte[] PeekUnsent(out int start, out int length)
    {
        start = Sent % ChunkBytes;
        length = Math.Min(ChunkBytes - start, Length - Sent);
        return _chunks[Sent / ChunkBytes];
    }

    public void NoteSent(int length) => Sent += length;

    /// <summary>Another endpoint gets it from the beginning.</summary>
    public void Rewind() => Sent = 0;

    /// <summary>Gives everything back.</summary>
    public void Release()
    {
        foreach (byte[] chunk in _chunks)
        {
            _memory.Return(chunk);
        }

        _chunks.Clear();
        Length = 0;
        Sent = 0;
    }
}
