using Tessera.Linux;
using Tessera.Linux.Net;
using Tessera.Proxy.Reactors;

namespace Tessera.Proxy.Transports;

/// <summary>
/// The bytes of one connection. All reading and writing of connections goes through here, so that
/// encryption has one place to come between. At most one receive and one send at a time. Owned by
/// one reactor for its whole life.
/// </summary>
internal sealed class Transport
{
    private Transport(
        Reactor reactor, int descriptor, bool isInbound, bool keepsBoundaries = false)
    {
        Handle = new IoHandle(reactor, descriptor)
        {
            IsInbound = isInbound,
            KeepsBoundaries = keepsBoundaries,
        };
    }

    public IoHandle Handle { get; }

    private Reactor Reactor => Handle.Reactor;

    /// <summary>True when the peer ended its stream, or the connection is gone.</summary>
    public bool HasPeerClosed => Handle.HasPeerClosed;

    /// <summary>
    /// Takes over a connection that was accepted. On failure the descriptor is closed.
    /// </summary>
    public static SyscallResult TryOpen(Reactor reactor, int descriptor, out Transport transport)
    {
        transport = new Transport(reactor, descriptor, isInbound: true);
        transport.Handle.IsWritable = true;
        return transport.Register();
    }

    /// <summary>
    /// Begins a connect; <see cref="ConnectAsync"/> tells its outcome. On failure nothing is left
    /// open.
    /// </summary>
    /// <param name="local">What the socket is bound to before; its default binds nothing.</param>
    public static SyscallResult TryBeginConnect(
        Reactor reactor, in InternetAddress address, out Transport transport,
        in LocalEnd local = default)
    {
        transport = null!;
        SyscallResult opened = SocketCalls.OpenTcp(address);
        if (!opened.IsSuccess)
        {
            return opened;
        }

        int descriptor = opened.IntValue;
        SocketCalls.SetNoDelay(descriptor);
        SyscallResult connected = local.Apply(descriptor);
        connected = connected.IsSuccess ? SocketCalls.Connect(descriptor, address) : connected;
        return Begin(reactor, descriptor, connected, out transport);
    }

    /// <summary>
    /// A socket that sends datagrams to one address and receives those from there. On failure
    /// nothing is left open.
    /// </summary>
    public static SyscallResult TryOpenDatagrams(
        Reactor reactor, in InternetAddress address, out Transport transport,
        in LocalEnd local = default)
    {
        transport = null!;
        SyscallResult opened = DatagramCalls.Open(address);
        if (!opened.IsSuccess)
        {
            return opened;
        }

        SyscallResult connected = local.Apply(opened.IntValue);
        connected = connected.IsSuccess
            ? SocketCalls.Connect(opened.IntValue, address)
            : connected;
        if (!connected.IsSuccess)
        {
            SocketCalls.Close(opened.IntValue);
            return connected;
        }

        transport = new Transport(
            reactor, opened.IntValue, isInbound: false, keepsBoundaries: true);
        return transport.Register();
    }

    /// <summary>
    /// Of a client without a socket of its own, which only counts what it carries.
    /// </summary>
    public static Transport Without(Reactor reactor) => new(reactor, -1, isInbound: true);

    /// <summary>The same to a socket in the file system, see unix(7).</summary>
    /// <param name="path">Of 1 to 107 bytes.</param>
    public static SyscallResult TryBeginConnect(
        Reactor reactor, ReadOnlySpan<byte> path, out Transport transport)
    {
        transport = null!;
        SyscallResult opened = SocketCalls.OpenUnix();
        if (!opened.IsSuccess)
        {
            return opened;
        }

        SyscallResult connected = SocketCalls.ConnectUnix(opened.IntValue, path);
        return Begin(reactor, opened.IntValue, connected, out transport);
    }

    private static SyscallResult Begin(
        Reactor reactor, int descriptor, SyscallResult connected, out Transport transport)
    {
        transport = null!;
        if (!connected.IsSuccess && connected.Errno != Errno.InProgress)
        {
            SocketCalls.Close(descriptor);
            return connected;
        }

        // Registered only now: a socket that never connected counts as hung up.
        transport = new Transport(reactor, descriptor, isInbound: false);
        return transport.Register();
    }

    /// <summary>
    /// Waits until the connection is established: 0, or the error it failed with.
    /// </summary>
    public IoOperation ConnectAsync(int timeoutMs) =>
        Reactor.Start(Handle.Write, IoKind.Connect, [], 0, 0, timeoutMs);

    /// <summary>Bytes received, 0 at the end of the peer's stream.</summary>
    public IoOperation ReceiveAsync(byte[] buffer, int offset, int length, int timeoutMs) =>
        Reactor.Start(Handle.Read, IoKind.Receive, buffer, offset, length, timeoutMs);

    /// <summary>
    /// As <see cref="ReceiveAsync"/>, into a buffer that is rented when something is there. When
    /// bytes were received, <see cref="TakeReceived"/> hands the buffer over.
    /// </summary>
    /// <param name="headroom">Bytes left free before what is received.</param>
    public IoOperation ReceiveRentedAsync(int length, int headroom, int timeoutMs) =>
        Reactor.Start(Handle.Read, IoKind.ReceiveRented, [], headroom, length, timeoutMs);

