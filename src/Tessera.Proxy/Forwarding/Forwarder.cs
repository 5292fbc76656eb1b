using Tessera.Linux;
using Tessera.Linux.Net;
using Tessera.Proxy.Http;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Routing;
using Tessera.Proxy.Telemetry;
using Tessera.Proxy.Transports;

namespace Tessera.Proxy.Forwarding;

/// <summary>
/// Carries one exchange from a parsed request to the end of its response. One per shard; what
/// belongs to a request is in its <see cref="Exchange"/>. Runs on its shard's reactor.
/// </summary>
internal sealed partial class Forwarder
{
    /// <summary>Nothing was sent: it is <see cref="TooLong"/>.</summary>
    private static readonly SyscallResult s_tooLong = SyscallResult.Failure(Errno.MessageTooLong);

    private readonly Shard _shard;
    private readonly Reactor _reactor;
    private readonly ProxyOptions _options;
    private readonly byte[] _traceParent = new byte[TraceContext.TraceParentBytes];

    public Forwarder(Shard shard)
    {
        _shard = shard;
        _reactor = shard.Reactor;
        _options = shard.Options;
    }

    /// <summary>
    /// The whole flow of a request. Without an error the response has been sent as far as it goes;
    /// with one, an answer is due unless <see cref="Exchange.HasReachedClient"/>.
    /// </summary>
    public async ReactorTask<ProxyError> ForwardAsync(Exchange exchange)
    {
        // (0) Of a slow client's body, as much as the route wants to have before it takes anyone.
        exchange.BeginForwarding();
        PassRule? pass = exchange.Route?.Pass;
        ProxyError error = pass is not null ? await PreparePassAsync(exchange, pass)
            : exchange.RequestBody.IsComplete ? ProxyError.None : await BufferBodyAsync(exchange);
        CountRequest(exchange, error);

        // The one retry loop: it runs only while nothing has reached the client.
        while (!error.IsError)
        {
            // (1) An endpoint that was not tried yet, or a place in the queue until there is one.
            error = exchange.TryPick(_reactor.NowMs);
            if (error.IsError)
            {
                error = await HoldAsync(exchange, error);
                continue;
            }

            // (2) A connection to it: the idle one that was used last, or a new one.
            error = exchange.TryReuse(_shard.Number, _reactor.NowMs)
                ? ProxyError.None
                : await ConnectAsync(exchange);

            // (3) The request's head and what is here of its body, in one piece.
            if (!error.IsError && IsFitToSend(exchange, ref error))
            {
                byte[] buffer = WriteRequest(exchange, out int length);
                SyscallResult sent = length == TooLong ? s_tooLong
                    : await exchange.Upstream!.Transport.SendAsync(
                        buffer, 0, length, exchange.Limits.SendTimeoutMs);
                _reactor.Buffers.Return(buffer);
                error = NoteSent(exchange, sent);

                // (4) The rest of the body, as it comes.
                if (!error.IsError && !exchange.IsRequestSent)
                {
                    error = await RelayRequestBodyAsync(exchange);
                }
            }

            // (5) The response's head, and what comes with it of the body.
            if (!error.IsError && TryWatchClient(exchange, ref error))
            {
                Transport upstream = exchange.Upstream!.Transport;
                exchange.ReplyStart = exchange.ReplyHeadroom;
                SyscallResult received = await upstream.ReceiveRentedAsync(
                    ReplyLength(exchange), exchange.ReplyStart, exchange.HeadTimeoutMs);
                exchange.Client.Transport.Handle.Unwatch();
                error = TakeReply(exchange, received, out bool isWhole);
                if (!error.IsError && !isWhole)
                {
                    error = await ReceiveReplyHeadAsync(exchange);
                }
            }

            // (6) Relay it, unless its status calls for another endpoint: the answer is decided.
            if (!error.IsError && IsWelcome(exchange, ref error))
            {
                int length = EditReply(exchange);
                SyscallResult sent = length == TooLong ? s_tooLong
                    : await SendReply(exchange, length);
                error = NoteReplySent(exchange, sent, length);
                bool isDone = error.IsError || exchange.IsReplyDone;
                error = isDone ? error : await RelayReplyAsync(exchange);
                error = exchange.Store is null ? error : await FinishStoreAsync(exchange, error);
            }

            // (7) Done; or another try, or an error reply.
            if (EndTry(exchange, ref error))
            {
                error = exchange.Spool is null ? error : await SendSpoolAsync(exchange, error);
                return pass is null ? error : exchange.LeaveFor(error);
            }
        }

        return error;
    }

    private void CountRequest(Exchange exchange, ProxyError error)
    {
        if (!error.IsError)
        {
            exchange.Backend.RetryBudget.CountRequest(_shard.Number, _reactor.NowMs);
        }
    }

