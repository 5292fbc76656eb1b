using Tessera.Linux.Net;
using Tessera.Proxy.Http;
using Tessera.Proxy.Routing;

namespace Tessera.Proxy.Forwarding;

/// <summary>
/// What a failure means: for the request, whether another endpoint is tried; for the endpoint, what
/// is held against it.
/// </summary>
internal sealed partial class Forwarder
{
    /// <summary>
    /// Of the endpoint, unless it is this machine that ran out of something: then no endpoint is to
    /// blame, and another may be reached on a connection that is open already.
    /// </summary>
    private ProxyError UpstreamFailed(Exchange exchange, ProxyErrorKind kind, int errno = 0) => new(
        kind,
        Errno.IsShortage(errno) ? ProxyErrorSource.Proxy : ProxyErrorSource.Upstream,
        exchange.Retries.Allows(exchange, kind, _reactor.NowMs),
        errno);

    /// <summary>The answer is for the exchange alone; one with a body is not read on.</summary>
    private ProxyError TakeAskedReply(Exchange exchange)
    {
        ResponseHead head = exchange.Response;
        NoteWell(exchange);
        exchange.NoteAsked(head.StatusCode);
        exchange.ReplyBody = new BodyReader(
            head.BodyFor(exchange.Request.Method), head.ContentLength);
        return exchange.ReplyBody.IsComplete
            ? ProxyError.None
            : ProxyError.Of(ProxyErrorKind.Asked, ProxyErrorSource.Proxy);
    }

    /// <summary>
    /// Looks at the status of the response. False when another endpoint is tried instead of passing
    /// it on: one that is picked already, so the last response there is always reaches the client.
    /// </summary>
    private bool IsWelcome(Exchange exchange, ref ProxyError error)
    {
        if (exchange.IsAsking)
        {
            error = TakeAskedReply(exchange);
            return false;
        }

        int status = exchange.Response.StatusCode;
        if (status < 400)
        {
            NoteWell(exchange);
        }
        else if (!IsKept(exchange, status))
        {
            error = new ProxyError(
                ProxyErrorKind.UnwelcomeStatus, ProxyErrorSource.Upstream, IsRetryable: true);
            return false;
        }

        if (exchange.Route?.Pass is { } pass && exchange.IsToLeave(pass, out ProxyErrorKind kind))
        {
            error = ProxyError.Of(kind, ProxyErrorSource.Proxy);
            return false;
        }

        // Nothing is sent again after this. What was not sent yet shows that the connection is of
        // no further use, and stays until the end for that; so does what variables may name.
        if (exchange.Stored is { Length: > 0 } stored && exchange.IsRequestSent
            && exchange.Server is null)
        {
            stored.Release();
        }

        return true;
    }

    private void NoteWell(Exchange exchange) => exchange.Endpoint!.Health.NoteSuccess(
        exchange.Tries[^1].StartMs, _reactor.NowMs, isForOutlier: true);

    /// <summary>
    /// The response of this status is passed on. As with nginx, a status counts for max_fails where
    /// it is a condition of retries, except 403 and 404; 5xx always speaks for an outlier.
    /// </summary>
    private bool IsKept(Exchange exchange, int status)
    {
        long nowMs = _reactor.NowMs;
        bool isFailure = status is not (403 or 404) && exchange.Retries.IsAsked(status);
        if (isFailure)
        {
            exchange.Endpoint!.CountFailure();
        }

        if (isFailure || status >= 500)
        {
            exchange.Endpoint!.Health.NoteFailure(
                nowMs, isFailure, isForOutlier: status >= 500, "its answers are errors");
        }

        if (!isFailure)
        {
            exchange.Endpoint!.Health.NoteSuccess(
                exchange.Tries[^1].StartMs, nowMs, isForOutlier: status < 500);
        }

        return !exchange.Retries.AllowsStatus(exchange, status, nowMs)
            || !exchange.HasUntried
            || !exchange.TryReserve(nowMs)
            || !IsReserveWithinBudget(exchange);
    }

    /// <summary>
    /// A try failed at its endpoint. What breaks once the response has begun may be a stream at its
    /// end: it is counted and told, but not held against the endpoint, as with nginx. Neither is a
    /// stale connection whose request cannot be sent again.
    /// </summary>
    private ProxyError NoteFailure(Exchange exchange, ProxyError error)
    {
        _shard.ErrorLog.Write(exchange, error);
        if (error.Kind == ProxyErrorKind.UnwelcomeStatus)
        {
            return error;
        }

        exchange.Endpoint!.CountFailure();
        if (!exchange.HasReachedClient && !RetryPolicy.IsStale(exchange, error.Kind))
        {
            exchange.Endpoint.Health.NoteFailure(
                _reactor.NowMs, isForMaxFails: true, isForOutlier: true, error.Describe());
        }

        // Without anyone left there is no retry, unless it is held until there is.
        BackendSet set = exchange.Backend.Current;
        bool isFree = !error.IsRetryable
            || error.Kind == ProxyErrorKind.ConnectFailed
            || !(set.Config.IsManaged || Balancer.IsAnyLeft(set, exchange.Tried));
        return isFree || IsWithinBudget(exchange) ? error : error with { IsRetryable = false };
    }

    /// <summary>The budget pays for tries that take place: one is reserved by now.</summary>
    private bool IsReserveWithinBudget(Exchange exchange)
    {
        if (IsWithinBudget(exchange))
        {
            return true;
        }

        exchange.GiveReserveBack();
        return false;
    }

    private bool IsWithinBudget(Exchange exchange) => exchange.Backend.RetryBudget.TryTake(
        _reactor.NowMs, exchange.Retries.Config.BudgetPercent);
}
