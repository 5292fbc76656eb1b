using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Tessera.Linux.Net;

/// <summary>
/// The socket calls of libc on non-blocking descriptors. EINTR is handled here, EAGAIN is passed
/// on. Stateless; safe from any thread.
/// </summary>
public static unsafe partial class SocketCalls
{
    private const string Library = "libc";

    /// <summary>Bytes of the longest path of a unix socket, see unix(7).</summary>
    public const int MaxUnixPath = 107;

    private const int SockStream = 1;
    private const int SockNonBlock = 0x800;
    private const int SockCloseOnExec = 0x80000;

    private const int SolSocket = 1;
    private const int SoReuseAddress = 2;
    private const int SoError = 4;
    private const int SoKeepAlive = 9;
    private const int SoLinger = 13;
    private const int SoReusePort = 15;
    private const int SoAttachFilter = 26;
    private const int IpProtoIP = 0;
    private const int IPTransparent = 19;
    private const int IPBindAddressNoPort = 24;
    private const int IpProtoTcp = 6;
    private const int TcpNoDelay = 1;
    private const int TcpStateOption = 11;
    private const int IpProtoIPv6 = 41;
    private const int IPv6Only = 26;
    private const int IPv6Transparent = 75;
    private const int FamilyUnix = 1;
    private const int UnixPathOffset = 2;
    private const int UnixAddressLength = UnixPathOffset + MaxUnixPath + 1;
    private const int DuplicateCloseOnExec = 1_030;
    private const int SoSendBuffer = 7;
    private const int SoReceiveBuffer = 8;
    private const int TcpKeepIdle = 4;
    private const int TcpKeepInterval = 5;
    private const int TcpKeepCount = 6;
    private const int TcpDeferAccept = 9;
    private const int TcpFastOpen = 23;

    private const nuint SiocOutQ = 0x5411;

    private const int MsgPeek = 0x2;
    private const int MsgNoSignal = 0x4000;
    private const int MsgMore = 0x8000;

    /// <summary>
    /// A non-blocking, close-on-exec TCP socket of the family of <paramref name="address"/>.
    /// </summary>
    public static SyscallResult OpenTcp(in InternetAddress address) =>
        From(socket(address.Family, SockStream | SockNonBlock | SockCloseOnExec, 0));

    /// <summary>A non-blocking, close-on-exec stream socket of unix(7).</summary>
    public static SyscallResult OpenUnix() =>
        From(socket(FamilyUnix, SockStream | SockNonBlock | SockCloseOnExec, 0));

    /// <summary>SO_KEEPALIVE: the kernel finds out whether a silent peer is still there.</summary>
    public static SyscallResult SetKeepAlive(int descriptor) =>
        SetOption(descriptor, SolSocket, SoKeepAlive, 1);

    /// <summary>
    /// When the kernel asks a silent peer: TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT, see tcp(7).
    /// </summary>
    /// <param name="idleSeconds">0 leaves the system's, as do the others.</param>
    public static void SetKeepAliveTimes(
        int descriptor, int idleSeconds, int intervalSeconds, int probes)
    {
        Span<(int Name, int Value)> options =
        [
            (TcpKeepIdle, idleSeconds), (TcpKeepInterval, intervalSeconds), (TcpKeepCount, probes),
        ];
        foreach ((int name, int value) in options)
        {
            if (value > 0)
            {
                SetOption(descriptor, IpProtoTcp, name, value);
            }
        }
    }

    /// <summary>SO_RCVBUF in bytes; a listening socket hands it on.</summary>
    public static SyscallResult SetReceiveBuffer(int descriptor, int bytes) =>
        SetOption(descriptor, SolSocket, SoReceiveBuffer, bytes);

    /// <summary>SO_SNDBUF in bytes; a listening socket hands it on.</summary>
    public static SyscallResult SetSendBuffer(int descriptor, int bytes) =>
        SetOption(descriptor, SolSocket, SoSendBuffer, bytes);

    /// <summary>TCP_DEFER_ACCEPT: a connection is accepted with its first bytes.</summary>
    public static SyscallResult SetDeferAccept(int descriptor) =>
        SetOption(descriptor, IpProtoTcp, TcpDeferAccept, 1);

