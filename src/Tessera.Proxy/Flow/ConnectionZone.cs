namespace Tessera.Proxy.Flow;

/// <summary>
/// Counts the requests in progress of each key over all reactors: nginx's limit_conn_zone. A slot
/// is one word of the key's fingerprint and its count; a count of 0 frees it. Safe from any thread.
/// </summary>
internal sealed class ConnectionZone
{
    /// <summary>What a slot's word has room for.</summary>
    public const int MaxCount = (1 << CountBits) - 1;

    private const int CountBits = 20;

    private readonly KeySets _sets;
    private readonly ulong[] _slots;

    public ConnectionZone(int maxKeys)
    {
        MaxKeys = maxKeys;
        _sets = new KeySets(maxKeys);
        _slots = new ulong[_sets.Count];
    }

    public int MaxKeys { get; }

    /// <summary>
    /// Counts a request in, unless the key has <paramref name="max"/> already or there is no room
    /// for another key. <see cref="Leave"/> with <paramref name="slot"/> must follow a true.
    /// </summary>
    /// <param name="key">From <see cref="KeyHash"/>.</param>
    /// <param name="max">1 or more.</param>
    public bool TryEnter(ulong key, int max, out int slot)
    {
        int first = _sets.FirstSlot(key);
        ulong fingerprint = key & ~(ulong)MaxCount;
        while (true)
        {
            slot = Find(fingerprint, first, out ulong word);
            if (slot < 0)
            {
                switch (Add(fingerprint, first, out slot))
                {
                    case Addition.Added:
                        return true;
                    case Addition.NoRoom:
                        return false;
                    default:
                        continue;
                }
            }

            if ((int)(word & MaxCount) >= Math.Min(max, MaxCount))
            {
                return false;
            }

            if (Interlocked.CompareExchange(ref _slots[slot], word + 1, word) == word)
            {
                return true;
            }
        }
    }

    public void Leave(int slot) => Interlocked.Decrement(ref _slots[slot]);

    /// <summary>Only a slot that counts something belongs to its key.</summary>
    private int Find(ulong fingerprint, int first, out ulong word)
    {
        for (int slot = first; slot < first + KeySets.Ways; slot++)
        {
            word = Volatile.Read(ref _slots[slot]);
            if ((word & ~(ulong)MaxCount) == fingerprint && (word & MaxCount) != 0)
            {
                return slot;
            }
        }

        word = 0;
        return -1;
    }

    /// <summary>
    /// A first request of a key. Within the gate no slot begins to count, so a key never gets two.
    /// </summary>
    private Addition Add(ulong fingerprint, int first, out int slot)
    {
        _sets.Enter(first);
        Addition result = Addition.NoRoom;
        slot = Find(fingerprint, first, out _);
        if (slot >= 0)
        {
            result = Addition.WasThere;
        }
        else
        {
            for (slot = first; slot < first + KeySets.Ways; slot++)
            {
                if ((Volatile.Read(ref _slots[slot]) & MaxCount) == 0)
                {
                    Volatile.Write(ref _slots[slot], fingerprint | 1);
                    result = Addition.Added;
                    break;
                }
            }
        }

        _sets.Leave(first);
        return result;
    }

    private enum Addition : byte
    {
        Added,
        WasThere,
        NoRoom,
    }
}
