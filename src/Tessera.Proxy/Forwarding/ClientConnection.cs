using System.Text;
using Tessera.Linux;
using Tessera.Linux.Net;
using Tessera.Proxy.Http;
using Tessera.Proxy.Listening;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Routing;
using Tessera.Proxy.Transports;

namespace Tessera.Proxy.Forwarding;

/// <summary>
/// The whole life of one client's connection, as one async method on its reactor: receive, parse,
/// route, forward, keep alive. While it is idle it sleeps: the method has ended, and it owns no
/// buffer and no exchange. It never changes thread.
/// </summary>
internal sealed partial class ClientConnection : Sleeper
{
    /// <summary>
    /// Requests of one connection in one turn of the reactor before others get theirs.
    /// </summary>
    private const int MaxBurst = 32;

    /// <summary>
    /// A connection that was made just before its listener was taken out may have a request on its
    /// way, and is waited for so long.
    /// </summary>
    private const int RetiredIdleTimeoutMs = 500;

    /// <summary>An unwanted body of at most this is read, so that the connection stays.</summary>
    private const int MaxDiscardedBytes = 64 * 1_024;

    private readonly Shard _shard;
    private byte[] _buffer = [];
    private int _start;
    private int _end;
    private byte[] _next = [];
    private int _nextLength;
    private byte[]? _peerText;
    private Exchange? _exchange;
    private Closing _closing;
    private ClientConfig? _rules;
    private long _idleSinceMs;
    private bool _isHttp;
    private bool _isIdle;

    public ClientConnection(
        Shard shard, Listener listener, Transport transport, in InternetAddress peer)
    {
        _shard = shard;
        Listener = listener;
        Transport = transport;
        Peer = peer;
    }

    private enum Closing : byte
    {
        /// <summary>At once: everything was read and answered.</summary>
        Orderly,

        /// <summary>
        /// After the client had time to read the answer: what it still sends would otherwise be
        /// met with a reset that can destroy the answer on its way (RFC 9112 section 9.6).
        /// </summary>
        Lingering,

        /// <summary>
        /// With a reset: the answer is cut short, and the client must not take it for whole.
        /// </summary>
        Reset,
    }

    public Listener Listener { get; }

    public Transport Transport { get; }

    public InternetAddress Peer { get; }

    /// <summary>The client's address without port.</summary>
    public ReadOnlySpan<byte> PeerText => _peerText ??= Peer.HostText();

    /// <summary>
    /// What was received and not consumed; an exchange's offsets count from its begin.
    /// </summary>
    public ReadOnlySpan<byte> Received => _buffer.AsSpan(_start, _end - _start);

    /// <summary>False for one connection too many, which is turned away.</summary>
    public bool IsWelcome { get; init; } = true;

    /// <summary>When it ends, it ends without waiting for the client.</summary>
    public bool ClosesAtOnce => _closing == Closing.Orderly;

    /// <summary>Nothing of a request has come yet.</summary>
    public bool IsIdle => _isIdle || Transport.Handle.Sleeper is not null;

    /// <summary>Neighbours among the connections of the shard.</summary>
    internal ClientConnection? Previous { get; set; }

    internal ClientConnection? Following { get; set; }

    private Reactor Reactor => _shard.Reactor;

    private ProxyOptions Options => _shard.Options;

