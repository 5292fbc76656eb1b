using System.Runtime.InteropServices;

namespace Tessera.Linux.Net;

/// <summary>
/// What epoll_wait reports for one descriptor. The kernel packs this structure on x86-64, the only
/// processor this program is built for.
/// </summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct EpollEvent
{
    public uint Events;

    /// <summary>What was given when the descriptor was added.</summary>
    public ulong Data;
}

/// <summary>The calls of epoll(7). Stateless; safe from any thread.</summary>
public static unsafe partial class Epoll
{
    public const uint Readable = 0x001;
    public const uint Writable = 0x004;
    public const uint Error = 0x008;
    public const uint HangUp = 0x010;

    /// <summary>EPOLLRDHUP: the peer ended its stream.</summary>
    public const uint PeerClosed = 0x2000;

    public const uint EdgeTriggered = 1u << 31;

    private const string Library = "libc";
    private const int CloseOnExec = 0x80000;
    private const int ControlAdd = 1;
    private const int ControlRemove = 2;

    public static SyscallResult Create()
    {
        int result = epoll_create1(CloseOnExec);
        return result >= 0
            ? SyscallResult.Success(result)
            : SyscallResult.Failure(Marshal.GetLastSystemError());
    }

    /// <summary>Watches a descriptor until it is closed.</summary>
    public static SyscallResult Add(int epoll, int descriptor, uint events, ulong data)
    {
        var description = new EpollEvent { Events = events, Data = data };
        int result = epoll_ctl(epoll, ControlAdd, descriptor, &description);
        return result >= 0
            ? SyscallResult.Success(0)
            : SyscallResult.Failure(Marshal.GetLastSystemError());
    }

    /// <summary>Ends the watch of a descriptor that stays open.</summary>
    public static SyscallResult Remove(int epoll, int descriptor)
    {
        EpollEvent unused = default;
        int result = epoll_ctl(epoll, ControlRemove, descriptor, &unused);
        return result >= 0
            ? SyscallResult.Success(0)
            : SyscallResult.Failure(Marshal.GetLastSystemError());
    }

    /// <summary>
    /// Waits for events, at most <paramref name="timeoutMs"/> milliseconds; -1 waits for ever, 0
    /// not at all. An interrupted wait reports no events.
    /// </summary>
    public static SyscallResult Wait(int epoll, Span<EpollEvent> events, int timeoutMs)
    {
        fixed (EpollEvent* pointer = events)
        {
            int count = timeoutMs == 0
                ? epoll_poll(epoll, pointer, events.Length, 0)
                : epoll_wait(epoll, pointer, events.Length, timeoutMs);
            if (count >= 0)
            {
                return SyscallResult.Success(count);
            }

            int errno = Marshal.GetLastSystemError();
            return errno == Errno.Interrupted
                ? SyscallResult.Success(0)
                : SyscallResult.Failure(errno);
        }
    }

    [LibraryImport(Library)]
    private static partial int epoll_create1(int flags);

    [LibraryImport(Library)]
    private static partial int epoll_ctl(
        int epoll, int operation, int descriptor, EpollEvent* description);

    [LibraryImport(Library)]
    private static partial int epoll_wait(
        int epoll, EpollEvent* events, int capacity, int timeoutMs);

    [SuppressGCTransition]
    [LibraryImport(Library, EntryPoint = "epoll_wait")]
    private static partial int epoll_poll(
        int epoll, EpollEvent* events, int capacity, int timeoutMs);
}
