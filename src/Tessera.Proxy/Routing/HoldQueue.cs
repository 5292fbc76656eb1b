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
    private readonly List<(long DeadlineMs, IoOperation Wait)> _waiting = [];
    private readonly Action _releaseOne;
    private readonly Action _releaseAll;
    private Reactor? _reactor;
    private int _count;

    public HoldQueue(Backend backend)
    {
        _releaseOne = () =>
        {
            // Whoever waited here may be gone meanwhile; others may wait elsewhere.
            if (!TryReleaseFirst())
            {
                backend.ReleaseOne();
            }
        };
        _releaseAll = () => Release(_reactor!);
    }

    /// <summary>
    /// A request that was let go and has to wait again gets its old place: the deadline is from
    /// when it came first. The count is raised before the caller looks for room once more, and
    /// <see cref="Endpoint.End"/> makes room before it reads the count.
    /// </summary>
    public void Add(Reactor reactor, IoOperation wait, long deadlineMs)
    {
        int index = _waiting.Count;
        while (index > 0 && _waiting[index - 1].DeadlineMs > deadlineMs)
        {
            index--;
        }

        _waiting.Insert(index, (deadlineMs, wait));
        Volatile.Write(ref _reactor, reactor);
        Interlocked.Exchange(ref _count, _waiting.Count);
    }

    /// <summary>For one that waits no longer; unknown ones are ignored.</summary>
    public void Remove(IoOperation wait)
    {
        int index = _waiting.FindIndex(w => w.Wait == wait);
        if (index >= 0)
        {
            _waiting.RemoveAt(index);
            Interlocked.Exchange(ref _count, _waiting.Count);
        }
    }

    /// <summary>Lets all look again, first come first.</summary>
    public void Release(Reactor reactor)
    {
        foreach ((_, IoOperation wait) in _waiting)
        {
            if (wait.IsPending)
            {
                reactor.Schedule(wait, SyscallResult.Success(0));
            }
        }

        _waiting.Clear();
        Interlocked.Exchange(ref _count, 0);
    }

    /// <summary>
    /// Has the first look again, soon. False when nobody waits here. Any thread; allocates nothing.
    /// </summary>
    public bool TryPostRelease()
    {
        if (Volatile.Read(ref _count) == 0)
        {
            return false;
        }

        Volatile.Read(ref _reactor)!.Post(_releaseOne);
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

    private bool TryReleaseFirst()
    {
        while (_waiting.Count > 0)
        {
            IoOperation wait = _waiting[0].Wait;
            _waiting.RemoveAt(0);
            Interlocked.Exchange(ref _count, _waiting.Count);
            if (wait.IsPending)
            {
                _reactor!.Schedule(wait, SyscallResult.Success(0));
                return true;
            }
        }

        return false;
    }
}
