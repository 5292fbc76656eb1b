using System.Net;
using Tessera.Proxy.Routing;
using Tessera.Proxy.Telemetry;

namespace Tessera.Proxy.Forwarding;

/// <summary>
/// One public address: its routes, its protocol, its log. Its sockets, one for each reactor, are
/// <see cref="ListenSocket"/>s. Shared by all reactors.
/// </summary>
internal sealed class Listener
{
    private RouteTable _routes;
    private AccessLog? _log;
    private volatile bool _isRetired;
    private volatile ListenerProtocol _protocol;

    public Listener(IPEndPoint address, ListenerProtocol protocol, RouteTable routes, AccessLog? log)
    {
        Address = address;
        _protocol = protocol;
        _routes = routes;
        _log = log;
    }

    public IPEndPoint Address { get; }

    public ListenerProtocol Protocol => _protocol;

    /// <summary>Read once for each request.</summary>
    public RouteTable Routes => Volatile.Read(ref _routes);

    /// <summary>It was taken out of the configuration: connections end after their current request.</summary>
    public bool IsRetired => _isRetired;

    public AccessLogBuffer? LogOf(int reactor) => Volatile.Read(ref _log)?.BufferOf(reactor);

    public void Update(ListenerProtocol protocol, RouteTable routes, AccessLog? log)
    {
        _protocol = protocol;
        Volatile.Write(ref _routes, routes);
        Volatile.Write(ref _log, log);
    }

    public void Retire() => _isRetired = true;
}
