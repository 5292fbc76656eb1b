namespace Tessera.Proxy.Reactors;

/// <summary>
/// How a reactor waits. To fall asleep and be woken delays an answer more, above all on a virtual
/// processor, than to ask again for some microseconds; a fast answer of a server, or the next
/// request of a busy client, comes within them. So while most waits turn out to be that short, a
/// wait begins by asking again and again; a reactor with little to do sleeps at once. Owned by one
/// reactor, but for <see cref="AskedTicks"/>.
/// </summary>
/// <param name="mayAsk">
/// False where asking would keep away what it waits for: more reactors than processors.
/// </param>
internal sealed class BusyPolling(bool mayAsk, TimeProvider clock)
{
    /// <summary>About twice what falling asleep and waking took where it was measured.</summary>
    private const int MaxAskMicroseconds = 50;

    /// <summary>
    /// So many short waits more than long ones make a habit. One that asked its whole time undoes
    /// them, so that asking in vain is a ninth of the waits at most.
    /// </summary>
    private const int HabitScore = 8;

    private const int MaxScore = 2 * HabitScore;

    private readonly long _maxAskTicks =
        clock.TimestampFrequency / 1_000_000 * MaxAskMicroseconds;

    private int _score;
    private long _askedTicks;

    /// <summary>
    /// Time spent asking, on the clock given; it counts as waiting, not as work. Any thread.
    /// </summary>
    public long AskedTicks => Volatile.Read(ref _askedTicks);

    /// <summary>
    /// Waits until <paramref name="poller"/> has something to dispatch, at most
    /// <paramref name="timeoutMs"/> and what asking takes; -1 is for ever. The time it took, on the
    /// clock given.
    /// </summary>
    public long Wait(IPoller poller, int timeoutMs)
    {
        long begin = clock.GetTimestamp();
        long waited = 0;
        bool isReady = false;
        bool asks = mayAsk && timeoutMs != 0 && _score >= HabitScore;
        while (asks && !isReady && waited < _maxAskTicks)
        {
            isReady = poller.Wait(0);
            waited = clock.GetTimestamp() - begin;
        }

        if (asks)
        {
            Volatile.Write(ref _askedTicks, _askedTicks + waited);
        }

        if (!isReady)
        {
            poller.Wait(timeoutMs);
            waited = clock.GetTimestamp() - begin;
        }

        _score = Math.Clamp(_score + Judge(asks, waited), 0, MaxScore);
        return waited;
    }

    /// <summary>
    /// Time alone judges, so that a reactor that was kept from its processor asks less. A wait that
    /// slept has its waking in it, half the border; one that asked longer than that has lost.
    /// </summary>
    private int Judge(bool asked, long waited) =>
        waited >= _maxAskTicks ? (asked ? -HabitScore : -1)
        : asked && waited >= _maxAskTicks / 2 ? -1
        : 1;
}
