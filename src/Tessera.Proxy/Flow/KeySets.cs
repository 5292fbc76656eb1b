using System.Numerics;

namespace Tessera.Proxy.Flow;

/// <summary>
/// How the keys of a zone lie in memory: a hash leads to a set of sixteen neighbouring slots, and
/// the key is in one of them or nowhere. There are twice as many slots as keys, so that a set
/// overflows before its zone is full about once in 250 times. Taking a slot for a new key goes
/// through the set's gate; everything else is done by compare-and-swap. Safe from any thread.
/// </summary>
internal sealed class KeySets
{
    /// <summary>Slots of a set: two cache lines of words.</summary>
    public const int Ways = 16;

    private const int MaxSlots = 1 << 24;

    private readonly int[] _gates;
    private readonly uint _mask;

    /// <param name="maxKeys">1 to 8,388,608.</param>
    public KeySets(int maxKeys)
    {
        long slots = Math.Clamp(maxKeys * 2L, Ways, MaxSlots);
        int sets = (int)BitOperations.RoundUpToPowerOf2((ulong)slots) / Ways;
        _gates = new int[sets];
        _mask = (uint)sets - 1;
    }

    /// <summary>Slots of all sets.</summary>
    public int Count => _gates.Length * Ways;

    /// <summary>First slot of the key's set.</summary>
    public int FirstSlot(ulong hash) => (int)((uint)hash & _mask) * Ways;

    /// <summary>
    /// Waits for its turn: whoever is within does a few dozen instructions and waits for nothing.
    /// </summary>
    public void Enter(int firstSlot)
    {
        ref int gate = ref _gates[firstSlot / Ways];
        if (Interlocked.Exchange(ref gate, 1) == 0)
        {
            return;
        }

        var spin = default(SpinWait);
        while (Volatile.Read(ref gate) != 0 || Interlocked.Exchange(ref gate, 1) != 0)
        {
            // Gives the processor away, and never sleeps.
            spin.SpinOnce(sleep1Threshold: -1);
        }
    }

    public void Leave(int firstSlot) => Volatile.Write(ref _gates[firstSlot / Ways], 0);
}
