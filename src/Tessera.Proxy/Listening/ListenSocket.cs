using System.Net;
using System.Net.Sockets;
using System.Text;
using Tessera.Linux;
using Tessera.Linux.Files;
using Tessera.Linux.Net;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Reactors;

namespace Tessera.Proxy.Listening;

/// <summary>
/// One reactor's listening socket for one address. The kernel spreads connections over the sockets
/// that share it (SO_REUSEPORT). Opened by any thread, then owned by its reactor.
/// </summary>
internal sealed class ListenSocket
{
    /// <summary>Read and write for all: who may use a unix socket is its folder's to say.</summary>
    private const uint PathMode = 0x1B6; // rw-rw-rw-

    /// <summary>How long accepting rests when descriptors or memory have run out.</summary>
    private const int ExhaustedRestMs = 100;

    /// <summary>
    /// Handshakes under way when a listener is taken out have this long to complete.
    /// </summary>
    private const int RetireGraceMs = 20;

    private readonly Shard _shard;
    private readonly Reactor _reactor;
    private readonly Listener _listener;
    private readonly IoHandle _handle;
    private readonly IoOperation _rest;
    private readonly TaskCompletionSource _closed =
        new(TaskCreationOptions.RunContinuationsAsynchronously);

    private Ending _ending;
    private bool _isStarted;
    private bool _isExhausted;

    private ListenSocket(Shard shard, Listener listener, int descriptor)
    {
        _shard = shard;
        _reactor = shard.Reactor;
        _listener = listener;
        _handle = new IoHandle(_reactor, descriptor) { IsInbound = true };
        _rest = new IoOperation(_reactor, handle: null);
    }

    private enum Ending : byte
    {
        None,

        /// <summary>The address is given up; what the kernel has accepted is served.</summary>
        Retiring,

        /// <summary>Another process goes on with the socket, and with what waits in it.</summary>
        Leaving,
    }

    /// <summary>
    /// Completes when this process has closed the socket; unless it left it to another one, its
    /// address is free then.
    /// </summary>
    public Task Closed => _closed.Task;

    /// <summary>For passing it on; owned by this object.</summary>
    public int Descriptor => _handle.Descriptor;

    /// <summary>
    /// Asks whether anybody listens on the address. The sockets of one server share it, and so
    /// would, unnoticed, those of two servers of one user; a socket that does not share it tells.
    /// </summary>
    public static SyscallResult Probe(IPEndPoint address, ListenConfig options)
    {
        if (address is PathEndPoint)
        {
            return SyscallResult.Success(0);
        }

        SyscallResult result = TryBind(address, options, isShared: false, out int descriptor);
        if (result.IsSuccess)
        {
            SocketCalls.Close(descriptor);
        }

        return result;
    }

    /// <summary>
    /// One for each reactor; nothing is left open when that fails. Those at a path are one socket,
    /// which all of them accept from.
    /// </summary>
    public static SyscallResult TryOpenAll(
        Shard[] shards, Listener listener, ListenConfig options, ListenSocket[] sockets)
    {
        SyscallResult result = SyscallResult.Success(0);
        for (int i = 0; i < sockets.Length && result.IsSuccess; i++)
        {
            result = i > 0 && listener.Address is PathEndPoint
                ? SocketCalls.Duplicate(sockets[0].Descriptor)
                : TryListen(listener.Address, options);
            if (result.IsSuccess)
            {
                sockets[i] = new ListenSocket(shards[i], listener, result.IntValue);
            }
        }

        if (!result.IsSuccess)
        {
            Array.ForEach(sockets, socket => socket?.Discard());
        }

        return result;
    }

    /// <summary>One more for the same listener; null when it cannot be had.</summary>
    public ListenSocket? TryMultiply(Shard shard)
    {
        SyscallResult result = _listener.Address is PathEndPoint
            ? SocketCalls.Duplicate(Descriptor)
            : TryListen(_listener.Address, ListenConfig.Default);
        return result.IsSuccess ? new ListenSocket(shard, _listener, result.IntValue) : null;
    }

