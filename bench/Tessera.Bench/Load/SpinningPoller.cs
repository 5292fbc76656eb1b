using Tessera.Linux;
using Tessera.Proxy.Reactors;

namespace Tessera.Bench.Load;

/// <summary>
/// A poller that never sleeps. Waking a sleeping thread costs its waker several microseconds, more
/// on a virtual machine: without this the proxy that answers would pay for the load generator's
/// rest, as no proxy pays for clients on other machines. Owned by one reactor.
/// </summary>
internal sealed class SpinningPoller : IPoller
{
    private readonly IPoller _poller;

    /// <param name="poller">Owned: disposed with this one.</param>
    public SpinningPoller(IPoller poller) => _poller = poller;

    public SyscallResult Add(IoHandle handle) => _poller.Add(handle);

    public void Close(IoHandle handle) => _poller.Close(handle);

    public void Release(IoHandle handle) => _poller.Release(handle);

    public bool TryStart(IoOperation operation) => _poller.TryStart(operation);

    public void Abandon(IoOperation operation) => _poller.Abandon(operation);

    public bool HasWork => _poller.HasWork;

    public bool Wait(int timeoutMs) => _poller.Wait(0);

    public void Dispatch() => _poller.Dispatch();

    public void Wake() => _poller.Wake();

    public void Dispose() => _poller.Dispose();
}
