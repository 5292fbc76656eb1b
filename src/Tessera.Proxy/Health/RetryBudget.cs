namespace Tessera.Proxy.Health;

/// <summary>
/// How many retries a backend may see, as a share of its requests of the last ten seconds, so that
/// retries cannot multiply an outage. Requests are counted by each reactor for itself, retries by
/// all together; each second has a counter that carries its second with it, so none is ever reset
/// by anyone.
/// </summary>
internal sealed class RetryBudget
{
    private const int WindowSeconds = 10;

    /// <summary>Retries of one second that need no requests to stand for them.</summary>
    private const int FreePerSecond = 10;

    /// <summary>
    /// Counters of a ring; more than the window, and 128 bytes, so that reactors share no line of
    /// the processor's cache.
    /// </summary>
    private const int Slots = 16;

    private const int CountBits = 28;
    private const long CountMask = (1L << CountBits) - 1;

    private readonly long[] _requests;
    private readonly long[] _retries = new long[Slots];

    public RetryBudget(int reactors) => _requests = new long[reactors * Slots];

    /// <summary>By the reactor itself.</summary>
    public void CountRequest(int reactor, long nowMs)
    {
        long second = nowMs / 1_000;
        ref long slot = ref _requests[(reactor * Slots) + (int)(second % Slots)];
        long counted = slot;
        Volatile.Write(
            ref slot, counted >> CountBits == second ? counted + 1 : (second << CountBits) | 1);
    }

    /// <summary>True when the retry is within the budget; then it is counted.</summary>
    /// <param name="percent">Of the requests; 0 leaves the free ones alone.</param>
    public bool TryTake(long nowMs, int percent)
    {
        long second = nowMs / 1_000;
        ref long slot = ref _retries[second % Slots];
        while (true)
        {
            long counted = Volatile.Read(ref slot);
            long now = counted >> CountBits == second ? counted & CountMask : 0;
            if (now >= FreePerSecond
                && Sum(_retries, second) >= Sum(_requests, second) * Math.Max(percent, 0) / 100)
            {
                return false;
            }

            long next = (second << CountBits) | (now + 1);
            if (Interlocked.CompareExchange(ref slot, next, counted) == counted)
            {
                return true;
            }
        }
    }

    private static long Sum(long[] slots, long second)
    {
        long sum = 0;
        for (int i = 0; i < slots.Length; i++)
        {
            long counted = Volatile.Read(ref slots[i]);
            long age = second - (counted >> CountBits);
            sum += age is >= 0 and < WindowSeconds ? counted & CountMask : 0;
        }

        return sum;
    }
}