    /// <summary>Until its end, or until it sleeps; then it is called again.</summary>
    public async ReactorTask<bool> RunAsync()
    {
        try
        {
            // (0) HTTP, or bytes to be passed through?
            _isHttp = _isHttp || IsHttpFromFirstByte || await DecideProtocolAsync();
            long turn = Reactor.Turns;
            for (int burst = 1; _isHttp; burst++)
            {
                // (1) Sleep until the first bytes of a request, unless they came with the last one.
                if (_start == _end)
                {
                    if (!Transport.HasInput() && Transport.Handle.TrySleep(this, IdleTimeoutMs))
                    {
                        return true;
                    }

                    if (!await ReceiveNextAsync())
                    {
                        break;
                    }
                }
                else if (burst % MaxBurst == 0 && Reactor.Turns == turn)
                {
                    await Reactor.Yield(Transport.Handle.Read);
                }

                // (2) Parse its head, receiving more of it as needed.
                turn = Reactor.Turns;
                Exchange exchange = BeginExchange();
                exchange.Request.Rules = HeadRules;
                ParseStatus status = exchange.Request.Parse(Received, MaxHeadBytes);
                if (status == ParseStatus.Incomplete)
                {
                    status = await ReceiveHeadAsync(exchange);
                }

                // (3) Route and serve it, or refuse it. Most routes do nothing but forward.
                if (status == ParseStatus.Complete && TryRoute(exchange))
                {
                    ProxyError error = exchange.Route!.IsPlain
                        ? await _shard.Forwarder.ForwardAsync(exchange)
                        : await ServeAsync(exchange);
                    if (error.IsError)
                    {
                        await AnswerErrorAsync(exchange, error);
                    }
                }
                else
                {
                    await RefuseAsync(exchange);
                }

                // (4) One line in the log; then the next request, or the end.
                bool keepsOn = exchange.KeepsClient
                    && (exchange.RequestBody.IsComplete || await DiscardBodyAsync(exchange));
                EndExchange(exchange);
                if (!keepsOn)
                {
                    break;
                }
            }

            if (_closing == Closing.Lingering)
            {
                await LingerAsync();
            }
        }
        catch (Exception exception)
        {
            // A bug costs this connection and no other.
            _closing = Closing.Reset;
            _exchange?.Abandon();
            Reactor.ReportFault(exception);
        }

        Close();
        return true;
    }

    protected internal override void WakeUp() => RunAsync().Detach(Reactor);

    /// <summary>A request that has arrived and waits to be taken up is served.</summary>
    protected internal override void Expire()
    {
        Transport.Handle.EndSleep();
        if (Transport.Handle.IsReadable)
        {
            WakeUp();
        }
        else
        {
            Close();
        }
    }

    /// <summary>
    /// The server ends. True for a connection that was not idle for long enough yet: it stays until
    /// then, and for one more request.
    /// </summary>
    public bool StaysForNow()
    {
        long leftMs = (_rules?.MinIdleMs ?? 0) - (Reactor.NowMs - _idleSinceMs);
        if (leftMs <= 0 || Transport.Handle.Sleeper != this)
        {
            return false;
        }

        TimerWheel.Disarm(this);
        Reactor.Timers.Arm(this, Reactor.NowMs + leftMs);
        return true;
    }

    /// <summary>
    /// Decides whether the connection serves another request, and what the answer says about it.
    /// </summary>
    /// <param name="isDelimited">
    /// False when only the connection's end tells the answer's end.
    /// </param>
    /// <param name="isPage">
    /// It is the page of an error, behind some of which nginx closes whatever was asked.
    /// </param>
    public ConnectionOption DecideConnection(
        Exchange exchange, bool isDelimited, bool isPage = false)
    {
        if (exchange.Status == HttpStatus.SwitchingProtocols)
        {
            return ConnectionOption.Upgrade;
        }

        bool isRead = exchange.RequestBody.IsComplete || MayDiscard(exchange);
        exchange.KeepsClient = isDelimited && isRead && MayKeep(exchange, isPage)
            && exchange.Request.KeepAlive && !_shard.IsClosing && !Listener.IsRetired;
        if (!isRead || (!exchange.KeepsClient && !exchange.RequestBody.IsComplete))
        {
            _closing = Closing.Lingering;
        }

        return !exchange.KeepsClient ? ConnectionOption.Close
            : exchange.Request.MinorVersion == 0 ? ConnectionOption.KeepAlive
            : ConnectionOption.Implied;
    }

