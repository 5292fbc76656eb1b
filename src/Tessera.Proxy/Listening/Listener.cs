using System.Net;
using Tessera.Proxy.Routing;
using Tessera.Proxy.Telemetry;

namespace Tessera.Proxy.Listening;

/// <summary>
/// What is known of the servers behind a listener whose protocol is told from the first bytes.
/// </summary>
internal enum LearntProtocol : byte
{
    Unknown,

    /// <summary>One of them has answered in HTTP: whoever does not speak it gets 400.</summary>
    Http,

    /// <summary>They wait for the client, whatever they speak.</summary>
    ClientSpeaksFirst,

    /// <summary>They speak first, as MySQL and SSH do: no client is waited for.</summary>
    ServerSpeaksFirst,
}

/// <summary>
/// One public address: its routes, its protocol, its log. Its sockets, one for each reactor, are
/// <see cref="ListenSocket"/>s. Shared by all reactors.
/// </summary>
internal sealed class Listener
{
    private RouteTable _routes;
    private AccessLog[] _logs;
    private volatile bool _isRetired;
    private volatile bool _isLeft;
    private volatile ListenerProtocol _protocol;
    private volatile LearntProtocol _learnt;
    private int _isProbing;

    public Listener(
        IPEndPoint address, ListenerProtocol protocol, RouteTable routes, AccessLog[] logs)
    {
        Address = address;
        _protocol = protocol;
        _routes = routes;
        _logs = logs;
    }

    public IPEndPoint Address { get; }

    public ListenerProtocol Protocol => _protocol;

    /// <summary>What <see cref="ListenerProtocol.Auto"/> has come to know.</summary>
    public LearntProtocol Learnt => _learnt;

    /// <summary>Read once for each request.</summary>
    public RouteTable Routes => Volatile.Read(ref _routes);

    /// <summary>
    /// It was taken out of the configuration, or left to another process: connections end after
    /// their current request.
    /// </summary>
    public bool IsRetired => _isRetired;

    /// <summary>
    /// Another process serves the address now: who is connected here may take the usual time.
    /// </summary>
    public bool IsLeft => _isLeft;

    /// <summary>Get a line of each request whose route has none of its own.</summary>
    public AccessLog[] Logs => Volatile.Read(ref _logs);

    public void Update(ListenerProtocol protocol, RouteTable routes, AccessLog[] logs)
    {
        // Other servers may speak another protocol.
        if (protocol != _protocol || routes.First != Routes.First)
        {
            _learnt = LearntProtocol.Unknown;
        }

        _protocol = protocol;
        Volatile.Write(ref _routes, routes);
        Volatile.Write(ref _logs, logs);
    }

    /// <summary>HTTP, once known, stays: a silent client does not unlearn it.</summary>
    public void Learn(LearntProtocol learnt)
    {
        // Reactors learn at the same time: nobody overwrites what was learnt meanwhile unread.
        LearntProtocol known = _learnt;
        while (known != learnt && known != LearntProtocol.Http)
        {
            LearntProtocol before = Interlocked.CompareExchange(ref _learnt, learnt, known);
            if (before == known)
            {
                return;
            }

            known = before;
        }
    }

    /// <summary>
    /// False while another connection is asking. <see cref="EndProbe"/> must follow a true.
    /// </summary>
    public bool TryBeginProbe() => Interlocked.Exchange(ref _isProbing, 1) == 0;

    public void EndProbe() => Volatile.Write(ref _isProbing, 0);

    public void Retire() => _isRetired = true;

    public void Leave()
    {
        _isLeft = true;
        _isRetired = true;
    }
}
