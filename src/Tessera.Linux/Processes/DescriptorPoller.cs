using Microsoft.Win32.SafeHandles;

namespace Tessera.Linux.Processes;

/// <summary>
/// epoll(7) for one thread that waits and any number that register: level-triggered, for reading.
/// <see cref="Wake"/> may come from any thread.
/// </summary>
public sealed unsafe class DescriptorPoller : IDisposable
{
    private const int CloseOnExec = 0x80000;
    private const int NonBlocking = 0x800;
    private const int ControlAdd = 1;
    private const int ControlRemove = 2;
    private const uint EventIn = 1;
    private const int Capacity = 256;
    private const ulong WakeToken = ulong.MaxValue;

    private readonly SafeFileHandle _poller;
    private readonly SafeFileHandle _wake;
    private readonly EpollEntry[] _ready = new EpollEntry[Capacity];

    /// <exception cref="IOException">The process has no descriptor left.</exception>
    public DescriptorPoller()
    {
        _poller = Open(ProcessCalls.Result(ProcessCalls.epoll_create1(CloseOnExec)));
        _wake = Open(ProcessCalls.Result(ProcessCalls.eventfd(0, CloseOnExec | NonBlocking)));
        Control(ControlAdd, Number(_wake), WakeToken);
    }

    /// <param name="token">Handed back when the descriptor is readable; any but
    /// ulong.MaxValue.</param>
    public SyscallResult Add(int descriptor, ulong token) => Control(ControlAdd, descriptor, token);

    /// <summary>Must come before the descriptor is closed.</summary>
    public SyscallResult Remove(int descriptor) => Control(ControlRemove, descriptor, 0);

    /// <summary>
    /// Waits until something is readable, <see cref="Wake"/> was called or the time is over; fills
    /// <paramref name="tokens"/> and returns how many of them are set.
    /// </summary>
    /// <param name="timeoutMs">-1 waits for ever.</param>
    public int Wait(Span<ulong> tokens, int timeoutMs)
    {
        SyscallResult waited;
        int capacity = Math.Min(tokens.Length, Capacity);
        fixed (EpollEntry* entries = _ready)
        {
            waited = ProcessCalls.Result(
                ProcessCalls.epoll_wait(Number(_poller), entries, capacity, timeoutMs));
        }

        int count = 0;
        for (int i = 0; waited.IsSuccess && i < waited.IntValue; i++)
        {
            if (_ready[i].Data == WakeToken)
            {
                ulong drained;
                _ = ProcessCalls.read(Number(_wake), (byte*)&drained, sizeof(ulong));
            }
            else
            {
                tokens[count++] = _ready[i].Data;
            }
        }

        return count;
    }

    /// <summary>Makes a <see cref="Wait"/>, now or the next, return.</summary>
    public void Wake()
    {
        ulong one = 1;
        _ = ProcessCalls.write(Number(_wake), (byte*)&one, sizeof(ulong));
    }

    public void Dispose()
    {
        _poller.Dispose();
        _wake.Dispose();
    }

    private SyscallResult Control(int operation, int descriptor, ulong token)
    {
        var entry = new EpollEntry { Events = EventIn, Data = token };
        return ProcessCalls.Result(
            ProcessCalls.epoll_ctl(Number(_poller), operation, descriptor, &entry));
    }

    private static SafeFileHandle Open(SyscallResult opened) => opened.IsSuccess
        ? new SafeFileHandle(opened.IntValue, ownsHandle: true)
        : throw new IOException($"epoll: {ProcessErrno.Describe(opened.Errno)}");

    private static int Number(SafeFileHandle handle) => (int)handle.DangerousGetHandle();
}