    /// <summary>Takes over a listening socket that another process has passed on.</summary>
    public static ListenSocket Inherit(Shard shard, Listener listener, int descriptor) =>
        new(shard, listener, descriptor);

    /// <summary>Closes a socket that was never started.</summary>
    public void Discard() => SocketCalls.Close(_handle.Descriptor);

    /// <summary>Begins accepting; <see cref="Closed"/> tells of a failure. Any thread.</summary>
    public void Start() => _reactor.Post(Run);

    private void Run()
    {
        SyscallResult added = _reactor.Poller.Add(_handle);
        if (added.IsSuccess)
        {
            _isStarted = true;
            RunAsync().Detach(_reactor);
        }
        else
        {
            _shard.ErrorLog.Write($"epoll_ctl: {Errno.Describe(added.Errno)}");
            CloseUnstarted();
        }
    }

    /// <summary>
    /// Stops new connections from being made; those that the kernel has made are still served. Any
    /// thread.
    /// </summary>
    public void Retire()
    {
        SocketCalls.RefuseNewConnections(_handle.Descriptor);
        _reactor.Post(() => End(Ending.Retiring));
    }

    /// <summary>
    /// Stops accepting and closes this process's descriptor, once another process has its own: the
    /// socket stays, with every connection that waits in it. Any thread.
    /// </summary>
    public void Leave() => _reactor.Post(() => End(Ending.Leaving));

    private void End(Ending ending)
    {
        _ending = ending;
        if (!_isStarted)
        {
            CloseUnstarted();
            return;
        }

        _handle.Read.Cancel();
        _rest.Cancel();
    }

    /// <summary>A descriptor that listens.</summary>
    private static SyscallResult TryListen(IPEndPoint address, ListenConfig options)
    {
        SyscallResult result = address is PathEndPoint path
            ? TryBindPath(path, options, out int descriptor)
            : TryBind(address, options, isShared: true, out descriptor);
        if (!result.IsSuccess)
        {
            return result;
        }

        result = SocketCalls.Listen(descriptor, options.Backlog);
        if (!result.IsSuccess)
        {
            SocketCalls.Close(descriptor);
            return result;
        }

        return SyscallResult.Success(descriptor);
    }

    private static SyscallResult TryBindPath(
        PathEndPoint path, ListenConfig options, out int descriptor)
    {
        SyscallResult result = SocketCalls.OpenUnix();
        descriptor = result.IntValue;
        if (!result.IsSuccess)
        {
            return result;
        }

        byte[] name = Encoding.UTF8.GetBytes(path.Path);
        result = SocketCalls.BindUnix(descriptor, name);
        if (result.Errno == Errno.AddressInUse && options.TakesLeftPaths && IsLeft(name))
        {
            FileCalls.Remove([.. name, 0]);
            result = SocketCalls.BindUnix(descriptor, name);
        }

        if (result.IsSuccess)
        {
            result = FileCalls.SetMode([.. name, 0], PathMode);
        }

        if (!result.IsSuccess)
        {
            SocketCalls.Close(descriptor);
        }

        return result;
    }

    /// <summary>Whether it is a socket that nobody listens on.</summary>
    private static bool IsLeft(byte[] path)
    {
        SyscallResult opened = SocketCalls.OpenUnix();
        if (!opened.IsSuccess)
        {
            return false;
        }

        SyscallResult result = SocketCalls.ConnectUnix(opened.IntValue, path);
        SocketCalls.Close(opened.IntValue);
        return result.Errno == Errno.ConnectionRefused;
    }

    private static SyscallResult TryBind(
        IPEndPoint address, ListenConfig options, bool isShared, out int descriptor)
    {
        var native = new InternetAddress(address);
        SyscallResult opened = SocketCalls.OpenTcp(native);
        descriptor = opened.IntValue;
        if (!opened.IsSuccess)
        {
            return opened;
        }

        SocketCalls.SetReuseAddress(descriptor);
        SocketCalls.SetNoDelay(descriptor);
        if (address.AddressFamily == AddressFamily.InterNetworkV6)
        {
            SocketCalls.SetIPv6Only(descriptor, options.IsIPv6Only);
        }

        Apply(options, descriptor);

        SyscallResult shared = isShared
            ? SocketCalls.SetReusePort(descriptor)
            : SyscallResult.Success(0);
        SyscallResult result = shared.IsSuccess ? SocketCalls.Bind(descriptor, native) : shared;
        if (!result.IsSuccess)
        {
            SocketCalls.Close(descriptor);
        }

        return result;
    }

