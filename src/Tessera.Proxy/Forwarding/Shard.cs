using System.Diagnostics;
using Tessera.Linux;
using Tessera.Linux.Net;
using Tessera.Proxy.Compression;
using Tessera.Proxy.Files;
using Tessera.Proxy.Listening;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Resolving;
using Tessera.Proxy.Routing;
using Tessera.Proxy.Telemetry;
using Tessera.Proxy.Transports;

namespace Tessera.Proxy.Forwarding;

/// <summary>
/// What one reactor serves with: its connections, its stock of exchanges, its forwarder. Everything
/// but the constructor runs on the reactor.
/// </summary>
internal sealed class Shard
{
    private const int MaxSpareExchanges = 1_024;

    /// <summary>
    /// Files that all reactors together keep open for the next request, and what they keep in
    /// memory.
    /// </summary>
    private const int MaxOpenFiles = 256;

    private const long MaxFileBytes = 64L * 1_024 * 1_024;

    private readonly ConnectionLimit _limit;
    private readonly Stack<Exchange> _spare = new();
    private readonly SendFloor? _sendFloor;
    private ClientConnection? _first;

    public Shard(
        int number,
        Reactor reactor,
        ProxyOptions options,
        ConnectionLimit limit,
        ErrorLog errorLog)
    {
        Number = number;
        Reactor = reactor;
        Options = options;
        ErrorLog = errorLog;
        _limit = limit;
        _sendFloor = options.MinSendBytesPerSecond > 0
            ? new SendFloor(options.SendTimeoutMs, options.MinSendBytesPerSecond)
            : null;
        Clock = new ReactorClock(reactor, TimeProvider.System);
        Tracer = options.Traces is null ? null : new Tracer(options.Traces, RandomBits);
        KeptBodies = new BodyMemory(
            reactor.Buffers, options.MaxKeptBodyBytes / Math.Clamp(options.Reactors, 1, 256));
        Forwarder = new Forwarder(this);
        int reactors = Math.Max(1, options.Reactors);
        Pipes = new PipeStock(reactors);
        Targets = new PassTargets(this);
        Files = new FileServer(
            this,
            new FileCache(Math.Max(1, MaxOpenFiles / reactors), MaxFileBytes / reactors));
    }

    /// <summary>Those of the server, this one included; set before any of them runs.</summary>
    public Shard[] All { get; set; } = [];

    /// <summary>0 for the first reactor.</summary>
    public int Number { get; }

    public Reactor Reactor { get; }

    public ProxyOptions Options { get; }

    public ErrorLog ErrorLog { get; }

    public ReactorClock Clock { get; }

    public Forwarder Forwarder { get; }

    /// <summary>Null without tracing.</summary>
    public Tracer? Tracer { get; }

    public RandomBits RandomBits { get; } = new();

    public ReactorCounters Counters { get; } = new();

    /// <summary>Counts requests that match no route.</summary>
    public RequestCounters Unrouted { get; } = new();

    public BodyMemory KeptBodies { get; }

    /// <summary>Health probes in progress.</summary>
    public int ProbeCount { get; set; }

    public PipeStock Pipes { get; }

    public CompressorStock Compressors { get; } = new();

    public FileServer Files { get; }

    /// <summary>Backends that requests name by themselves.</summary>
    public PassTargets Targets { get; }

    /// <summary>The server ends: each connection is closed after its current request.</summary>
    public bool IsClosing { get; private set; }

    public int ConnectionCount { get; private set; }

    /// <summary>Connections of which a part of a head is here.</summary>
    public int ReadingCount { get; set; }

    /// <summary>
    /// Takes over a connection that was accepted. When there are too many, some are told so, and
    /// the rest is closed.
    /// </summary>
    public void Admit(int descriptor, in InternetAddress peer, Listener listener)
    {
        bool isWelcome = !IsClosing && _limit.TryEnter();
        if (!isWelcome)
        {
            Counters.CountRefused();
            if (IsClosing || !_limit.TryEnterBeyond())
            {
                SocketCalls.Close(descriptor);
                return;
            }

            ErrorLog.WriteTurnedAway(peer, listener);
        }

        SyscallResult opened = Transport.TryOpen(Reactor, descriptor, out Transport transport);
        if (!opened.IsSuccess)
        {
            Leave(isWelcome);
            ErrorLog.Write($"epoll_ctl: {Errno.Describe(opened.Errno)}");
            return;
        }

        Counters.CountAccepted();
        transport.Handle.SendFloor = _sendFloor;
        var connection = new ClientConnection(this, listener, transport, peer)
        {
            Serial = ((Counters.Accepted - 1) * Math.Max(Options.Reactors, 1)) + Number + 1,
            StartMs = Reactor.NowMs,
            IsWelcome = isWelcome,
        };
        Add(connection);
        (isWelcome ? connection.RunAsync() : connection.TurnAwayAsync()).Detach(Reactor);
    }

