using System.Collections.Immutable;
using System.Net;
using Tessera.Linux;
using Tessera.Linux.Net;
using Tessera.Proxy.Listening;
using Tessera.Proxy.Routing;
using Tessera.Proxy.Telemetry;

namespace Tessera.Proxy;

/// <summary>The addresses that datagrams come to.</summary>
public sealed partial class ProxyServer
{
    private readonly Dictionary<IPEndPoint, OpenDatagrams> _datagrams = [];

    /// <summary>
    /// Those that stay get their routes swapped, the others are opened or closed.
    /// </summary>
    private void ApplyDatagrams(
        ImmutableArray<ListenerConfig> configs, AccessLog[][] logs, RouteTable[] tables,
        ImmutableArray<ListenFailure>.Builder failures)
    {
        foreach (IPEndPoint address in _datagrams.Keys.Except(
            configs.Select(config => config.Address)).ToArray())
        {
            _datagrams.Remove(address, out OpenDatagrams? gone);
            Array.ForEach(gone!.Sockets, socket => socket.Retire());
            _retiringLogs = Task.WhenAll(
                [_retiringLogs, .. gone.Sockets.Select(socket => socket.Closed)]);
        }

        foreach ((ListenerConfig config, AccessLog[] log, RouteTable routes)
            in configs.Zip(logs, tables))
        {
            if (_datagrams.TryGetValue(config.Address, out OpenDatagrams? open))
            {
                open.Listener.Update(ListenerProtocol.Tcp, routes, log);
            }
            else if (TryOpenDatagrams(config.Address, routes, log) is { } failure)
            {
                failures.Add(failure);
            }
        }
    }

    private ListenFailure? TryOpenDatagrams(
        IPEndPoint address, RouteTable routes, AccessLog[] log)
    {
        var listener = new Listener(address, ListenerProtocol.Tcp, routes, log);
        SyscallResult result = _datagrams.Keys.Any(known => Overlap(known, address))
            ? SyscallResult.Success(0)
            : DatagramSocket.Probe(address);
        var sockets = new DatagramSocket[_shards.Length];
        for (int i = 0; i < sockets.Length && result.IsSuccess; i++)
        {
            result = DatagramSocket.TryOpen(_shards[i], listener, out sockets[i]);
        }

        if (!result.IsSuccess)
        {
            Array.ForEach(sockets, socket => socket?.Discard());
            return new ListenFailure(address, Errno.Describe(result.Errno), result.Errno);
        }

        _datagrams.Add(address, new OpenDatagrams(listener, sockets));
        Array.ForEach(sockets, socket => socket.Start());
        return null;
    }

    private void ForEachDatagramSocket(Action<DatagramSocket> action)
    {
        foreach (OpenDatagrams open in _datagrams.Values)
        {
            Array.ForEach(open.Sockets, action);
        }
    }

    private sealed record OpenDatagrams(Listener Listener, DatagramSocket[] Sockets);
}
