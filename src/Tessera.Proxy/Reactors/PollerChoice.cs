using Tessera.Linux;
using Tessera.Linux.Net;

namespace Tessera.Proxy.Reactors;

/// <summary>
/// The poller that the options ask for, or epoll where the kernel does not allow it, which is said
/// once. Used by the thread that makes the reactors.
/// </summary>
internal sealed class PollerChoice(ProxyOptions options)
{
    private bool _isRefused;

    public IPoller Create(BufferPool buffers)
    {
        if (options.Poller != PollerKind.IoUring || _isRefused)
        {
            return new EpollPoller(buffers);
        }

        SyscallResult created = UringPoller.TryCreate(buffers, out UringPoller? poller);
        if (created.IsSuccess)
        {
            return poller!;
        }

        _isRefused = true;
        options.ErrorLog?.Invoke(
            $"io_uring cannot be used ({Errno.Describe(created.Errno)}); using epoll");
        return new EpollPoller(buffers);
    }
}
