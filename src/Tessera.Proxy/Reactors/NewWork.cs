using System.Diagnostics.CodeAnalysis;

namespace Tessera.Proxy.Reactors;

/// <summary>
/// Ready sockets that bring new work (<see cref="IoHandle.BringsWork"/>), in the order in which
/// they became ready. A poller goes on with the work that is under way first and then takes up a
/// little of this, so that under load few requests are under way at a time: what belongs to them,
/// in the kernel too, is still in the processor's cache when they end. Each socket waits in it
/// once. Owned by one reactor.
/// </summary>
internal sealed class NewWork
{
    /// <summary>
    /// Taken up in one turn. Fewer would spend a turn's wait on too few, more would outgrow the
    /// cache.
    /// </summary>
    public const int PerTurn = 16;

    private readonly Queue<IoHandle> _ready = new();
    private int _left;

    public bool IsEmpty => _ready.Count == 0;

    public void Add(IoHandle handle)
    {
        if (!handle.IsQueued)
        {
            handle.IsQueued = true;
            _ready.Enqueue(handle);
        }
    }

    public void BeginTurn() => _left = PerTurn;

    /// <summary>False when there is none, or none for this turn.</summary>
    public bool TryTake([NotNullWhen(true)] out IoHandle? handle)
    {
        while (_left > 0 && _ready.TryDequeue(out handle))
        {
            handle.IsQueued = false;
            if (handle.Descriptor >= 0)
            {
                _left--;
                return true;
            }
        }

        handle = null;
        return false;
    }
}
