using Tessera.Linux;
using Tessera.Linux.Net;
using Tessera.Proxy.Access;
using Tessera.Proxy.Flow;
using Tessera.Proxy.Http;
using Tessera.Proxy.Listening;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Routing;
using HttpMethod = Tessera.Proxy.Http.HttpMethod;

namespace Tessera.Proxy.Forwarding;

/// <summary>Who may use a route, and how much of it; and clients there is no room for.</summary>
internal sealed partial class ClientConnection
{
    /// <summary>How long a client that is turned away may take to say what it speaks.</summary>
    private const int TurnAwayMs = 1_000;

    /// <summary>Of a realm and its scheme; more is cut.</summary>
    private const int MaxChallengeBytes = 1_024;

    /// <summary>
    /// The whole life of a connection beyond the limit: 503 if it speaks HTTP, within limits of
    /// time and bytes, and no look at what it asks for.
    /// </summary>
    public async ReactorTask<bool> TurnAwayAsync()
    {
        try
        {
            SyscallResult received = IsPassedThrough
                ? SyscallResult.Failure(Errno.Canceled)
                : await ReceiveFirstAsync(TurnAwayMs);
            bool isHttp = received is { IsSuccess: true, Value: > 0 }
                && (IsKnownHttp || ProtocolSniffer.Sniff(Received) == SniffedProtocol.Http);
            if (isHttp)
            {
                byte[] buffer = Reactor.Buffers.Rent(ErrorReplyBytes);
                int length = ErrorReply.Write(
                    buffer, 503, "there are too many connections", default,
                    ConnectionOption.Close, hasBody: true, _shard.Clock, out _);
                SyscallResult sent = await Transport.SendAsync(buffer, 0, length, TurnAwayMs);
                Reactor.Buffers.Return(buffer);
                if (sent.IsSuccess)
                {
                    await LingerAsync();
                }
            }
        }
        catch (Exception exception)
        {
            _closing = Closing.Reset;
            Reactor.ReportFault(exception);
        }

        Close();
        return true;
    }

    /// <summary>
    /// Holds the request against the route's limits and rules, in nginx's order. When it may not
    /// go on, the answer has been given, or nobody waits for one.
    /// </summary>
    private async ReactorTask<bool> TryAdmitAsync(Exchange exchange, Route route)
    {
        // (1) A body that is too large is not even begun.
        if (exchange.Server is null && exchange.IsBodyTooLarge)
        {
            return await RefuseTooLargeAsync(exchange);
        }

        // (2) How often, and how many at once?
        if (route.Flow is { } flow)
        {
            if (!await TryPassLimitsAsync(exchange, flow))
            {
                return false;
            }

            exchange.Pacer = flow.PacerOf(exchange);
        }

        // (3) Who asks?
        GateVerdict verdict = route.Gate?.Check(exchange) ?? GateVerdict.Pass;
        if (verdict == GateVerdict.Undecided)
        {
            verdict = await CheckPasswordAsync(exchange, route.Gate!);
        }

        // (4) Who says so?
        return route.AuthRequest is { } question
            ? await TryAskAsync(exchange, route, question, verdict)
            : verdict == GateVerdict.Pass || await DenyAsync(exchange, route.Gate!, verdict);
    }

