using Tessera.Linux.Net;

namespace Tessera.Proxy.Reactors;

/// <summary>
/// How slowly a peer may take what is sent to it. Asked only when a send takes long, so it costs a
/// quick peer nothing. What counts is what the peer has acknowledged, not what the kernel has
/// taken: a large socket buffer that empties slowly moves in leaps far apart. Immutable; shared by
/// the connections of a shard.
/// </summary>
internal sealed class SendFloor
{
    /// <summary>Looks within a time-out: each is one system call on a slow connection.</summary>
    private const int Checks = 12;

    private readonly int _timeoutMs;
    private readonly int _bytesPerSecond;

    /// <param name="timeoutMs">Without a byte that is acknowledged.</param>
    /// <param name="bytesPerSecond">On average over the time-out, 1 or more.</param>
    public SendFloor(int timeoutMs, int bytesPerSecond)
    {
        _timeoutMs = timeoutMs;
        _bytesPerSecond = bytesPerSecond;
        CheckMs = Math.Max(1, timeoutMs / Checks);
    }

    /// <summary>A send that is not over after so long is looked at.</summary>
    public int CheckMs { get; }

    /// <summary>
    /// False when the peer is too slow. Otherwise the send is to be looked at again after
    /// <see cref="SendProgress.CreditMs"/> or <see cref="CheckMs"/>, whichever is less.
    /// </summary>
    /// <param name="taken">Bytes of the send that the kernel has taken.</param>
    /// <param name="left">Bytes of the send that it has not.</param>
    public bool Allows(SendProgress progress, int descriptor, int taken, int left, long nowMs)
    {
        long unacknowledged = left + Math.Max(0, SocketCalls.QueuedBytes(descriptor).Value);
        if (progress.CheckedMs == SendProgress.Never)
        {
            // The socket was full or nearly so: what went in has made room by going out.
            long earnedMs = taken * 1_000L / _bytesPerSecond;
            progress.CreditMs = Math.Min(_timeoutMs, _timeoutMs - CheckMs + earnedMs);
        }
        else
        {
            long acknowledged = progress.Unacknowledged - unacknowledged;
            long earnedMs = acknowledged * 1_000 / _bytesPerSecond;
            progress.CreditMs = Math.Min(_timeoutMs, progress.CreditMs + earnedMs)
                - (nowMs - progress.CheckedMs);
        }

        progress.CheckedMs = nowMs;
        progress.Unacknowledged = unacknowledged;
        return progress.CreditMs > 0;
    }
}

/// <summary>
/// What is known of a send that is slow. Owned by the reactor of its connection, which has one only
/// once a send was slow.
/// </summary>
internal sealed class SendProgress
{
    public const long Never = -1;

    /// <summary>
    /// When it was looked at; <see cref="Never"/> for a send that has just begun.
    /// </summary>
    public long CheckedMs { get; set; } = Never;

    public long Unacknowledged { get; set; }

    /// <summary>What is left of the time-out.</summary>
    public long CreditMs { get; set; }
}