    /// <summary>
    /// The buffer of the last <see cref="ReceiveRentedAsync"/>; the caller returns it.
    /// </summary>
    public byte[] TakeReceived()
    {
        byte[] buffer = Handle.Read.Buffer;
        Handle.Read.ForgetBuffer();
        return buffer;
    }

    /// <summary>Waits until something can be received: 1 for bytes, 0 for the end.</summary>
    public IoOperation WaitReadableAsync(int timeoutMs) =>
        Reactor.Start(Handle.Read, IoKind.Readable, [], 0, 0, timeoutMs);

    /// <summary>
    /// Sends all of it; <see cref="Sent"/> tells how much the kernel took when it fails. The time
    /// begins anew with each progress.
    /// </summary>
    public IoOperation SendAsync(byte[] buffer, int offset, int length, int timeoutMs) =>
        Reactor.Start(Handle.Write, IoKind.Send, buffer, offset, length, timeoutMs);

    /// <summary>
    /// As <see cref="SendAsync"/>, while more is about to follow: it leaves together with that.
    /// </summary>
    public IoOperation SendMoreAsync(byte[] buffer, int offset, int length, int timeoutMs) =>
        Reactor.Start(Handle.Write, IoKind.SendMore, buffer, offset, length, timeoutMs);

    /// <summary>
    /// Sends bytes of a file without reading them. The result is less than
    /// <paramref name="length"/> when the file ends before.
    /// </summary>
    public IoOperation SendFileAsync(int file, long offset, int length, int timeoutMs)
    {
        Handle.Write.File = file;
        Handle.Write.FileOffset = offset;
        return Reactor.Start(Handle.Write, IoKind.SendFile, [], 0, length, timeoutMs);
    }

    /// <summary>
    /// Receives into an empty pipe instead of a buffer: bytes moved, 0 at the end of the stream.
    /// </summary>
    public IoOperation FillAsync(SplicePipe pipe, int length, int timeoutMs)
    {
        Handle.Read.Pipe = pipe;
        return Reactor.Start(Handle.Read, IoKind.FillPipe, [], 0, length, timeoutMs);
    }

    /// <summary>Sends all of what is in a pipe.</summary>
    public IoOperation DrainAsync(SplicePipe pipe, int length, int timeoutMs)
    {
        Handle.Write.Pipe = pipe;
        return Reactor.Start(Handle.Write, IoKind.DrainPipe, [], 0, length, timeoutMs);
    }

    /// <summary>Bytes of the last send that the kernel took.</summary>
    public int Sent => Handle.Write.Transferred;

    /// <summary>
    /// True when a receive would give something: bytes, the end, or an error. Costs a system call
    /// only when an event said so.
    /// </summary>
    public bool HasInput()
    {
        if (!Handle.IsReadable)
        {
            return false;
        }

        Span<byte> first = stackalloc byte[1];
        Handle.IsReadable =
            SocketCalls.Peek(Handle.Descriptor, first).Errno != Errno.TryAgain;
        return Handle.IsReadable;
    }

    /// <summary>Asks the kernel, not the last event: has the peer ended, or sent unasked?</summary>
    public bool IsSilentNow()
    {
        Span<byte> first = stackalloc byte[1];
        return SocketCalls.Peek(Handle.Descriptor, first).Errno == Errno.TryAgain;
    }

    /// <summary>Ends this side's stream; the peer's may go on.</summary>
    public void ShutdownSend() => SocketCalls.ShutdownSend(Handle.Descriptor);

    /// <summary>
    /// Ends both streams, so that whatever is in progress on this connection ends and its owner
    /// closes it.
    /// </summary>
    public void Abort()
    {
        if (Handle.Descriptor >= 0)
        {
            SocketCalls.ShutdownBoth(Handle.Descriptor);
            Cancel();
        }
    }

    /// <summary>Ends what is in progress with ECANCELED; the connection itself goes on.</summary>
    public void Cancel()
    {
        Handle.CurrentRead?.Cancel();
        Handle.CurrentWrite?.Cancel();
    }

    /// <summary>
    /// Closes in order, or with a reset, which tells the peer that something is missing.
    /// </summary>
    public void Close(bool withReset = false)
    {
        if (Handle.Descriptor < 0)
        {
            return;
        }

        if (withReset)
        {
            SocketCalls.SetResetOnClose(Handle.Descriptor);
        }

        Handle.Unwatch();
        Handle.EndSleep();
        Withdraw(Handle.CurrentRead);
        Withdraw(Handle.CurrentWrite);
        Reactor.Poller.Close(Handle);
    }

    private void Withdraw(IoOperation? operation)
    {
        if (operation is not null)
        {
            operation.Withdraw();
            Reactor.Timers.Remove(operation);
        }
    }

    private SyscallResult Register()
    {
        SyscallResult added = Reactor.Poller.Add(Handle);
        if (!added.IsSuccess)
        {
            SocketCalls.Close(Handle.Descriptor);
        }

        return added;
    }
}