    /// <summary>
    /// Opens a connection to the endpoint. However it fails, nothing was sent and another endpoint
    /// may be tried.
    /// </summary>
    private async ReactorTask<ProxyError> ConnectAsync(Exchange exchange)
    {
        if (exchange.Client.Transport.Handle.IsBroken)
        {
            return ProxyError.Of(ProxyErrorKind.ClientGone, ProxyErrorSource.Client);
        }

        SyscallResult begun = BeginConnect(exchange, out Transport transport);
        if (!begun.IsSuccess)
        {
            return UpstreamFailed(exchange, ProxyErrorKind.ConnectFailed, begun.Errno);
        }

        Transport client = exchange.Client.Transport;
        client.Handle.Watch(IoWatch.Broken, transport.Handle.Write);
        SyscallResult connected = await transport.ConnectAsync(exchange.Limits.ConnectTimeoutMs);
        client.Handle.Unwatch();
        if (connected.IsSuccess)
        {
            exchange.Upstream = new UpstreamConnection(
                exchange.Endpoint!.PoolOf(_shard.Number), transport, _reactor.NowMs);
            exchange.NoteConnected(_reactor.NowMs);
            return ProxyError.None;
        }

        transport.Close();
        return connected.Errno switch
        {
            Errno.Canceled => ProxyError.Of(ProxyErrorKind.ClientGone, ProxyErrorSource.Client),
            Errno.TimedOut =>
                UpstreamFailed(exchange, ProxyErrorKind.ConnectTimeout, connected.Errno),
            _ => UpstreamFailed(exchange, ProxyErrorKind.ConnectFailed, connected.Errno),
        };
    }

    /// <summary>
    /// From now on the client's reset ends what is received from the endpoint, and with nginx's
    /// rules the end of its stream (proxy_ignore_client_abort). A reset that came
    /// before it was watched for is an error here: no event would tell of it again.
    /// </summary>
    private static bool TryWatchClient(Exchange exchange, ref ProxyError error)
    {
        IoHandle client = exchange.Client.Transport.Handle;
        PassRule? pass = exchange.Route?.Pass;
        if (pass is { Config.OutlastsClient: true })
        {
            return true;
        }

        if (client.IsBroken || (pass is not null && client.HasPeerClosed))
        {
            error = ProxyError.Of(ProxyErrorKind.ClientGone, ProxyErrorSource.Client);
            return false;
        }

        client.Watch(
            pass is null ? IoWatch.Broken : IoWatch.PeerClosed,
            exchange.Upstream!.Transport.Handle.Read);
        return true;
    }

    /// <summary>
    /// A request that must not be sent twice is not risked on an idle connection that the endpoint
    /// may have closed: the kernel is asked first, which costs one call.
    /// </summary>
    private bool IsFitToSend(Exchange exchange, ref ProxyError error)
    {
        if (exchange.IsReused
            && !(exchange.Request.Method.IsIdempotent() && exchange.RequestBody.IsComplete)
            && !exchange.Upstream!.Transport.IsSilentNow())
        {
            error = UpstreamFailed(exchange, ProxyErrorKind.Closed, Errno.ConnectionReset);
            return false;
        }

        return true;
    }

    private byte[] WriteRequest(Exchange exchange, out int length)
    {
        if (exchange.Route?.Pass is { } pass)
        {
            return WritePassRequest(exchange, pass, out length);
        }

        RequestHead head = exchange.Request;
        ReadOnlySpan<byte> received = exchange.Received;
        int bytes = head.Length + exchange.BodyInBuffer + RequestWriter.MaxAddedBytes
            + exchange.Target.Length
            + (exchange.Route?.RequestFields?.MaxBytes(head.Length) ?? 0);

        // A route may make a head longer than any buffer of the pool, which takes none back that
        // is not its own.
        byte[] buffer = _reactor.Buffers.RentAny(bytes);
        length = RequestWriter.Write(
            head,
            received,
            exchange.PeerText,
            exchange.Endpoint!.AddressText,
            exchange,
            exchange.Trace.IsOn ? WriteTraceParent(exchange) : default,
            buffer);
        received.Slice(head.Length, exchange.BodyInBuffer).CopyTo(buffer.AsSpan(length));
        length += exchange.BodyInBuffer;
        return buffer;
    }

    /// <summary>In the shard's own room, for a single use.</summary>
    private ReadOnlySpan<byte> WriteTraceParent(Exchange exchange)
    {
        var writer = new ByteWriter(_traceParent);
        exchange.Trace.WriteTraceParent(ref writer, exchange.BeginTrySpan());
        return _traceParent;
    }

    private ProxyError NoteSent(Exchange exchange, SyscallResult sent)
    {
        exchange.HasSent = exchange.Upstream!.Transport.Sent > 0;
        if (sent.IsSuccess)
        {
            return ProxyError.None;
        }

        if (sent.Errno == Errno.MessageTooLong)
        {
            return ProxyError.Of(ProxyErrorKind.BodyNotKept, ProxyErrorSource.Proxy);
        }

        return UpstreamFailed(
            exchange,
            sent.Errno == Errno.TimedOut ? ProxyErrorKind.SendTimeout : ProxyErrorKind.SendFailed,
            sent.Errno);
    }

    /// <summary>
    /// True when the request is over, with the error it ends with; false when another try follows,
    /// for which there is no error.
    /// </summary>
    private bool EndTry(Exchange exchange, ref ProxyError error)
    {
        ReturnReply(exchange);
        ReturnPiece(exchange);
        bool isStale = error.IsRetryable && RetryPolicy.IsStale(exchange, error.Kind);
        if (error.Source == ProxyErrorSource.Upstream && !isStale)
        {
            error = NoteFailure(exchange, error);
        }

        exchange.EndTry(_shard.Number, _reactor.NowMs, error);
        if (!error.IsRetryable)
        {
            return true;
        }

        error = ProxyError.None;
        return false;
    }

    private void ReturnReply(Exchange exchange)
    {
        _reactor.Buffers.Return(exchange.Reply);
        exchange.Reply = [];
    }
}
