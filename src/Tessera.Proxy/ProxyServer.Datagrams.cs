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

    private void RetireDatagrams(IPEndPoint address)
    {
        _datagrams.Remove(address, out OpenDatagrams? gone);
        Array.ForEach(gone!.Sockets, socket => socket.Retire());
        _retiringLogs = Task.WhenAll(
            [_retiringLogs, .. gone.Sockets.Select(socket => socket.Closed)]);
    }

    /// <summary>Adds what it opened for an address that is new.</summary>
    private ListenFailure? TryListen(PreparedListener wanted, List<OpenDatagrams> opened)
    {
        IPEndPoint address = wanted.Config.Address;
        if (_datagrams.ContainsKey(address))
        {
            return null;
        }

        var listener = new Listener(
            address, ListenerProtocol.Tcp, wanted.Routes, wanted.Logs);
        bool isOurs = _datagrams.Keys.Concat(opened.Select(one => one.Listener.Address))
            .Any(known => Overlap(known, address));
        SyscallResult result = isOurs
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

        opened.Add(new OpenDatagrams(listener, sockets));
        return null;
    }

    private void Admit(OpenDatagrams open)
    {
        _datagrams.Add(open.Listener.Address, open);
        Array.ForEach(open.Sockets, socket => socket.Start());
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