    /// <summary>TCP_FASTOPEN: data comes with the first segment (RFC 7413).</summary>
    /// <param name="queue">Such connections that may wait.</param>
    public static SyscallResult SetFastOpen(int descriptor, int queue) =>
        SetOption(descriptor, IpProtoTcp, TcpFastOpen, queue);

    /// <summary>IP_TRANSPARENT: addresses of others may be bound; takes CAP_NET_ADMIN.</summary>
    public static SyscallResult SetTransparent(int descriptor, bool isIPv4) => isIPv4
        ? SetOption(descriptor, IpProtoIP, IPTransparent, 1)
        : SetOption(descriptor, IpProtoIPv6, IPv6Transparent, 1);

    /// <summary>
    /// IP_BIND_ADDRESS_NO_PORT: the port is chosen at connect(2), when the other end is known.
    /// </summary>
    public static SyscallResult SetBindWithoutPort(int descriptor) =>
        SetOption(descriptor, IpProtoIP, IPBindAddressNoPort, 1);

    /// <summary>SO_REUSEADDR: an address whose connections are in TIME_WAIT can be bound.</summary>
    public static SyscallResult SetReuseAddress(int descriptor) =>
        SetOption(descriptor, SolSocket, SoReuseAddress, 1);

    /// <summary>
    /// SO_REUSEPORT: several sockets share an address, the kernel spreads connections.
    /// </summary>
    public static SyscallResult SetReusePort(int descriptor) =>
        SetOption(descriptor, SolSocket, SoReusePort, 1);

    /// <summary>TCP_NODELAY; a listening socket hands it on to what it accepts.</summary>
    public static SyscallResult SetNoDelay(int descriptor) =>
        SetOption(descriptor, IpProtoTcp, TcpNoDelay, 1);

    /// <summary>IPV6_V6ONLY: an IPv6 wildcard leaves IPv4 to others.</summary>
    public static SyscallResult SetIPv6Only(int descriptor, bool isOnly = true) =>
        SetOption(descriptor, IpProtoIPv6, IPv6Only, isOnly ? 1 : 0);

    /// <summary>
    /// SO_LINGER with zero seconds: close sends a reset instead of an orderly end.
    /// </summary>
    public static SyscallResult SetResetOnClose(int descriptor)
    {
        long onWithZeroSeconds = 1;
        return From(setsockopt(
            descriptor, SolSocket, SoLinger, &onWithZeroSeconds, sizeof(long)));
    }

    public static SyscallResult Bind(int descriptor, in InternetAddress address)
    {
        fixed (InternetAddress* pointer = &address)
        {
            return From(bind(descriptor, pointer, address.Length));
        }
    }

    public static SyscallResult Listen(int descriptor, int backlog) =>
        From(listen(descriptor, backlog));

    /// <summary>Takes one connection; it is non-blocking and close-on-exec.</summary>
    public static SyscallResult Accept(int descriptor, out InternetAddress peer)
    {
        peer = default;
        fixed (InternetAddress* pointer = &peer)
        {
            while (true)
            {
                int length = InternetAddress.MaxLength;
                SyscallResult result = From(accept4(
                    descriptor, pointer, &length, SockNonBlock | SockCloseOnExec));
                if (result.Errno != Errno.Interrupted)
                {
                    return result;
                }
            }
        }
    }

    /// <summary>
    /// EINPROGRESS means that writability will tell the outcome: ask <see cref="TakeError"/>.
    /// </summary>
    public static SyscallResult Connect(int descriptor, in InternetAddress address)
    {
        fixed (InternetAddress* pointer = &address)
        {
            SyscallResult result = From(connect(descriptor, pointer, address.Length));

            // An interrupted connect goes on by itself, see connect(2).
            return result.Errno == Errno.Interrupted
                ? SyscallResult.Failure(Errno.InProgress)
                : result;
        }
    }

    /// <summary>
    /// Connects to a socket in the file system; EAGAIN means that its queue is full.
    /// </summary>
    /// <param name="path">Of 1 to 107 bytes.</param>
    public static SyscallResult ConnectUnix(int descriptor, ReadOnlySpan<byte> path)
    {
        Span<byte> address = stackalloc byte[UnixAddressLength];
        WriteUnixAddress(path, address);
        fixed (byte* pointer = address)
        {
            return From(connect(descriptor, (InternetAddress*)pointer, address.Length));
        }
    }

