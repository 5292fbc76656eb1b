using System.Collections.Immutable;
using System.Net;
using Tessera.Linux.Net;
using Tessera.Proxy.Listening;
using Tessera.Proxy.Routing;

namespace Tessera.Proxy;

/// <summary>One listening socket that two processes share for a moment.</summary>
/// <param name="Descriptor">A descriptor of the process that reads this.</param>
public readonly record struct SharedListener(IPEndPoint Address, int Descriptor);

/// <summary>
/// Listeners that pass from one process to the next. Their sockets are shared, not opened anew, so
/// that no connection which the kernel has taken is lost: the group of sockets that share an
/// address (SO_REUSEPORT) stays as it is, and so do the queues in it.
/// </summary>
public sealed partial class ProxyServer
{
    /// <summary>
    /// Keep-alive connections that were idle when the listeners were left may send their next
    /// request for so long; it is answered, and the connection ends with it.
    /// </summary>
    private static readonly TimeSpan LastRequestGrace = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan LingerLook = TimeSpan.FromMilliseconds(50);

    private readonly Dictionary<IPEndPoint, List<int>> _inherited = [];
    private bool _isAccepting = true;
    private bool _hasLeft;

    /// <summary>
    /// Takes over sockets of another process; the descriptors are this server's from now on. The
    /// configuration that names their addresses opens them. Nothing is accepted, on any address,
    /// before <see cref="BeginAccepting"/>: until then the other process goes on.
    /// </summary>
    public void Inherit(IEnumerable<SharedListener> listeners)
    {
        lock (_lock)
        {
            _isAccepting = false;
            foreach ((IPEndPoint address, int descriptor) in listeners)
            {
                if (!_inherited.TryGetValue(address, out List<int>? descriptors))
                {
                    _inherited[address] = descriptors = [];
                }

                descriptors.Add(descriptor);
            }
        }
    }

    /// <summary>
    /// Accepts on everything that was inherited and is wanted; the rest is closed, and refuses
    /// connections from now on if the other process has closed it too.
    /// </summary>
    public void BeginAccepting()
    {
        lock (_lock)
        {
            if (_isAccepting)
            {
                return;
            }

            _isAccepting = true;
            CloseInherited();
            foreach (OpenListener open in _listeners.Values.ToArray())
            {
                Admit(Complete(open));
            }
        }
    }

    /// <summary>
    /// The sockets of all listeners, for passing them on. They stay this server's.
    /// </summary>
    public ImmutableArray<SharedListener> Share()
    {
        lock (_lock)
        {
            return
            [
                .. from open in _listeners.Values
                   from socket in open.Sockets
                   where !socket.Closed.IsCompleted
                   select new SharedListener(open.Listener.Address, socket.Descriptor),
            ];
        }
    }

    /// <summary>
    /// Stops accepting on every address, for good: another process does. Connections that are here
    /// end after their current or next request, tunnels when they end.
    /// </summary>
    public void Leave()
    {
        lock (_lock)
        {
            _hasLeft = true;
            foreach (OpenListener open in _listeners.Values)
            {
                open.Listener.Leave();
                Array.ForEach(open.Sockets, s => s.Leave());
            }

            _listeners.Clear();
        }
    }

    /// <summary>
    /// After <see cref="Leave"/>: what is applied next opens addresses again. Sockets that were
    /// kept are passed to <see cref="Inherit"/> before.
    /// </summary>
    public void ComeBack()
    {
        lock (_lock)
        {
            _hasLeft = false;
        }
    }

    /// <summary>
    /// Lets requests that are still here, or waiting, go where the other process sends its own.
    /// Backends that are not known here are ignored.
    /// </summary>
    /// <param name="unavailableReason">As in <see cref="BackendConfig"/>.</param>
    public void Follow(
        string backend, ImmutableArray<EndpointConfig> endpoints, string? unavailableReason)
    {
        lock (_lock)
        {
            if (_disposal is not null)
            {
                return;
            }

            ImmutableArray<BackendConfig> configs =
            [
                .. _backendConfigs.Select(b => b.Name != backend ? b : b with
                {
                    Endpoints = endpoints,
                    UnavailableReason = unavailableReason,
                }),
            ];
            var scopes = new ScopeTable(new ProxyConfig { Backends = configs });
            _backends.Apply(_backends.Prepare(configs, scopes));
            _backendConfigs = configs;
        }
    }

    /// <summary>
    /// Waits until no connection is left, at most <paramref name="limit"/>. Those that stay silent
    /// are closed before long. Returns how many were left at the end.
    /// </summary>
    /// <param name="end">Ends the wait.</param>
    public async Task<int> LingerAsync(TimeSpan limit, CancellationToken end)
    {
        long start = TimeProvider.System.GetTimestamp();
        while (_connections.Count > 0 && !end.IsCancellationRequested)
        {
            TimeSpan elapsed = TimeProvider.System.GetElapsedTime(start);
            if (elapsed >= limit)
            {
                break;
            }

            if (elapsed >= LastRequestGrace)
            {
                Array.ForEach(_shards, s => s.Reactor.Post(() => s.CloseIdle(null)));
            }

            TimeSpan wait = elapsed < LastRequestGrace ? LingerLook : LingerLook * 20;
            await Task.WhenAny(Task.Delay(wait, end));
        }

        return _connections.Count;
    }

    /// <summary>Null when nobody passed sockets of this address on.</summary>
    private OpenListener? TakeInherited(Listener listener)
    {
        if (!_inherited.Remove(listener.Address, out List<int>? descriptors))
        {
            return null;
        }

        // A reactor may get several: a socket without an owner would swallow connections.
        return new OpenListener(listener,
        [
            .. descriptors.Select((descriptor, i) => ListenSocket.Inherit(
                _shards[i % _shards.Length], listener, descriptor)),
        ]);
    }

    /// <summary>
    /// A socket for each reactor that got none. What cannot be opened is done without: the address
    /// is served by the others.
    /// </summary>
    private OpenListener Complete(OpenListener open)
    {
        var sockets = open.Sockets.ToList();
        for (int i = sockets.Count; i < _shards.Length; i++)
        {
            if (open.Sockets[0].TryMultiply(_shards[i]) is { } socket)
            {
                sockets.Add(socket);
            }
        }

        return open with { Sockets = [.. sockets] };
    }

    private void Admit(OpenListener open)
    {
        _listeners[open.Listener.Address] = open;
        if (_isAccepting)
        {
            Array.ForEach(open.Sockets, s => s.Start());
        }
    }

    private void CloseInherited()
    {
        foreach (int descriptor in _inherited.Values.SelectMany(d => d))
        {
            SocketCalls.Close(descriptor);
        }

        _inherited.Clear();
    }
}
