using Tessera.Proxy.Http;

namespace Tessera.Proxy.Forwarding;

/// <summary>
/// Tells which of the received bytes belong to a message's body and when it ends, without keeping
/// any. The bytes are relayed as they are, chunk framing included. Part of one exchange's state.
/// </summary>
internal struct BodyReader
{
    private ChunkedDecoder _chunks;
    private long _remaining;

    /// <param name="isTolerant">See <see cref="ChunkedDecoder.IsTolerant"/>.</param>
    public BodyReader(BodyFraming framing, long contentLength, bool isTolerant = false)
    {
        _chunks = new ChunkedDecoder { IsTolerant = isTolerant };
        Framing = framing;
        _remaining = contentLength;
        IsComplete = framing == BodyFraming.None;
    }

    public BodyFraming Framing { get; }

    public bool IsComplete { get; private set; }

    /// <summary>Bytes of the body that were taken so far, chunk framing included.</summary>
    public long Taken { get; private set; }

    /// <summary>
    /// Data of the chunks that have begun, those bytes included that are still to come; 0 for other
    /// bodies.
    /// </summary>
    public readonly long AnnouncedBytes => _chunks.AnnouncedBytes;

    /// <summary>The chunk framing is broken: what follows means nothing.</summary>
    public bool IsInvalid { get; private set; }

    /// <summary>
    /// How many of the bytes belong to the body; fewer than given only at its end.
    /// </summary>
    public int Take(ReadOnlySpan<byte> data)
    {
        switch (Framing)
        {
            case BodyFraming.Length:
                int taken = (int)Math.Min(_remaining, data.Length);
                _remaining -= taken;
                Taken += taken;
                IsComplete = _remaining == 0;
                return taken;
            case BodyFraming.Chunked:
                ChunkStatus status = _chunks.Advance(data, out int consumed);
                Note(status);
                Taken += consumed;
                return consumed;
            default:
                return Framing == BodyFraming.UntilClose ? data.Length : 0;
        }
    }

    /// <summary>
    /// From now on chunks are read as everybody reads them. False when some of those that have
    /// come were not such.
    /// </summary>
    public bool TryBecomeStrict()
    {
        _chunks.IsTolerant &= _chunks.HasOddities;
        return !_chunks.HasOddities;
    }

    /// <summary>The chunks are over, and the trailer section is not.</summary>
    public readonly bool IsInTrailers => Framing == BodyFraming.Chunked && _chunks.IsInTrailers;

    /// <summary>Bytes of a body of known length that were passed on without being read.</summary>
    public void Skip(int bytes)
    {
        _remaining -= bytes;
        Taken += bytes;
        IsComplete = _remaining == 0;
    }

    /// <summary>
    /// Takes the next piece of a chunked body: the data within it lies at <paramref name="start"/>.
    /// Returns the bytes taken, framing included; 0 when there are none left to take.
    /// </summary>
    public int TakeChunkData(ReadOnlySpan<byte> data, out int start, out int length)
    {
        ChunkStatus status = _chunks.Next(data, out int consumed, out start, out length);
        Note(status);
        Taken += consumed;
        return consumed;
    }

    /// <summary>As <see cref="TakeChunkData"/>, of a body of any kind.</summary>
    public int TakeData(ReadOnlySpan<byte> data, out int start, out int length)
    {
        if (Framing == BodyFraming.Chunked)
        {
            return TakeChunkData(data, out start, out length);
        }

        start = 0;
        length = Take(data);
        return length;
    }

    /// <summary>
    /// The peer ended its stream: right only where the end of the stream ends the body.
    /// </summary>
    public bool TryEnd()
    {
        IsComplete |= Framing == BodyFraming.UntilClose;
        return IsComplete;
    }

    /// <summary>Bytes still to come of a body of known length; 0 for other bodies.</summary>
    public readonly long Remaining => Framing == BodyFraming.Length ? _remaining : 0;

    /// <summary>
    /// Bytes worth receiving at once, so that nothing behind a known length is taken.
    /// </summary>
    public readonly int ReceiveLimit(int size) =>
        Framing == BodyFraming.Length ? (int)Math.Min(_remaining, size) : size;

    private void Note(ChunkStatus status)
    {
        IsComplete = status == ChunkStatus.Complete;
        IsInvalid = status == ChunkStatus.Invalid;
    }
}