    /// <summary>
    /// As with nginx, limits of a kind are asked until some have answered: wherever the request
    /// goes on to, it is not charged again. False when an answer has been given, or nobody waits
    /// for one.
    /// </summary>
    private async ReactorTask<bool> TryPassLimitsAsync(Exchange exchange, RouteFlow flow)
    {
        // (1) The rate; what is beyond it but within the burst waits for its turn.
        if (exchange.RateOutcome == LimitOutcome.None)
        {
            RateVerdict rate = flow.Charge(exchange, Reactor.NowMs);
            exchange.RateOutcome = OutcomeOf(rate);
            if (rate.Rule is { } rule)
            {
                NoteRate(exchange, rule, rate);
                if (rate.IsRefused && !rule.IsDryRun)
                {
                    AddRetryAfter(exchange, rate.WaitMs);
                    return await RefuseAsync(exchange, rule.Status, rule.Reason);
                }

                if (!rule.IsDryRun && !await WaitForTurnAsync(exchange, rate.WaitMs))
                {
                    return Leave(exchange);
                }
            }
        }

        // (2) Requests at once.
        if (exchange.CrowdOutcome != LimitOutcome.None)
        {
            return true;
        }

        ConnectionRule? crowded = flow.TryEnter(exchange, out bool isAsked);
        exchange.CrowdOutcome = OutcomeOf(crowded, isAsked);
        if (crowded is null)
        {
            return true;
        }

        exchange.Counters.Add(LimitKind.ConnectionsRefused);
        TellCrowded(exchange, crowded);
        _shard.ErrorLog.WriteLimit(
            crowded.LogLevel, exchange, $"{crowded.Status}, {crowded.Reason}");
        return crowded.IsDryRun
            || await RefuseAsync(exchange, crowded.Status, crowded.Reason);
    }

    private static LimitOutcome OutcomeOf(ConnectionRule? crowded, bool isAsked) =>
        crowded is { } rule
            ? rule.IsDryRun ? LimitOutcome.RejectedDryRun : LimitOutcome.Rejected
            : isAsked ? LimitOutcome.Passed : LimitOutcome.None;

    private static LimitOutcome OutcomeOf(in RateVerdict rate) => rate.Rule switch
    {
        null => rate.IsAsked ? LimitOutcome.Passed : LimitOutcome.None,
        { IsDryRun: true } => rate.IsRefused
            ? LimitOutcome.RejectedDryRun
            : LimitOutcome.DelayedDryRun,
        _ => rate.IsRefused ? LimitOutcome.Rejected : LimitOutcome.Delayed,
    };

    /// <summary>False, always: the request goes no further.</summary>
    private ReactorTask<bool> RefuseTooLargeAsync(Exchange exchange)
    {
        exchange.Counters.Add(LimitKind.BodyTooLarge);
        TellBodyTooLarge(exchange);
        _shard.ErrorLog.WriteLimit(ErrorLevel.Error, exchange,
            $"413, the request's body is too large, {exchange.AnnouncedBodyBytes} bytes");
        return RefuseAsync(exchange, 413, "the request's body is too large");
    }

    /// <summary>False, always: the request goes no further.</summary>
    private async ReactorTask<bool> DenyAsync(
        Exchange exchange, AccessGate gate, GateVerdict verdict)
    {
        switch (verdict)
        {
            case GateVerdict.Unauthorized:
                NoteUnauthorized(exchange, gate);
                int delayMs = exchange.Route?.Config.Access?.DelayMs ?? 0;
                if (delayMs > 0 && !await WaitForTurnAsync(exchange, delayMs))
                {
                    return Leave(exchange);
                }

                AddChallenge(exchange, gate);
                return await RefuseAsync(exchange, 401, "a name and a password are needed");
            case GateVerdict.Broken:
                return await RefuseAsync(exchange, 500, "the list of users cannot be read");
            case GateVerdict.Undecided:
                exchange.Counters.Add(LimitKind.PasswordUnchecked);
                _shard.ErrorLog.WriteLimit(
                    ErrorLevel.Error, exchange, $"503, too many passwords are being checked");
                return await RefuseAsync(exchange, 503, "too many passwords are being checked");
            default:
                exchange.Counters.Add(LimitKind.AddressDenied);
                TellForbidden(exchange);
                _shard.ErrorLog.WriteLimit(
                    ErrorLevel.Error, exchange, $"403, access is not allowed");
                return await RefuseAsync(exchange, 403, "access is not allowed");
        }
    }

    private static void AddChallenge(Exchange exchange, AccessGate gate)
    {
        var challenge = new ByteWriter(stackalloc byte[MaxChallengeBytes]);
        gate.WriteChallenge(ref challenge, exchange);
        exchange.TryAddField("WWW-Authenticate"u8, challenge.Written);
    }

