using Tessera.Linux;
using Tessera.Linux.Net;
using Tessera.Proxy.Flow;
using Tessera.Proxy.Reactors;
using HttpMethod = Tessera.Proxy.Http.HttpMethod;

namespace Tessera.Proxy.Forwarding;

/// <summary>The answers of the proxy itself, and the ways a connection ends badly.</summary>
internal sealed partial class ClientConnection
{
    private const int ErrorReplyBytes = 2_048;
    private const int LingerMs = 2_000;

    /// <summary>More than a well-behaved client has under way when it sees the answer.</summary>
    private const long MaxLingerBytes = 64L * 1_024 * 1_024;

    /// <summary>
    /// The exchange failed: an answer, when none has begun and somebody is there to read it.
    /// </summary>
    private async ReactorTask<bool> AnswerErrorAsync(Exchange exchange, ProxyError error)
    {
        exchange.Counters.Add(error.Kind);
        if (LimitOf(error.Kind) is { } limit)
        {
            exchange.Counters.Add(limit);
        }

        if (error.Source != ProxyErrorSource.Upstream)
        {
            _shard.ErrorLog.Write(exchange, error);
        }

        if (exchange.HasReachedClient || error.Status == 0)
        {
            bool isCutShort = exchange.HasReachedClient
                && exchange.Status != HttpStatus.SwitchingProtocols;
            exchange.KeepsClient = false;

            // A backend that ends too early does not keep nginx from completing the request.
            exchange.IsCut = exchange.Route?.Pass is null
                || error.Source != ProxyErrorSource.Upstream;
            exchange.Status = exchange.Status == 0
                ? HttpStatus.ClientClosedRequest
                : exchange.Status;

            // nginx leaves it to the client to count.
            isCutShort &= exchange.Route?.Pass is null;
            _closing = isCutShort ? Closing.Reset : _closing;
            return false;
        }

        exchange.Status = error.Status;
        ConnectionOption option = DecideConnection(
            exchange, isDelimited: error.Source != ProxyErrorSource.Client, isPage: true);
        string reason = exchange.Backend?.Current.Config.UnavailableReason is { } why
            && error.Kind == ProxyErrorKind.Unavailable ? why : error.Describe();
        return await AnswerAsync(exchange, reason, option);
    }

    /// <summary>
    /// The request was refused before it was forwarded: by its parser, or with the status that the
    /// exchange has. Without either nobody waits for an answer.
    /// </summary>
    private async ReactorTask<bool> RefuseAsync(Exchange exchange)
    {
        if (exchange.Status == 0)
        {
            exchange.Status = exchange.Request.ErrorStatus;
        }

        if (exchange.Status == 0)
        {
            return false;
        }

        NoteServer(exchange);
        bool isValid = exchange.Status is 404 or 405 && !IsServedNowhere(exchange);
        ConnectionOption option = DecideConnection(
            exchange, isDelimited: isValid, isPage: true);
        if (!isValid)
        {
            _closing = Closing.Lingering;
        }

        string reason = exchange.Status switch
        {
            405 => "nothing is served here for this method",
            404 => "nothing is served under this address",
            408 => "the request did not arrive in time",
            _ when exchange.RequestBody.IsInvalid => "the request's body is not valid",
            _ when exchange.Request.ErrorStatus == 0 => "the request's path is not valid",
            _ => exchange.Request.ErrorReason,
        };
        NoteRefused(exchange, reason);
        bool isAnswered = await AnswerAsync(exchange, reason, option);
        if (exchange.Jump != Jump.None)
        {
            await TakeRoundsAsync(exchange, exchange.Server!);
            exchange.KeepsClient = false;
        }

        return isAnswered;
    }

    /// <summary>
    /// A request that was refused early is the business of the server that it names, as far as it
    /// was read: its log, its pages of errors.
    /// </summary>
    private void NoteServer(Exchange exchange)
    {
        if (Listener.Routes.Servers is { } servers && exchange.Server is null)
        {
            exchange.EnterRefused(servers);
        }
    }