    /// <summary>
    /// An answer that needs nothing of the request's body: what is left of it is read behind the
    /// answer (ngx_http_discard_request_body).
    /// </summary>
    private static bool MayDiscard(Exchange exchange) =>
        exchange.TryCount == 0 && !exchange.RequestBody.IsInvalid
        && exchange.Status is not (400 or 413 or 414)
        && (exchange.ClientRules is not null || IsWorthReading(exchange));

    /// <summary>
    /// To read a small body costs less than a new connection; a client that waits for 100 may never
    /// send it (RFC 9110 section 10.1.1), and one that was too slow gets no second chance.
    /// </summary>
    private static bool IsWorthReading(Exchange exchange) =>
        exchange.Request.ContentLength is > 0 and <= MaxDiscardedBytes
        && !exchange.Request.ExpectsContinue && exchange.Status != 408;

    /// <summary>
    /// nginx closes behind some errors, behind the last of so many requests, and when its
    /// connection is too old.
    /// </summary>
    private bool MayKeep(Exchange exchange, bool isPage) =>
        exchange.ClientRules is not { } rules
        || (rules.IdleTimeoutMs > 0
            && Requests < rules.MaxRequests
            && Reactor.NowMs - StartMs <= rules.MaxAgeMs
            && !exchange.IsUnkeptBrowser(rules)
            && !(isPage
                && exchange.Status is 400 or 413 or 414 or 431 or 500 or 501 or 505));

    /// <summary>Bytes behind a streamed body: they are the next request's.</summary>
    public void KeepForNext(ReadOnlySpan<byte> bytes)
    {
        _next = Reactor.Buffers.Rent(bytes.Length);
        _nextLength = bytes.Length;
        bytes.CopyTo(_next);
    }

    /// <summary>Takes what lies behind the request, in a buffer that the caller returns.</summary>
    public byte[] TakeBehind(Exchange exchange, out int length)
    {
        if (_nextLength > 0)
        {
            byte[] next = _next;
            length = _nextLength;
            _next = [];
            _nextLength = 0;
            return next;
        }

        ReadOnlySpan<byte> behind = Received[(exchange.Request.Length + exchange.BodyInBuffer)..];
        length = behind.Length;
        if (length == 0)
        {
            return [];
        }

        byte[] buffer = Reactor.Buffers.Rent(length);
        behind.CopyTo(buffer);
        _end -= length;
        return buffer;
    }

    private int IdleTimeoutMs =>
        Listener is { IsRetired: true, IsLeft: false }
            ? RetiredIdleTimeoutMs
            : _rules?.IdleTimeoutMs ?? Rules?.HeadTimeoutMs ?? Options.IdleTimeoutMs;

    /// <summary>Of the listener's first server, until a route is known.</summary>
    private ClientConfig? Rules => Listener.Routes.Default?.Config.Client;

    private HeadRules HeadRules => Listener.Routes.Default?.HeadRules ?? HeadRules.Strict;

    private int MaxHeadBytes => Rules?.MaxHeadBytes ?? Options.MaxHeadBytes;

    /// <summary>False at the end of the client's stream.</summary>
    private async ReactorTask<bool> ReceiveNextAsync()
    {
        _isIdle = true;
        SyscallResult received = await Transport.ReceiveRentedAsync(
            BufferPool.SmallBytes, 0, IdleTimeoutMs);
        _isIdle = false;
        if (!received.IsSuccess || received.Value == 0)
        {
            return false;
        }

        TakeReceived(received.IntValue);
        return true;
    }

    private void TakeReceived(int length)
    {
        _buffer = Transport.TakeReceived();
        _start = 0;
        _end = length;
        _isFresh = true;
    }

