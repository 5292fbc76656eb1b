using Tessera.Linux;
using Tessera.Proxy.Reactors;

namespace Tessera.Proxy.Routing;

/// <summary>
/// The requests of one reactor that wait for an endpoint of one backend, in the order they came.
/// Bounded by <see cref="Backend.TryEnterHold"/>. Owned by one reactor.
/// </summary>
internal sealed class HoldQueue
{
    private readonly List<IoOperation> _waiting = [];

    public void Add(IoOperation wait) => _waiting.Add(wait);

    /// <summary>For one that waits no longer; unknown ones are ignored.</summary>
    public void Remove(IoOperation wait) => _waiting.Remove(wait);

    /// <summary>Lets all look again, first come first.</summary>
    public void Release(Reactor reactor)
    {
        foreach (IoOperation wait in _waiting)
        {
            if (wait.IsPending)
            {
                reactor.Schedule(wait, SyscallResult.Success(0));
            }
        }

        _waiting.Clear();
    }
}
