using System.Diagnostics;

namespace Tessera.Proxy.Reactors;

/// <summary>
/// How a reactor waits. To fall asleep and be woken costs a processor more, above all a virtual
/// one, than to ask again for some microseconds; a fast answer of a server, or the next request of
/// a busy client, comes within them. So while most waits turn out to be that short, a wait begins
/// by asking again and again; a reactor with little to do sleeps at once. Owned by one reactor.
/// </summary>
internal sealed class BusyPolling
{
    /// <summary>About twice what falling asleep and waking cost.</summary>
    private const int MaxMicroseconds = 50;

    /// <summary>
    /// So many short waits more than long ones make a habit; a wait that asked in vain undoes them,
    /// so that what it cost is spent on a ninth of the waits at most.
    /// </summary>
    private const int Habit = 8;

    private const int MaxScore = 2 * Habit;

    private static readonly long MaxTicks = Stopwatch.Frequency / 1_000_000 * MaxMicroseconds;

    private int _score;

    /// <summary>
    /// Waits until <paramref name="poller"/> has something to dispatch, at most
    /// <paramref name="timeoutMs"/>; -1 is for ever. The time it took, on <see cref="Stopwatch"/>.
    /// </summary>
    public long Wait(IPoller poller, int timeoutMs)
    {
        long begin = Stopwatch.GetTimestamp();
        long waited = 0;
        bool isReady = false;
        bool isHabit = _score >= Habit;
        while (isHabit && !isReady && waited < MaxTicks)
        {
            isReady = poller.Wait(0);
            waited = Stopwatch.GetTimestamp() - begin;
        }

        if (!isReady)
        {
            poller.Wait(timeoutMs);
            waited = Stopwatch.GetTimestamp() - begin;
        }

        int change = waited < MaxTicks ? 1 : isHabit ? -Habit : -1;
        _score = Math.Clamp(_score + change, 0, MaxScore);
        return waited;
    }
}
