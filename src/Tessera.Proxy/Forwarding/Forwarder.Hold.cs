using Tessera.Linux;
using Tessera.Linux.Net;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Routing;

namespace Tessera.Proxy.Forwarding;

/// <summary>Waiting for an endpoint to become ready.</summary>
internal sealed partial class Forwarder
{
    /// <summary>
    /// How long a request rests that every endpoint refused while all of them count as active: the
    /// news of their exit is on its way, or they are back by themselves. Each rest is twice as long
    /// as the one before, up to the limit; news ends any of them.
    /// </summary>
    private const int ExhaustedRestMs = 500;

    private const int MaxExhaustedRestMs = 4_000;

    /// <summary>Longer than a configuration takes to come into force.</summary>
    private const int MaxReplacementMs = 1_000;

    /// <summary>
    /// Called when no endpoint could be picked. Without an error the caller picks again; with one,
    /// the wait was not allowed, or in vain.
    /// </summary>
    private async ReactorTask<ProxyError> HoldAsync(Exchange exchange, ProxyError reason)
    {
        // (1) Is there anything to wait for?
        Backend backend = exchange.Backend;
        BackendSet set = backend.Current;
        bool isExhausted = reason.Kind == ProxyErrorKind.Exhausted;
        bool isFull = reason.Kind == ProxyErrorKind.AllFull;
        if (set.Config.UnavailableReason is not null)
        {
            return ProxyError.Of(ProxyErrorKind.Unavailable, ProxyErrorSource.Proxy);
        }

        if (set.Config.LeavesFailedOut && !(isFull && set.Limits.HoldQueueLength > 0))
        {
            return IsBeingReplaced(exchange)
                ? await WaitForNextSetAsync(exchange)
                : NoneIsLeft(exchange, set);
        }

        if (isExhausted && !(set.Config.IsManaged && IsNewsDue(exchange)))
        {
            return Final(exchange, reason);
        }

        if (exchange.Client.Transport.Handle.IsBroken)
        {
            return ProxyError.Of(ProxyErrorKind.ClientGone, ProxyErrorSource.Client);
        }

        // (2) Take a place in the queue.
        long nowMs = _reactor.NowMs;
        ProxyError refusal = EnterHold(exchange, set.Limits, nowMs, out long leftMs);
        if (refusal.IsError)
        {
            return refusal;
        }

        // (3) Wait for a new configuration, for room, or for an endpoint that passes its probe.
        // Whatever is applied after (1) is posted to this reactor and finds the request in the
        // queue; room that was made before is looked for, once others had their turn. A client
        // that hangs up now is not waited for; one that had ended before expects its answer.
        HoldQueue queue = backend.HoldQueueOf(_shard.Number);
        IoHandle client = exchange.Client.Transport.Handle;
        int timeoutMs = (int)Math.Min(leftMs, isExhausted ? NextRestMs(exchange) : int.MaxValue);
        SyscallResult result;
        bool wasReleased = false;
        try
        {
            queue.Add(
                _reactor,
                exchange.Wait,
                exchange.HoldDeadlineMs,
                isFull ? exchange.Tried : null);
            if (isFull && Balancer.HasRoom(backend.Current, exchange.Tried))
            {
                await _reactor.Yield(exchange.Wait);
                return ProxyError.None;
            }

            client.Watch(
                client.HasPeerClosed ? IoWatch.Broken : IoWatch.PeerClosed, exchange.Wait);
            result = await _reactor.Start(exchange.Wait, IoKind.Wait, [], 0, 0, timeoutMs);
        }
        finally
        {
            client.Unwatch();
            wasReleased = !queue.Remove(exchange.Wait);
            backend.LeaveHold();
            exchange.NoteHeld(_reactor.NowMs - nowMs);
        }

        return LookAgain(exchange, reason, result, wasReleased);
    }

