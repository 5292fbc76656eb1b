namespace Tessera.Proxy.Health;

/// <summary>
/// Counts failures that come within a time of the first of them. Shared by all reactors; the count
/// and the time it began at change together.
/// </summary>
internal struct FailureCount
{
    /// <summary>Of the packed value; the rest is the time.</summary>
    private const int CountBits = 16;

    private const long MaxCount = (1 << CountBits) - 1;

    private long _packed;

    /// <summary>Returns how many there were, this one included; at most 65,535.</summary>
    public int Add(long nowMs, int windowMs)
    {
        while (true)
        {
            long seen = Volatile.Read(ref _packed);
            long startMs = seen >> CountBits;
            long count = seen & MaxCount;
            bool isFirst = count == 0 || nowMs - startMs >= windowMs;
            long next = isFirst ? (nowMs << CountBits) | 1
                : count < MaxCount ? seen + 1
                : seen;
            if (Interlocked.CompareExchange(ref _packed, next, seen) == seen)
            {
                return (int)(next & MaxCount);
            }
        }
    }

    public void Clear() => Interlocked.Exchange(ref _packed, 0);
}
