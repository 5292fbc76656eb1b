using System.Numerics;

namespace Tessera.Proxy.Reactors;

/// <summary>
/// Something with a deadline. It lies in at most one <see cref="TimerWheel"/> and belongs to the
/// wheel's reactor.
/// </summary>
internal abstract class TimerEntry
{
    internal const long NoDeadline = long.MaxValue;

    internal TimerEntry? PreviousInSlot;
    internal TimerEntry? NextInSlot;

    /// <summary>The tick in whose slot it is linked; -1 when it is in no slot.</summary>
    internal long Tick = -1;

    /// <summary>When it expires, on the reactor's clock in milliseconds.</summary>
    internal long Deadline = NoDeadline;

    /// <summary>Called once on the reactor when the deadline has passed.</summary>
    protected internal abstract void Expire();
}

/// <summary>
/// Deadlines by hashed timing wheel. Setting a later deadline, which every request does several
/// times, only writes a field: the entry stays in its slot and is moved on when the slot comes up.
/// Deadlines are met up to one tick late and never early. Owned by one reactor.
/// </summary>
internal sealed class TimerWheel
{
    /// <summary>Resolution in milliseconds.</summary>
    internal const int TickMs = 20;

    /// <summary>
    /// Slots; a power of two. An entry further away than one turn is moved on each turn.
    /// </summary>
    private const int Slots = 1_024;

    private readonly TimerEntry?[] _slots = new TimerEntry?[Slots];
    private readonly ulong[] _occupied = new ulong[Slots / 64];
    private long _currentTick;

    public TimerWheel(long nowMs) => _currentTick = nowMs / TickMs;

    /// <summary>
    /// Makes the entry expire at <paramref name="deadline"/>, later or earlier than before.
    /// </summary>
    public void Arm(TimerEntry entry, long deadline)
    {
        entry.Deadline = deadline;
        long tick = TickOf(deadline);
        if (entry.Tick >= 0)
        {
            if (entry.Tick <= tick)
            {
                return;
            }

            Unlink(entry);
        }

        Link(entry, tick);
    }

    /// <summary>The entry will not expire; it may stay linked until its slot comes up.</summary>
    public static void Disarm(TimerEntry entry) => entry.Deadline = TimerEntry.NoDeadline;

    /// <summary>Disarms and unlinks, so that the wheel holds no reference to the entry.</summary>
    public void Remove(TimerEntry entry)
    {
        entry.Deadline = TimerEntry.NoDeadline;
        if (entry.Tick >= 0)
        {
            Unlink(entry);
        }
    }

    /// <summary>
    /// Milliseconds until the next slot with entries comes up; -1 when there are none.
    /// </summary>
    public int DelayMs(long nowMs)
    {
        long tick = NextOccupiedTick();
        return tick < 0 ? -1 : (int)Math.Max(0, (tick * TickMs) - nowMs);
    }

    /// <summary>
    /// Expires what is due. Entries may arm and remove each other meanwhile. After an exception the
    /// next call goes on behind the entry that threw it.
    /// </summary>
    public void Advance(long nowMs)
    {
        long target = nowMs / TickMs;
        if (target - _currentTick > Slots)
        {
            _currentTick = target - Slots;
        }

        // The current slot first: an exception may have kept it from being emptied the last time.
        while (true)
        {
            Drain((int)(_currentTick & (Slots - 1)), nowMs);
            if (_currentTick >= target)
            {
                return;
            }

            _currentTick++;
        }
    }

    private void Drain(int slot, long nowMs)
    {
        while (_slots[slot] is { } entry)
        {
            Unlink(entry);
            if (entry.Deadline == TimerEntry.NoDeadline)
            {
                continue;
            }

            if (entry.Deadline > nowMs)
            {
                Link(entry, TickOf(entry.Deadline));
                continue;
            }

            entry.Deadline = TimerEntry.NoDeadline;
            entry.Expire();
        }
    }

    /// <summary>
    /// The first tick at which the deadline has passed, within one turn of the wheel.
    /// </summary>
    private long TickOf(long deadline) => Math.Clamp(
        (deadline + TickMs - 1) / TickMs, _currentTick + 1, _currentTick + Slots - 1);

    private void Link(TimerEntry entry, long tick)
    {
        int slot = (int)(tick & (Slots - 1));
        TimerEntry? first = _slots[slot];
        entry.Tick = tick;
        entry.PreviousInSlot = null;
        entry.NextInSlot = first;
        if (first is not null)
        {
            first.PreviousInSlot = entry;
        }

        _slots[slot] = entry;
        _occupied[slot >> 6] |= 1UL << (slot & 63);
    }

    private void Unlink(TimerEntry entry)
    {
        int slot = (int)(entry.Tick & (Slots - 1));
        if (entry.PreviousInSlot is null)
        {
            _slots[slot] = entry.NextInSlot;
            if (entry.NextInSlot is null)
            {
                _occupied[slot >> 6] &= ~(1UL << (slot & 63));
            }
        }
        else
        {
            entry.PreviousInSlot.NextInSlot = entry.NextInSlot;
        }

        if (entry.NextInSlot is not null)
        {
            entry.NextInSlot.PreviousInSlot = entry.PreviousInSlot;
        }

        entry.PreviousInSlot = null;
        entry.NextInSlot = null;
        entry.Tick = -1;
    }

    private long NextOccupiedTick()
    {
        long first = _currentTick + 1;
        int slot = (int)(first & (Slots - 1));
        int word = slot >> 6;
        ulong bits = _occupied[word] & (ulong.MaxValue << (slot & 63));
        for (int i = 0; i <= _occupied.Length; i++)
        {
            if (bits != 0)
            {
                int found = (word << 6) + BitOperations.TrailingZeroCount(bits);
                return first + ((found - slot) & (Slots - 1));
            }

            word = (word + 1) % _occupied.Length;
            bits = _occupied[word];
        }

        return -1;
    }
}
