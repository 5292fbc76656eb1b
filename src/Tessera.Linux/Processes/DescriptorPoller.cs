using Microsoft.Win32.SafeHandles;
using Tessera.Linux.Net;

namespace Tessera.Linux.Processes;

/// <summary>
/// epoll(7) for one thread that waits and any number that register: level-triggered, for reading.
/// <see cref="Wake"/> may come from any thread.
/// </summary>
public sealed class DescriptorPoller : IDisposable
{
    private const int Capacity = 256;
    private const ulong WakeToken = ulong.MaxValue;

    private readonly SafeFileHandle _poller;
    private readonly SafeFileHandle _wake;
    private readonly EpollEvent[] _ready = new EpollEvent[Capacity];

    /// <exception cref="IOException">The process has no descriptor left.</exception>
    public DescriptorPoller()
    {
        _poller = Own(Epoll.Create());
        _wake = Own(EventFd.Create());
        Add(Number(_wake), WakeToken);
    }

    /// <param name="token">
    /// Handed back when the descriptor is readable; any but ulong.MaxValue.
    /// </param>
    public SyscallResult Add(int descriptor, ulong token) =>
        Epoll.Add(Number(_poller), descriptor, Epoll.Readable, token);

    /// <summary>Must come before the descriptor is closed.</summary>
    public SyscallResult Remove(int descriptor) => Epoll.Remove(Number(_poller), descriptor);

    /// <summary>
    /// Waits until something is readable, <see cref="Wake"/> was called or the time is over; fills
    /// <paramref name="tokens"/> and returns how many of them are set.
    /// </summary>
    /// <param name="timeoutMs">-1 waits for ever.</param>
    public int Wait(Span<ulong> tokens, int timeoutMs)
    {
        Span<EpollEvent> ready = _ready.AsSpan(0, Math.Min(tokens.Length, Capacity));
        SyscallResult waited = Epoll.Wait(Number(_poller), ready, timeoutMs);
        int count = 0;
        for (int i = 0; waited.IsSuccess && i < waited.IntValue; i++)
        {
            if (ready[i].Data == WakeToken)
            {
                EventFd.Drain(Number(_wake));
            }
            else
            {
                tokens[count++] = ready[i].Data;
            }
        }

        return count;
    }

    /// <summary>Makes a <see cref="Wait"/>, now or the next, return.</summary>
    public void Wake() => EventFd.Signal(Number(_wake));

    public void Dispose()
    {
        _poller.Dispose();
        _wake.Dispose();
    }

    private static SafeFileHandle Own(SyscallResult opened) => opened.IsSuccess
        ? new SafeFileHandle(opened.IntValue, ownsHandle: true)
        : throw new IOException($"epoll: {ProcessErrno.Describe(opened.Errno)}");

    private static int Number(SafeFileHandle handle) => (int)handle.DangerousGetHandle();
}
