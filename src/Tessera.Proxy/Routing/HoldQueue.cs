using Tessera.Linux;
using Tessera.Proxy.Reactors;

namespace Tessera.Proxy.Routing;

/// <summary>
/// The requests of one reactor that wait for an endpoint of one backend, in the order they came.
/// Bounded by <see cref="Backend.TryEnterHold"/>. Owned by one reactor; others may ask whether
/// somebody waits, and post.
/// </summary>
internal sealed class HoldQueue
{
    private readonly List<Waiter> _waiting = [];
    private readonly Backend _backend;
    private readonly Action _releaseOne;
    private readonly Action _releaseOneHere;
    private readonly Action _releaseAll;
    private Reactor? _reactor;
    private int _count;

    public HoldQueue(Backend backend)
    {
        _backend = backend;
        _releaseOne = () =>
        {
            // Those who wait here may be gone meanwhile, or have no use for the room that came:
            // others may wait elsewhere.
            if (!TryReleaseFirst())
            {
                backend.ReleaseOneElsewhere(this);
            }
        };
        _releaseOneHere = () => TryReleaseFirst();
        _releaseAll = () => Release(_reactor!);
    }

    /// <summary>
    /// A request that was let go and has to wait again gets its old place: the deadline is from
    /// when it came first. The count is raised before the caller looks for room once more, and
    /// <see cref="Endpoint.End"/> makes room before it reads the count.
    /// </summary>
    /// <param name="tried">
    /// Endpoints that are no room for it, for one that waits for room; null for one that waits for
    /// news. Read until it is removed.
    /// </param>
    public void Add(
        Reactor reactor, IoOperation wait, long deadlineMs, List<Endpoint>? tried)
    {
        int index = _waiting.Count;
        while (index > 0 && _waiting[index - 1].DeadlineMs > deadlineMs)
        {
            index--;
        }

        _waiting.Insert(index, new Waiter(deadlineMs, wait, tried));
        Volatile.Write(ref _reactor, reactor);
        Interlocked.Exchange(ref _count, _waiting.Count);
    }

    /// <summary>
    /// For one that waits no longer. False when it was let go: then it may have been the only one
    /// that was told of some room.
    /// </summary>
    public bool Remove(IoOperation wait)
    {
        int index = _waiting.FindIndex(w => w.Wait == wait);
        if (index >= 0)
        {
            RemoveAt(index);
        }

        return index >= 0;
    }

    /// <summary>Lets all look again, first come first.</summary>
    public void Release(Reactor reactor)
    {
        foreach (Waiter waiter in _waiting)
        {
            if (waiter.Wait.IsPending)
            {
                reactor.Schedule(waiter.Wait, SyscallResult.Success(0));
            }
        }

        _waiting.Clear();
        Interlocked.Exchange(ref _count, 0);
    }

    /// <summary>
    /// Has the first that can use it look for room, soon. False when nobody waits here. Any thread;
    /// allocates nothing.
    /// </summary>
    /// <param name="isHereOnly">When nobody here can, the other queues are not asked.</param>
    public bool TryPostRelease(bool isHereOnly = false)
    {
        if (Volatile.Read(ref _count) == 0)
        {
            return false;
        }

        Volatile.Read(ref _reactor)!.Post(isHereOnly ? _releaseOneHere : _releaseOne);
        return true;
    }

    /// <summary>Has all look again, soon. Any thread; allocates nothing.</summary>
    public void PostReleaseAll()
    {
        if (Volatile.Read(ref _count) > 0)
        {
            Volatile.Read(ref _reactor)!.Post(_releaseAll);
        }
    }

    /// <summary>
    /// Passes over those who cannot go where the room is: one of them would take the news and leave
    /// it unused, and from its old place the next news as well.
    /// </summary>
    private bool TryReleaseFirst()
    {
        BackendSet set = _backend.Current;
        for (int i = 0; i < _waiting.Count; i++)
        {
            Waiter waiter = _waiting[i];
            if (waiter.Wait.IsPending
                && waiter.Tried is not null && Balancer.HasRoom(set, waiter.Tried))
            {
                RemoveAt(i);
                _reactor!.Schedule(waiter.Wait, SyscallResult.Success(0));
                return true;
            }
        }

        return false;
    }

    private void RemoveAt(int index)
    {
        _waiting.RemoveAt(index);
        Interlocked.Exchange(ref _count, _waiting.Count);
    }

    private readonly record struct Waiter(
        long DeadlineMs, IoOperation Wait, List<Endpoint>? Tried);
}