    /// <summary>
    /// Makes a socket in the file system; EADDRINUSE when there is anything of that name.
    /// </summary>
    /// <param name="path">Of 1 to 107 bytes.</param>
    public static SyscallResult BindUnix(int descriptor, ReadOnlySpan<byte> path)
    {
        Span<byte> address = stackalloc byte[UnixAddressLength];
        WriteUnixAddress(path, address);
        fixed (byte* pointer = address)
        {
            return From(bind(descriptor, (InternetAddress*)pointer, address.Length));
        }
    }

    private static void WriteUnixAddress(ReadOnlySpan<byte> path, Span<byte> address)
    {
        address.Clear();
        MemoryMarshal.Write(address, (ushort)FamilyUnix);
        path[..Math.Min(path.Length, MaxUnixPath)].CopyTo(address[UnixPathOffset..]);
    }

    /// <summary>
    /// Another descriptor of the same socket, close-on-exec; both have to be closed.
    /// </summary>
    public static SyscallResult Duplicate(int descriptor) =>
        From(fcntl(descriptor, DuplicateCloseOnExec, 0));

    /// <summary>SO_ERROR: takes the pending error, 0 when there is none.</summary>
    public static int TakeError(int descriptor)
    {
        int error = 0;
        int length = sizeof(int);
        int result = getsockopt(descriptor, SolSocket, SoError, &error, &length);
        return result < 0 ? Marshal.GetLastSystemError() : error;
    }

    /// <summary>The address that the socket is bound to.</summary>
    public static SyscallResult GetLocalAddress(int descriptor, out InternetAddress address)
    {
        address = default;
        fixed (InternetAddress* pointer = &address)
        {
            int length = InternetAddress.MaxLength;
            return From(getsockname(descriptor, pointer, &length));
        }
    }

    /// <summary>TCP_INFO: what the kernel knows of a connection.</summary>
    public static SyscallResult GetTcpState(int descriptor, out TcpState state)
    {
        state = default;
        fixed (TcpState* pointer = &state)
        {
            int length = sizeof(TcpState);
            return From(getsockopt(descriptor, IpProtoTcp, TcpStateOption, pointer, &length));
        }
    }

    /// <summary>Bytes received; 0 is the orderly end of the peer's stream.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SyscallResult Receive(int descriptor, Span<byte> buffer) =>
        Receive(descriptor, buffer, 0);

    /// <summary>
    /// As <see cref="Receive(int, Span{byte})"/>, but leaves the bytes in the socket.
    /// </summary>
    public static SyscallResult Peek(int descriptor, Span<byte> buffer) =>
        Receive(descriptor, buffer, MsgPeek);

    /// <summary>
    /// Bytes sent, which may be fewer than given. A lost peer is EPIPE, never a signal.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SyscallResult Send(int descriptor, ReadOnlySpan<byte> buffer) =>
        Send(descriptor, buffer, MsgNoSignal);

    /// <summary>
    /// As <see cref="Send(int, ReadOnlySpan{byte})"/>, while more is about to follow: what does not
    /// fill a segment waits for it.
    /// </summary>
    public static SyscallResult SendMore(int descriptor, ReadOnlySpan<byte> buffer) =>
        Send(descriptor, buffer, MsgNoSignal | MsgMore);

    private static SyscallResult Send(int descriptor, ReadOnlySpan<byte> buffer, int flags)
    {
        fixed (byte* pointer = buffer)
        {
            while (true)
            {
                nint count = send(descriptor, pointer, (nuint)buffer.Length, flags);
                if (count >= 0)
                {
                    return SyscallResult.Success(count);
                }

                int errno = Marshal.GetLastSystemError();
                if (errno != Errno.Interrupted)
                {
                    return SyscallResult.Failure(errno);
                }
            }
        }
    }

    /// <summary>
    /// Bytes that were sent and that the peer has not acknowledged: SIOCOUTQ, see tcp(7).
    /// </summary>
    public static SyscallResult QueuedBytes(int descriptor)
    {
        int bytes = 0;
        SyscallResult result = From(ioctl(descriptor, SiocOutQ, &bytes));
        return result.IsSuccess ? SyscallResult.Success(bytes) : result;
    }