    /// <summary>What the kernel does not take is done without, as nginx does.</summary>
    private static void Apply(ListenConfig options, int descriptor)
    {
        if (options.ReceiveBytes > 0)
        {
            SocketCalls.SetReceiveBuffer(descriptor, options.ReceiveBytes);
        }

        if (options.SendBytes > 0)
        {
            SocketCalls.SetSendBuffer(descriptor, options.SendBytes);
        }

        if (options.IsDeferred)
        {
            SocketCalls.SetDeferAccept(descriptor);
        }

        if (options.FastOpenQueue > 0)
        {
            SocketCalls.SetFastOpen(descriptor, options.FastOpenQueue);
        }

        if (options.Probes is { IsOn: true } probes)
        {
            SocketCalls.SetKeepAlive(descriptor);
            SocketCalls.SetKeepAliveTimes(
                descriptor, probes.IdleSeconds, probes.IntervalSeconds, probes.Count);
        }
    }

    private async ReactorTask<bool> RunAsync()
    {
        while (_ending == Ending.None)
        {
            for (int burst = 0; burst < NewWork.PerTurn && _ending == Ending.None; burst++)
            {
                SyscallResult accepted =
                    await _reactor.Start(_handle.Read, IoKind.Accept, [], 0, 0, timeoutMs: 0);
                if (!TryAdmit(accepted))
                {
                    await _reactor.Start(_rest, IoKind.Wait, [], 0, 0, ExhaustedRestMs);
                }
            }

            await _reactor.Yield(_rest);
        }

        if (_ending == Ending.Leaving)
        {
            int descriptor = _handle.Descriptor;
            _reactor.Poller.Release(_handle);
            SocketCalls.Close(descriptor);
            Close();
            return true;
        }

        // No new handshake begins any more; what is under way completes, then the queue is emptied.
        await _reactor.Start(_rest, IoKind.Wait, [], 0, 0, RetireGraceMs);
        while (SocketCalls.Accept(_handle.Descriptor, out InternetAddress peer) is
            { IsSuccess: true } last)
        {
            Admit(last.IntValue, peer);
        }

        Close();
        return true;
    }

    /// <summary>
    /// False when nothing can be accepted for now: descriptors or memory have run out.
    /// </summary>
    private bool TryAdmit(SyscallResult accepted)
    {
        if (accepted.IsSuccess)
        {
            _isExhausted = false;
            Admit(accepted.IntValue, _handle.Read.AcceptedPeer);
            return true;
        }

        bool isExhausted = accepted.Errno is Errno.TooManyFiles or Errno.FileTableFull
            or Errno.NoBuffers or Errno.NoMemory;
        if (isExhausted && !_isExhausted)
        {
            _shard.ErrorLog.Write(
                $"{_listener.Address} accepts nothing for now: {Errno.Describe(accepted.Errno)}");
        }

        _isExhausted |= isExhausted;
        return !isExhausted;
    }

    private void Admit(int descriptor, in InternetAddress peer)
    {
        try
        {
            _shard.Admit(descriptor, peer, _listener);
        }
        catch (Exception exception)
        {
            // One connection's bug must not end the listener.
            _reactor.ReportFault(exception);
        }
    }

    private void CloseUnstarted()
    {
        SocketCalls.Close(_handle.Descriptor);
        _handle.Descriptor = -1;
        _closed.TrySetResult();
    }

    private void Close()
    {
        _reactor.Timers.Remove(_handle.Read);
        _reactor.Timers.Remove(_rest);
        _reactor.Poller.Close(_handle);
        _closed.TrySetResult();
    }
}
