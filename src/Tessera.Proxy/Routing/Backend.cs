using System.Text;
using Tessera.Proxy.Health;

namespace Tessera.Proxy.Routing;

/// <summary>
/// A balanced set of endpoints under its name. Lives as long as the name stays in the
/// configuration; <see cref="Current"/> is swapped for each new one. Shared by all reactors.
/// </summary>
internal sealed class Backend
{
    private readonly HoldQueue[] _holdQueues;
    private readonly uint[] _turns = new uint[2];
    private BackendSet _current;
    private uint _releases;
    private int _held;

    /// <param name="reactors">How many there are; each has a queue of held requests.</param>
    public Backend(string name, BackendSet current, int reactors)
    {
        Name = name;
        NameText = Encoding.UTF8.GetBytes(name);
        Health = new BackendHealth(name, ReleaseAll);
        RetryBudget = new RetryBudget(reactors);
        _current = current;
        _holdQueues = new HoldQueue[reactors];
        for (int i = 0; i < reactors; i++)
        {
            _holdQueues[i] = new HoldQueue(this);
        }

        Adopt(current);
    }

    public string Name { get; }

    /// <summary>As $upstream_addr has it when nobody could be tried.</summary>
    public byte[] NameText { get; }

    public BackendHealth Health { get; }

    public RetryBudget RetryBudget { get; }

    public BackendSet Current
    {
        get => Volatile.Read(ref _current);
        set
        {
            Adopt(value);
            Interlocked.Exchange(ref _current, value);
        }
    }

    /// <summary>Requests that wait for an endpoint, over all reactors.</summary>
    public int Held => Volatile.Read(ref _held);

    /// <summary>
    /// A number that no other request to the same group gets until it wraps around.
    /// </summary>
    public uint TakeTurn(EndpointGroup group) =>
        Interlocked.Increment(ref _turns[group.IsBackup ? 1 : 0]) - 1;

    /// <summary>False when the queue is full. <see cref="LeaveHold"/> must follow a true.</summary>
    public bool TryEnterHold(int limit)
    {
        if (Interlocked.Increment(ref _held) <= limit)
        {
            return true;
        }

        LeaveHold();
        return false;
    }

    public void LeaveHold() => Interlocked.Decrement(ref _held);

    /// <summary>
    /// An endpoint has room again: lets one of the requests that wait and could go there look,
    /// whichever reactor's.
    /// </summary>
    public void ReleaseOne()
    {
        if (Held == 0)
        {
            return;
        }

        uint first = Interlocked.Increment(ref _releases);
        for (uint i = 0; i < _holdQueues.Length; i++)
        {
            if (_holdQueues[(first + i) % (uint)_holdQueues.Length].TryPostRelease())
            {
                return;
            }
        }
    }

    /// <summary>
    /// Nobody in one queue could use the room: lets one of each other queue look. All of them at
    /// once, because a search from queue to queue would have to know where it began; those who find
    /// the room taken get their places back.
    /// </summary>
    public void ReleaseOneElsewhere(HoldQueue asked)
    {
        foreach (HoldQueue queue in _holdQueues)
        {
            if (queue != asked)
            {
                queue.TryPostRelease(isHereOnly: true);
            }
        }
    }

    /// <summary>
    /// Other endpoints may be picked than before: lets all requests that wait look. A request is in
    /// its queue before it looks for the last time, so it sees the change or is found. Any thread.
    /// </summary>
    public void ReleaseAll()
    {
        foreach (HoldQueue queue in _holdQueues)
        {
            queue.PostReleaseAll();
        }
    }

    /// <summary>The queue of one reactor, touched by that reactor alone.</summary>
    public HoldQueue HoldQueueOf(int reactor) => _holdQueues[reactor];

    private void Adopt(BackendSet set)
    {
        foreach (Endpoint endpoint in set.Endpoints)
        {
            endpoint.BelongTo(this);
        }
    }
}