    /// <summary>Ends what this side sends; the peer reads an orderly end.</summary>
    public static SyscallResult ShutdownSend(int descriptor) => From(shutdown(descriptor, 1));

    /// <summary>Ends both directions.</summary>
    public static SyscallResult ShutdownBoth(int descriptor) => From(shutdown(descriptor, 2));

    /// <summary>
    /// Makes a listening socket ignore new connection attempts (segments with SYN), while those
    /// that are already under way still complete. So its queue can be emptied before it is closed,
    /// and no connection that the kernel took is reset. The clients' next SYN finds the closed
    /// port.
    /// </summary>
    public static SyscallResult RefuseNewConnections(int descriptor)
    {
        // Classic BPF over the TCP header, see socket(7): byte 13 holds the flags, SYN is 0x02.
        Span<FilterInstruction> program =
        [
            new(0x30, 0, 0, 13),
            new(0x45, 0, 1, 0x02),
            new(0x06, 0, 0, 0),
            new(0x06, 0, 0, uint.MaxValue),
        ];
        fixed (FilterInstruction* pointer = program)
        {
            var filter = new FilterProgram { Length = (ushort)program.Length, Program = pointer };
            return From(setsockopt(
                descriptor, SolSocket, SoAttachFilter, &filter, sizeof(FilterProgram)));
        }
    }

    /// <summary>
    /// Closes the descriptor; on Linux it is gone even after EINTR, see close(2).
    /// </summary>
    public static void Close(int descriptor) => _ = close(descriptor);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static SyscallResult Receive(int descriptor, Span<byte> buffer, int flags)
    {
        fixed (byte* pointer = buffer)
        {
            while (true)
            {
                nint count = recv(descriptor, pointer, (nuint)buffer.Length, flags);
                if (count >= 0)
                {
                    return SyscallResult.Success(count);
                }

                int errno = Marshal.GetLastSystemError();
                if (errno != Errno.Interrupted)
                {
                    return SyscallResult.Failure(errno);
                }
            }
        }
    }

    private static SyscallResult SetOption(int descriptor, int level, int name, int value) =>
        From(setsockopt(descriptor, level, name, &value, sizeof(int)));

    private static SyscallResult From(int result) =>
        result >= 0
            ? SyscallResult.Success(result)
            : SyscallResult.Failure(Marshal.GetLastSystemError());

    // send and recv never block here and are called at least four times a request: without a GC
    // transition they cost a plain call. A collection waits for the copy to end, microseconds.
    [SuppressGCTransition]
    [LibraryImport(Library)]
    private static partial nint send(int descriptor, byte* buffer, nuint length, int flags);

    [SuppressGCTransition]
    [LibraryImport(Library)]
    private static partial nint recv(int descriptor, byte* buffer, nuint length, int flags);

    [LibraryImport(Library)]
    private static partial int socket(int family, int type, int protocol);

    [LibraryImport(Library)]
    private static partial int bind(int descriptor, InternetAddress* address, int length);

    [LibraryImport(Library)]
    private static partial int listen(int descriptor, int backlog);

    [LibraryImport(Library)]
    private static partial int accept4(
        int descriptor, InternetAddress* address, int* length, int flags);

    [LibraryImport(Library)]
    private static partial int connect(int descriptor, InternetAddress* address, int length);

    [LibraryImport(Library)]
    private static partial int shutdown(int descriptor, int how);

    [LibraryImport(Library)]
    private static partial int ioctl(int descriptor, nuint request, int* argument);

    [LibraryImport(Library)]
    private static partial int fcntl(int descriptor, int command, int argument);

    [LibraryImport(Library)]
    private static partial int close(int descriptor);

    [LibraryImport(Library)]
    private static partial int setsockopt(
        int descriptor, int level, int name, void* value, int length);

    [LibraryImport(Library)]
    private static partial int getsockopt(
        int descriptor, int level, int name, void* value, int* length);

    [LibraryImport(Library)]
    private static partial int getsockname(int descriptor, InternetAddress* address, int* length);

    private readonly record struct FilterInstruction(
        ushort Code, byte JumpIfTrue, byte JumpIfFalse, uint Operand);

    private struct FilterProgram
    {
        public ushort Length;
        public FilterInstruction* Program;
    }
}
