namespace Tessera.Proxy.Flow;

/// <summary>
/// Ends a request body that trickles: time spent waiting for the client uses up its credit, bytes
/// that come earn some back, at the least rate that is put up with. The credit is never more than
/// the time-out, so a client with a good past may pause as long as one without a rate to keep.
/// Part of one exchange's state.
/// </summary>
internal struct RateFloor
{
    private long _spentMs;

    /// <summary>How long the next receive may wait, 1 or more.</summary>
    public readonly int TimeoutMs(int timeoutMs, int bytesPerSecond) =>
        bytesPerSecond <= 0 ? timeoutMs : (int)Math.Max(1, timeoutMs - _spentMs);

    /// <summary>A receive waited so long and brought so many bytes.</summary>
    public void Note(long waitedMs, long bytes, int bytesPerSecond)
    {
        if (bytesPerSecond > 0)
        {
            _spentMs = Math.Max(0, _spentMs + waitedMs - (bytes * 1_000 / bytesPerSecond));
        }
    }
}
