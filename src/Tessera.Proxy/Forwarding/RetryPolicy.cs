using Tessera.Proxy.Http;

namespace Tessera.Proxy.Forwarding;

/// <summary>
/// Decides whether a failure of one request is worth another endpoint, by what the configuration
/// wants and by what the request has been through. Part of one exchange's state.
/// </summary>
internal struct RetryPolicy
{
    /// <summary>Tries of one request in all, those after a wait included.</summary>
    private const int MaxTries = 1_024;

    /// <summary>Whatever the configuration says, no more of a body is kept.</summary>
    private const int MaxReplayBytes = 16 * 1_024 * 1_024;

    private int _tries;
    private int _replays;
    private bool _hasMetStale;
    private long _startMs;

    /// <summary>The route's, or the backend's as of the last pick; null before the first.</summary>
    public RetryConfig Config { get; private set; }

    /// <summary>A try begins under this configuration.</summary>
    public void NoteTry(RetryConfig config, long nowMs)
    {
        Config = config;
        _startMs = _tries++ == 0 ? nowMs : _startMs;
    }

    /// <summary>A stale connection gives its try back: it was no try of the endpoint.</summary>
    public void NoteStale() => _tries--;

    /// <summary>Some of the request was sent and is to be sent again.</summary>
    public void NoteReplay(bool isStale)
    {
        _replays++;
        _hasMetStale |= isStale;
    }

    /// <summary>
    /// An idle connection that the endpoint had closed before it got the request says nothing
    /// against it: the same one is tried once more, on a new connection.
    /// </summary>
    public static bool IsStale(Exchange exchange, ProxyErrorKind kind) =>
        exchange.IsReused && kind is ProxyErrorKind.Closed or ProxyErrorKind.SendFailed;

    /// <summary>
    /// Failed before the response began. Nothing sent: any request may be tried again. Sent: only
    /// one that means the same twice and is still here as a whole (RFC 9110 section 9.2.2), and
    /// only once more: a connection that was idle may have been closed before it got the request,
    /// so the first of those does not count.
    /// </summary>
    public readonly bool Allows(Exchange exchange, ProxyErrorKind kind, long nowMs)
    {
        bool isStale = IsStale(exchange, kind);
        if (!IsOpen(exchange) || !(isStale || Wants(ConditionOf(kind), nowMs)))
        {
            return false;
        }

        int maxReplays = Config.MaxReplays + (exchange.IsReused || _hasMetStale ? 1 : 0);
        return !exchange.HasSent || (MayRepeat(exchange) && _replays < maxReplays);
    }

    /// <summary>
    /// As <see cref="Allows"/>, for an answer with this status. The endpoint lives, so there is no
    /// limit but those of the configuration.
    /// </summary>
    public readonly bool AllowsStatus(Exchange exchange, int status, long nowMs) =>
        IsOpen(exchange) && Wants(ConditionOf(status), nowMs) && MayRepeat(exchange);

    /// <summary>The configuration calls the status a failure.</summary>
    public readonly bool IsAsked(int status) => (Config.On & ConditionOf(status)) != 0;

    /// <summary>
    /// How many bytes of the body behind the client's first ones are worth keeping.
    /// </summary>
    public readonly int ReplayLimit(Exchange exchange) =>
        MayRepeat(exchange) ? Math.Clamp(Config.ReplayBytes, 0, MaxReplayBytes) : 0;

    /// <summary>No further try may begin. The first always may.</summary>
    public readonly bool IsOver(long nowMs) => _tries > 0
        && (_tries >= MaxTries
            || (Config.Tries > 0 && _tries >= Config.Tries)
            || (Config.TimeoutMs > 0 && nowMs - _startMs >= Config.TimeoutMs));

    public static RetryConditions ConditionOf(int status) => status switch
    {
        403 => RetryConditions.Http403,
        404 => RetryConditions.Http404,
        429 => RetryConditions.Http429,
        500 => RetryConditions.Http500,
        502 => RetryConditions.Http502,
        503 => RetryConditions.Http503,
        504 => RetryConditions.Http504,
        _ => RetryConditions.None,
    };

    private static RetryConditions ConditionOf(ProxyErrorKind kind) => kind switch
    {
        ProxyErrorKind.ConnectFailed or ProxyErrorKind.SendFailed or ProxyErrorKind.Closed =>
            RetryConditions.Error,
        ProxyErrorKind.ConnectTimeout or ProxyErrorKind.SendTimeout or ProxyErrorKind.ReadTimeout =>
            RetryConditions.Timeout,
        ProxyErrorKind.InvalidResponse => RetryConditions.InvalidHeader,
        _ => RetryConditions.None,
    };

    /// <summary>Nothing has reached the client, and all of the request is still here.</summary>
    private static bool IsOpen(Exchange exchange) =>
        !exchange.HasReachedClient && !exchange.HasPassedInterim && !exchange.IsStreamed;

    private readonly bool Wants(RetryConditions condition, long nowMs) =>
        (Config.On & condition) != 0 && !IsOver(nowMs);

    private readonly bool MayRepeat(Exchange exchange) =>
        exchange.Request.Method.IsIdempotent()
        || (Config.On & RetryConditions.NonIdempotent) != 0;
}