    /// <summary>With every endpoint allowed, unless it was merely room that came.</summary>
    private ProxyError LookAgain(
        Exchange exchange, ProxyError reason, SyscallResult result, bool wasReleased)
    {
        if (reason.Kind != ProxyErrorKind.AllFull)
        {
            exchange.ForgetTried();
        }

        ProxyError error = AfterHold(exchange, reason, result);
        if (error.IsError && wasReleased)
        {
            // The room that it was told of is another's.
            exchange.Backend.ReleaseOne();
        }

        return error;
    }

    /// <summary>
    /// Endpoints of what was picked from have got their new states, and the next configuration is
    /// not in force yet, or just since then: a matter of microseconds, for which no request fails.
    /// </summary>
    private bool IsBeingReplaced(Exchange exchange)
    {
        BackendSet set = exchange.FoundNoneIn!;
        if (exchange.HoldDeadlineMs == 0)
        {
            exchange.HoldDeadlineMs = _reactor.NowMs + MaxReplacementMs;
        }

        return _reactor.NowMs < exchange.HoldDeadlineMs
            && (exchange.Backend.Current != set
                || Array.Exists(set.Active, e => e.State != EndpointState.Active));
    }

    private async ReactorTask<ProxyError> WaitForNextSetAsync(Exchange exchange)
    {
        await _reactor.Start(exchange.Wait, IoKind.Wait, [], 0, 0, timeoutMs: 1);
        return ProxyError.None;
    }

    /// <summary>
    /// Where nothing is waited for: all have been tried, and the last one's failure is the answer;
    /// or those that are left are out, which counts as a try of the backend (nginx's "no live
    /// upstreams").
    /// </summary>
    private ProxyError NoneIsLeft(Exchange exchange, BackendSet set)
    {
        if (exchange.LastError.IsError && exchange.Tried.Count >= set.Active.Length)
        {
            return exchange.LastError with { IsRetryable = false };
        }

        var error = ProxyError.Of(ProxyErrorKind.Exhausted, ProxyErrorSource.Proxy);
        exchange.NoteNoneLive(_reactor.NowMs, error);
        return error;
    }

    /// <summary>Without an error <see cref="Backend.LeaveHold"/> must follow.</summary>
    private static ProxyError EnterHold(
        Exchange exchange, BackendLimits limits, long nowMs, out long leftMs)
    {
        if (exchange.HoldDeadlineMs == 0)
        {
            exchange.HoldDeadlineMs = nowMs + limits.HoldTimeoutMs;
        }

        leftMs = exchange.HoldDeadlineMs - nowMs;
        if (leftMs <= 0)
        {
            return ProxyError.Of(ProxyErrorKind.HoldTimeout, ProxyErrorSource.Proxy);
        }

        return exchange.Backend.TryEnterHold(limits.HoldQueueLength)
            ? ProxyError.None
            : ProxyError.Of(ProxyErrorKind.HoldQueueFull, ProxyErrorSource.Proxy);
    }

    private ProxyError AfterHold(Exchange exchange, ProxyError reason, SyscallResult waited) =>
        waited.Errno == Errno.Canceled
            ? ProxyError.Of(ProxyErrorKind.ClientGone, ProxyErrorSource.Client)
            : exchange.Retries.IsOver(_reactor.NowMs) ? Final(exchange, reason)
            : ProxyError.None;

    /// <summary>
    /// What the last try met may pass: an endpoint that is gone is replaced. One that was silent or
    /// spoke no HTTP is there and would be no better, and the time for tries may be over.
    /// </summary>
    private bool IsNewsDue(Exchange exchange) =>
        exchange.TryCount == 0
        || (!exchange.Retries.IsOver(_reactor.NowMs)
            && exchange.LastError.Kind is ProxyErrorKind.ConnectFailed
                or ProxyErrorKind.ConnectTimeout or ProxyErrorKind.SendFailed
                or ProxyErrorKind.Closed);

    private static ProxyError Final(Exchange exchange, ProxyError reason) =>
        exchange.LastError.IsError ? exchange.LastError with { IsRetryable = false } : reason;

    private static int NextRestMs(Exchange exchange)
    {
        int doublings = Math.Min(exchange.Rests++, 8);
        return Math.Min(ExhaustedRestMs << doublings, MaxExhaustedRestMs);
    }
}