    /// <summary>A client that is slow met a limit; one that makes no sense did not.</summary>
    private void NoteRefused(Exchange exchange, string reason)
    {
        bool isSlow = exchange.Status == 408;
        if (isSlow)
        {
            exchange.Counters.Add(LimitKind.HeadTimeout);
        }
        else if (exchange.Request.ErrorStatus is 414 or 431)
        {
            exchange.Counters.Add(LimitKind.HeadTooLarge);
        }

        _shard.ErrorLog.WriteRefusal(
            exchange, isSlow ? ErrorLevel.Warning : ErrorLevel.Notice, reason);
    }

    /// <summary>Null for what is no limit's doing.</summary>
    private static LimitKind? LimitOf(ProxyErrorKind kind) => kind switch
    {
        ProxyErrorKind.BodyTooLarge => LimitKind.BodyTooLarge,
        ProxyErrorKind.ClientTimeout => LimitKind.BodyTimeout,
        ProxyErrorKind.ClientStalled => LimitKind.SendTimeout,
        _ => null,
    };

    /// <summary>
    /// The exchange's status and a line of words; false when the client is gone. Where the location
    /// has a page for the status, the exchange goes there instead.
    /// </summary>
    public async ReactorTask<bool> AnswerAsync(
        Exchange exchange, string reason, ConnectionOption option)
    {
        if (exchange.TryIntercept(exchange.Status))
        {
            return true;
        }

        if (exchange.IsAsking)
        {
            exchange.NoteAsked(exchange.Status);
            return true;
        }

        if (exchange.Style is { } style)
        {
            if (!IsSilent(exchange.Status))
            {
                return await AnswerInStyleAsync(exchange, style, option);
            }

            exchange.KeepsClient = false;
            _closing = exchange.Status == 408 && exchange.ClientRules is { ResetsSlow: true }
                ? Closing.Reset
                : Closing.Orderly;
            return false;
        }

        exchange.AddRouteFields();
        byte[] buffer = Reactor.Buffers.Rent(ErrorReplyBytes + exchange.AddedFields.Length);
        int length = ErrorReply.Write(
            buffer,
            exchange.Status,
            reason,
            exchange.AddedFields,
            option,
            hasBody: exchange.Request.Method != HttpMethod.Head,
            _shard.Clock,
            out int bodyBytes);
        exchange.HasReachedClient = true;
        exchange.NoteSentHead(buffer.AsSpan(0, length));
        exchange.BodyBytesSent = bodyBytes;
        SyscallResult sent = await Transport.SendAsync(buffer, 0, length, exchange.SendTimeoutMs);
        Reactor.Buffers.Return(buffer);
        return NoteAnswered(exchange, sent);
    }

    /// <summary>An answer of the proxy itself was sent; false when it was not.</summary>
    private bool NoteAnswered(Exchange exchange, SyscallResult sent)
    {
        if (sent.Errno == Errno.TimedOut)
        {
            exchange.Counters.Add(LimitKind.SendTimeout);
            _shard.ErrorLog.Write(
                exchange, ProxyError.Of(ProxyErrorKind.ClientStalled, ProxyErrorSource.Client));
        }

        exchange.KeepsClient &= sent.IsSuccess;
        exchange.IsCut = !sent.IsSuccess;
        return sent.IsSuccess;
    }

    /// <summary>Ends this side's stream and reads on until the client has ended its own.</summary>
    private async ReactorTask<bool> LingerAsync()
    {
        Transport.ShutdownSend();
        if (_rules is { Lingers: false })
        {
            return true;
        }

        long deadlineMs = Reactor.NowMs + (_rules?.LingerMs ?? LingerMs);
        int idleMs = _rules?.LingerIdleMs ?? LingerMs;
        for (long left = MaxLingerBytes; left > 0 && Reactor.NowMs < deadlineMs;)
        {
            SyscallResult received = await Transport.ReceiveRentedAsync(
                Reactor.Buffers.HeadBytes, 0,
                (int)Math.Min(idleMs, deadlineMs - Reactor.NowMs));
            if (!received.IsSuccess || received.Value == 0)
            {
                break;
            }

            Reactor.Buffers.Return(Transport.TakeReceived());
            left -= received.Value;
            await Reactor.Yield(Transport.Handle.Read);
        }

        return true;
    }
}