    private void NoteRate(Exchange exchange, RateRule rule, in RateVerdict rate)
    {
        TellRate(exchange, rule, rate);
        double excess = rate.Excess / (double)RateZone.Request;
        if (rate.IsRefused)
        {
            exchange.Counters.Add(LimitKind.RateRefused);
            _shard.ErrorLog.WriteLimit(rule.LogLevel, exchange,
                $"{rule.Status}, {rule.Reason}, excess {excess:F3}");
            return;
        }

        // As with nginx a delay weighs a level less than a refusal.
        exchange.Counters.Add(LimitKind.RateDelayed);
        ErrorLevel level = rule.LogLevel == ErrorLevel.Error
            ? ErrorLevel.Warning
            : ErrorLevel.Notice;
        _shard.ErrorLog.WriteLimit(level, exchange,
            $"delayed for {rate.WaitMs} ms ({rule.Limit}), excess {excess:F3}");
    }

    /// <summary>What comes without credentials is a browser's first request, mostly.</summary>
    private void NoteUnauthorized(Exchange exchange, AccessGate gate)
    {
        bool isMissing = !gate.HasCredentials(exchange);
        exchange.Counters.Add(
            isMissing ? LimitKind.PasswordMissing : LimitKind.PasswordWrong);
        TellNginx(exchange, isMissing ? ErrorLevel.Information : ErrorLevel.Error,
            (gate, exchange, isMissing), static (about, _) => about.isMissing
                ? "no user/password was provided for basic authentication"
                : about.gate.DescribeRefusal(about.exchange));
        _shard.ErrorLog.WriteLimit(isMissing ? ErrorLevel.Notice : ErrorLevel.Error, exchange,
            $"401, {gate.DescribeRefusal(exchange)}");
    }

    /// <summary>
    /// A client that hangs up now is not waited for; one that had ended its stream before still
    /// expects its answer. False when it went away.
    /// </summary>
    private ReactorTask<bool> WaitForTurnAsync(Exchange exchange, long waitMs) =>
        _shard.Forwarder.RestAsync(
            exchange,
            (int)Math.Min(waitMs, int.MaxValue),
            Transport.HasPeerClosed ? IoWatch.Broken : IoWatch.PeerClosed);

    /// <summary>
    /// A slow hash is computed on another thread; whatever happens to the client, the answer is
    /// waited for, because it comes to this exchange.
    /// </summary>
    private async ReactorTask<GateVerdict> CheckPasswordAsync(Exchange exchange, AccessGate gate)
    {
        var check = new PasswordCheck(Reactor, exchange.Wait);
        if (!gate.TryBeginCheck(exchange, check))
        {
            return GateVerdict.Undecided;
        }

        await Reactor.Start(exchange.Wait, IoKind.Wait, [], 0, 0, timeoutMs: 0);
        return check.IsRight ? GateVerdict.Pass : GateVerdict.Unauthorized;
    }

    /// <summary>False, always: the request goes no further.</summary>
    private async ReactorTask<bool> RefuseAsync(Exchange exchange, int status, string reason)
    {
        exchange.Status = status;
        await AnswerAsync(exchange, reason, DecideConnection(
            exchange, isDelimited: true, isPage: true));
        return false;
    }

    /// <summary>False, always: the client went away before there was an answer.</summary>
    private static bool Leave(Exchange exchange)
    {
        exchange.Status = HttpStatus.ClientClosedRequest;
        exchange.KeepsClient = false;
        return false;
    }

    /// <summary>In whole seconds (RFC 9110 section 10.2.3).</summary>
    private static void AddRetryAfter(Exchange exchange, long waitMs)
    {
        if (exchange.Style is not null)
        {
            return;
        }

        var seconds = new ByteWriter(stackalloc byte[20]);
        seconds.WriteNumber(Math.Max(1, (waitMs + 999) / 1_000));
        exchange.TryAddField("Retry-After"u8, seconds.Written);
    }
}