    /// <summary>
    /// The head comes in pieces. When it does not come at all, the status says what to answer.
    /// </summary>
    private async ReactorTask<ParseStatus> ReceiveHeadAsync(Exchange exchange)
    {
        long deadlineMs = Reactor.NowMs + (Rules?.HeadTimeoutMs ?? Options.HeadTimeoutMs);
        while (true)
        {
            MakeRoom();
            int leftMs = (int)Math.Max(1, deadlineMs - Reactor.NowMs);
            _shard.ReadingCount++;
            SyscallResult received = await Transport.ReceiveAsync(
                _buffer, _end, ReceiveEnd - _end, leftMs);
            _shard.ReadingCount--;
            if (!received.IsSuccess || received.Value == 0)
            {
                // Empty lines alone are no request that deserves an answer.
                bool isTimeout = received.Errno == Errno.TimedOut
                    && Received.ContainsAnyExcept("\r\n"u8);
                exchange.Status = isTimeout ? 408 : 0;
                return ParseStatus.Invalid;
            }

            _end += received.IntValue;
            ParseStatus status = exchange.Request.Parse(Received, MaxHeadBytes);
            if (status != ParseStatus.Incomplete)
            {
                return status;
            }
        }
    }

    /// <summary>
    /// Received bytes end here at the latest: with a head that has grown they go upstream in one
    /// buffer.
    /// </summary>
    private int ReceiveEnd => Math.Min(
        _buffer.Length, Reactor.Buffers.RelayBytes - RequestWriter.MaxAddedBytes);

    /// <summary>Moves the head to the front of its buffer, or to a larger one.</summary>
    private void MakeRoom()
    {
        if (_end < ReceiveEnd)
        {
            return;
        }

        byte[] larger = _start > 0 ? _buffer : Reactor.Buffers.Rent(MaxHeadBytes + 1);
        Received.CopyTo(larger);
        _end -= _start;
        _start = 0;
        if (larger != _buffer)
        {
            Reactor.Buffers.Return(_buffer);
            _buffer = larger;
        }
    }

    /// <summary>One read of the route table serves the whole request.</summary>
    private static bool TryRoute(Exchange exchange)
    {
        RouteTable routes = exchange.Client.Listener.Routes;
        if (!exchange.NoteRequest()
            || (exchange.RequestBody.IsInvalid && routes.Servers is null))
        {
            exchange.Status = 400;
            return false;
        }

        exchange.Client.Shard.Tracer?.Begin(exchange);
        if (routes.Servers is { } servers)
        {
            EnterServer(exchange, servers.Find(exchange));
            return true;
        }

        var request = new RouteRequest
        {
            Host = exchange.Host,
            Path = exchange.Path,
            Query = exchange.Query,
            Head = exchange.Request,
            Received = exchange.Received,
        };
        Route? route = routes.Find(request);
        if (route is null)
        {
            RefuseUnrouted(exchange, routes.FindMethods(request));
            return false;
        }

        exchange.Follow(route);
        return true;
    }

    /// <param name="methods">
    /// With which a route would have fitted: 405 names them (RFC 9110 section 15.5.6).
    /// </param>
    private static void RefuseUnrouted(Exchange exchange, string? methods)
    {
        exchange.Status = methods is null ? 404 : 405;
        if (methods is not null)
        {
            exchange.TryAddField("Allow"u8, Encoding.ASCII.GetBytes(methods));
        }
    }

    private Exchange BeginExchange()
    {
        IsPipelined = !_isFresh;
        _isFresh = false;
        Requests++;
        return _exchange = _shard.BeginExchange(this);
    }

    private void EndExchange(Exchange exchange)
    {
        _exchange = null;
        _rules = exchange.ClientRules;
        _idleSinceMs = Reactor.NowMs;
        int consumed = exchange.Request.Length + exchange.BodyInBuffer;
        _shard.EndExchange(exchange);
        _start = Math.Min(_start + consumed, _end);
        if (_start < _end)
        {
            return;
        }

        Reactor.Buffers.Return(_buffer);
        _buffer = _next;
        _start = 0;
        _end = _nextLength;
        _next = [];
        _nextLength = 0;
    }

    private void Close()
    {
        Reactor.Buffers.Return(_buffer);
        Reactor.Buffers.Return(_next);
        _buffer = [];
        _next = [];
        Transport.Close(withReset: _closing == Closing.Reset);
        Reactor.Timers.Remove(this);
        _shard.Remove(this);
    }
}
