namespace Tessera.Proxy.Flow;

/// <summary>
/// Says how many bytes of a response may leave now, so that over any while they keep to a rate: a
/// schedule counted from the first byte on, so that a timer that comes late is made up for. A
/// client that took less than it may gets at most a second of it back. Part of one exchange's
/// state; the default value sets no limit.
/// </summary>
internal struct Pacer
{
    /// <summary>Pieces a second: small enough to be even, large enough to be cheap.</summary>
    private const int PiecesPerSecond = 10;

    private const int MaxArrearsMs = 1_000;

    private readonly long _bytesPerSecond;
    private readonly int _piece;
    private long _free;
    private long _startMs;
    private long _sent;

    /// <param name="bytesPerSecond">0 sets no limit.</param>
    /// <param name="bytesBeforeLimit">Leave at once.</param>
    public Pacer(long bytesPerSecond, long bytesBeforeLimit)
    {
        _bytesPerSecond = bytesPerSecond;
        _piece = (int)Math.Clamp(bytesPerSecond / PiecesPerSecond, 1, int.MaxValue);
        _free = bytesBeforeLimit;
        _startMs = -1;
    }

    public readonly bool IsLimited => _bytesPerSecond > 0;

    /// <summary>
    /// How many of <paramref name="wanted"/> bytes may be sent now. With 0,
    /// <see cref="DelayMs"/> tells for how long. What is sent must be told to
    /// <see cref="NoteSent"/>.
    /// </summary>
    public int Allow(int wanted, long nowMs)
    {
        if (!IsLimited)
        {
            return wanted;
        }

        if (_free > 0)
        {
            return (int)Math.Min(wanted, _free);
        }

        if (_startMs < 0)
        {
            _startMs = nowMs;
        }

        // Arrears beyond a second are let go of.
        long behindMs = nowMs - DueMs(_sent);
        _startMs += Math.Max(0, behindMs - MaxArrearsMs);

        // One piece is ahead of the schedule, so that the first one leaves at once.
        long allowed = Scheduled(nowMs) + _piece - _sent;
        return allowed >= Math.Min(wanted, _piece) ? (int)Math.Min(wanted, allowed) : 0;
    }

    public void NoteSent(int bytes)
    {
        if (_free > 0)
        {
            _free = Math.Max(0, _free - bytes);
        }
        else
        {
            _sent += bytes;
        }
    }

    /// <summary>Until the next piece is due, 1 or more.</summary>
    public readonly int DelayMs(long nowMs) =>
        (int)Math.Clamp(DueMs(_sent) - nowMs, 1, int.MaxValue);

    private readonly long Scheduled(long nowMs) =>
        (long)((Int128)(nowMs - _startMs) * _bytesPerSecond / 1_000);

    /// <summary>When so many bytes are on schedule, rounded up.</summary>
    private readonly long DueMs(long bytes) =>
        _startMs + (long)((((Int128)bytes * 1_000) + _bytesPerSecond - 1) / _bytesPerSecond);
}
