namespace Tessera.Proxy.Flow;

/// <summary>
/// The leaky buckets of a rate limit, one for each key, shared by all reactors: nginx's
/// limit_req_zone. A bucket holds its <em>excess</em>, the requests beyond the rate in thousandths,
/// and when that was; both are one word, so that a request is charged by one compare-and-swap and
/// no limit is exceeded however many reactors charge at once. Safe from any thread.
/// </summary>
internal sealed class RateZone
{
    /// <summary>Requests; what a bucket's word has room for.</summary>
    public const int MaxBurst = 268_000;

    /// <summary>One request, in the unit of excess.</summary>
    public const long Request = 1_000;

    private const int ExcessBits = 28;
    private const ulong ExcessMask = (1UL << ExcessBits) - 1;
    private const ulong TimeMask = ulong.MaxValue >> ExcessBits;

    private readonly KeySets _sets;
    private readonly ulong[] _keys;
    private readonly ulong[] _states;

    public RateZone(int maxKeys)
    {
        MaxKeys = maxKeys;
        _sets = new KeySets(maxKeys);
        _keys = new ulong[_sets.Count];
        _states = new ulong[_sets.Count];
    }

    public int MaxKeys { get; }

    /// <summary>
    /// Charges a request to the key's bucket, unless that would exceed the burst.
    /// </summary>
    /// <param name="key">From <see cref="KeyHash"/>.</param>
    /// <param name="rate">Thousandths of requests a second.</param>
    /// <param name="burst">Thousandths of requests.</param>
    /// <param name="excess">With this request, whether it was charged or not.</param>
    public bool TryCharge(ulong key, long rate, long burst, long nowMs, out long excess)
    {
        int first = _sets.FirstSlot(key);
        while (true)
        {
            int slot = Find(key, first);
            if (slot < 0)
            {
                if (TryAdd(key, first, nowMs))
                {
                    excess = 0;
                    return true;
                }

                continue;
            }

            // The key is looked at again behind the state: then the state is the key's.
            ulong state = Volatile.Read(ref _states[slot]);
            if (Volatile.Read(ref _keys[slot]) != key)
            {
                continue;
            }

            long elapsedMs = ElapsedMs(state, nowMs);
            excess = Math.Max(0, ExcessOf(state) - Leaked(rate, elapsedMs) + Request);
            if (excess > burst)
            {
                return false;
            }

            // A bucket that another key took meanwhile makes the charge void, as if the key had
            // been forgotten right behind it: it gets a bucket anew.
            ulong next = elapsedMs > 0 ? Pack(nowMs, excess) : WithExcess(state, excess);
            if (Interlocked.CompareExchange(ref _states[slot], next, state) == state
                && Volatile.Read(ref _keys[slot]) == key)
            {
                return true;
            }
        }
    }

    /// <summary>
    /// Takes a charge back, of a request that another limit refused. Afterwards the bucket is as if
    /// the request had not been: its excess falls at the same rate below zero as above.
    /// </summary>
    public void Refund(ulong key)
    {
        int slot = Find(key, _sets.FirstSlot(key));
        while (slot >= 0)
        {
            ulong state = Volatile.Read(ref _states[slot]);
            long excess = Math.Max(-Request, ExcessOf(state) - Request);
            if (Volatile.Read(ref _keys[slot]) != key
                || Interlocked.CompareExchange(
                    ref _states[slot], WithExcess(state, excess), state) == state)
            {
                return;
            }
        }
    }

    /// <summary>
    /// A rate of less than one thousandth a millisecond is rounded down, as nginx does.
    /// </summary>
    private static long Leaked(long rate, long elapsedMs) =>
        rate * Math.Min(elapsedMs, long.MaxValue / rate) / 1_000;

    /// <summary>
    /// Reactors read their clocks at the begin of their turns, so one may be a little behind what
    /// another wrote: then no time has gone by. Time counts modulo two years.
    /// </summary>
    private static long ElapsedMs(ulong state, long nowMs)
    {
        ulong elapsed = ((ulong)nowMs - (state >> ExcessBits)) & TimeMask;
        return elapsed <= TimeMask / 2 ? (long)elapsed : 0;
    }

    /// <summary>Kept with one request added, so that it is never negative.</summary>
    private static long ExcessOf(ulong state) => (long)(state & ExcessMask) - Request;

    private static ulong Pack(long nowMs, long excess) =>
        ((ulong)nowMs << ExcessBits) | (ulong)(excess + Request);

    private static ulong WithExcess(ulong state, long excess) =>
        (state & ~ExcessMask) | (ulong)(excess + Request);

    private int Find(ulong key, int first)
    {
        int found = _keys.AsSpan(first, KeySets.Ways).IndexOf(key);
        return found < 0 ? -1 : first + found;
    }

    /// <summary>
    /// Gives a slot of the set to the key: a free one, or that of the key which was charged longest
    /// ago. False when another thread has added the key meanwhile.
    /// </summary>
    private bool TryAdd(ulong key, int first, long nowMs)
    {
        _sets.Enter(first);
        bool isNew = Find(key, first) < 0;
        if (isNew)
        {
            int slot = FindOldest(first, nowMs);
            Volatile.Write(ref _keys[slot], 0);
            Interlocked.Exchange(ref _states[slot], Pack(nowMs, excess: 0));
            Volatile.Write(ref _keys[slot], key);
        }

        _sets.Leave(first);
        return isNew;
    }

    private int FindOldest(int first, long nowMs)
    {
        int oldest = first;
        long age = -1;
        for (int slot = first; slot < first + KeySets.Ways; slot++)
        {
            if (_keys[slot] == 0)
            {
                return slot;
            }

            long elapsedMs = ElapsedMs(Volatile.Read(ref _states[slot]), nowMs);
            if (elapsedMs > age)
            {
                oldest = slot;
                age = elapsedMs;
            }
        }

        return oldest;
    }
}