    /// <summary>
    /// Takes over a peer of a datagram socket; when there are too many clients, its datagrams are
    /// lost.
    /// </summary>
    public void AdmitSession(DatagramSession session, Listener listener, Route route)
    {
        if (IsClosing || !_limit.TryEnter())
        {
            Counters.CountRefused();
            session.End();
            return;
        }

        Counters.CountAccepted();
        var client = new ClientConnection(
            this, listener, Transport.Without(Reactor), session.Peer.Peer)
        {
            Serial = ((Counters.Accepted - 1) * Math.Max(Options.Reactors, 1)) + Number + 1,
            StartMs = Reactor.NowMs,
            IsWelcome = true,
            Datagrams = session,
        };
        Add(client);
        client.RunSessionAsync(route, route.Stream!).Detach(Reactor);
    }

    private void Add(ClientConnection connection)
    {
        connection.Following = _first;
        if (_first is not null)
        {
            _first.Previous = connection;
        }

        _first = connection;
        ConnectionCount++;
    }

    internal void Remove(ClientConnection connection)
    {
        if (connection.Previous is null)
        {
            _first = connection.Following;
        }
        else
        {
            connection.Previous.Following = connection.Following;
        }

        if (connection.Following is not null)
        {
            connection.Following.Previous = connection.Previous;
        }

        ConnectionCount--;
        Leave(connection.IsWelcome);
    }

    public Exchange BeginExchange(ClientConnection client)
    {
        if (!_spare.TryPop(out Exchange? exchange))
        {
            exchange = new Exchange(Reactor, Options.MaxHeaderCount);
        }

        Counters.CountBegun();
        exchange.Begin(client, Reactor.NowMs);
        return exchange;
    }

    /// <summary>Writes the access log and takes the exchange back.</summary>
    public void EndExchange(Exchange exchange)
    {
        Counters.CountEnded();
        if (exchange.Status != 0)
        {
            exchange.Counters.Add(exchange, Reactor.NowMs);
            foreach (AccessLog log in exchange.Logs)
            {
                log.BufferOf(Number).Write(exchange, Clock, Reactor.NowMs);
            }

            Tracer?.End(exchange);
        }

        exchange.Stored?.Release();
        exchange.Reset();
        if (_spare.Count < MaxSpareExchanges)
        {
            _spare.Push(exchange);
        }
    }

    /// <summary>
    /// Ends the idle connections of a listener, or of all. One whose request has arrived unnoticed
    /// is not idle.
    /// </summary>
    public void CloseIdle(Listener? listener) => AbortWhere(c =>
        c.IsIdle
        && (listener is null || c.Listener == listener)
        && c.Transport.IsSilentNow());

    /// <summary>No new requests; idle connections end at once.</summary>
    public void BeginClosing()
    {
        IsClosing = true;
        AbortWhere(c => c.IsIdle && c.Transport.IsSilentNow() && !c.StaysForNow());
    }

    /// <summary>Cuts whatever is left.</summary>
    public void AbortAll() => AbortWhere(_ => true);

    /// <summary>For metrics; any thread.</summary>
    public ReactorTotals ReadTotals() => new(
        Number,
        ConnectionCount,
        Math.Max(0, Counters.Active),
        Counters.Accepted,
        Counters.Refused,
        Counters.Tunnels,
        Reactor.Turns,
        (double)Reactor.ReadBusyTicks() / Stopwatch.Frequency,
        (double)Reactor.AskedTicks / Stopwatch.Frequency);

    private void AbortWhere(Predicate<ClientConnection> condition)
    {
        for (ClientConnection? c = _first; c is not null; c = c.Following)
        {
            if (condition(c))
            {
                c.Abort();
            }
        }
    }

    private void Leave(bool isWelcome)
    {
        if (isWelcome)
        {
            _limit.Leave();
        }
        else
        {
            _limit.LeaveBeyond();
        }
    }
}
