namespace Tessera.Proxy.Forwarding;

/// <summary>What went wrong with an exchange.</summary>
internal enum ProxyErrorKind : byte
{
    None,

    /// <summary>No connection to the endpoint.</summary>
    ConnectFailed,
    ConnectTimeout,

    /// <summary>The endpoint stopped taking the request.</summary>
    SendFailed,
    SendTimeout,

    /// <summary>The endpoint closed or reset before its response was complete.</summary>
    Closed,
    ReadTimeout,

    /// <summary>The response is no HTTP/1.x, or beyond a limit.</summary>
    InvalidResponse,

    /// <summary>The response's head has become longer than it may be.</summary>
    HeadTooLong,

    /// <summary>The response's status is one that another endpoint is tried for.</summary>
    UnwelcomeStatus,

    /// <summary>Every endpoint was tried.</summary>
    Exhausted,

    /// <summary>No endpoint is active.</summary>
    NoEndpoint,

    /// <summary>Every endpoint that is left has as many requests as it may have.</summary>
    AllFull,
    HoldQueueFull,
    HoldTimeout,
    Unavailable,

    /// <summary>The client went away.</summary>
    ClientGone,

    /// <summary>The client did not send its request in time.</summary>
    ClientTimeout,

    /// <summary>The client did not take what was sent to it in time.</summary>
    ClientStalled,

    /// <summary>The request's body breaks its framing.</summary>
    InvalidBody,

    /// <summary>A file became another one while it was sent.</summary>
    FileChanged,

    /// <summary>The request's body is larger than its route takes.</summary>
    BodyTooLarge,

    /// <summary>error_page answers in the place of the endpoint (proxy_intercept_errors).</summary>
    Intercepted,

    /// <summary>The endpoint leads to another location (X-Accel-Redirect).</summary>
    RedirectedWithin,

    /// <summary>What proxy_pass came to is no address.</summary>
    InvalidAddress,

    /// <summary>The name in proxy_pass has no address, or nobody can be asked for it.</summary>
    UnknownHost,

    /// <summary>The request's body could not be written to its file, or read from it.</summary>
    BodyNotKept,

    /// <summary>The answer was for the proxy, which has read what it wanted to know.</summary>
    Asked,
}

/// <summary>On which side it went wrong.</summary>
internal enum ProxyErrorSource : byte
{
    Proxy,
    Client,
    Upstream,
}

/// <summary>
/// The outcome of an exchange or of one try: kind × source × whether another try is allowed.
/// </summary>
/// <param name="IsRetryable">
/// Nothing of the request has had an effect that another try would repeat.
/// </param>
internal readonly record struct ProxyError(
    ProxyErrorKind Kind, ProxyErrorSource Source, bool IsRetryable, int Errno = 0)
{
    public static ProxyError None => default;

    public bool IsError => Kind != ProxyErrorKind.None;

    /// <summary>
    /// The status that the client gets when nothing has reached it yet; 0 when nobody is there.
    /// </summary>
    public int Status => Kind switch
    {
        ProxyErrorKind.ConnectTimeout or ProxyErrorKind.SendTimeout or ProxyErrorKind.ReadTimeout =>
            504,
        ProxyErrorKind.NoEndpoint or ProxyErrorKind.AllFull
            or ProxyErrorKind.HoldQueueFull or ProxyErrorKind.HoldTimeout
            or ProxyErrorKind.Unavailable => 503,
        ProxyErrorKind.ClientTimeout => 408,
        ProxyErrorKind.InvalidBody => 400,
        ProxyErrorKind.BodyTooLarge => 413,
        ProxyErrorKind.InvalidAddress or ProxyErrorKind.BodyNotKept => 500,
        ProxyErrorKind.ClientGone or ProxyErrorKind.ClientStalled => 0,
        _ => 502,
    };

    public static ProxyError Of(ProxyErrorKind kind, ProxyErrorSource source) =>
        new(kind, source, IsRetryable: false);

    /// <summary>One line of words, for the client and the error log.</summary>
    public string Describe() => Kind switch
    {
        ProxyErrorKind.ConnectFailed => "the server could not be reached",
        ProxyErrorKind.ConnectTimeout => "the server did not accept the connection in time",
        ProxyErrorKind.SendFailed => "the server closed the connection before it took the request",
        ProxyErrorKind.SendTimeout => "the server did not take the request in time",
        ProxyErrorKind.Closed =>
            "the server closed the connection before its response was complete",
        ProxyErrorKind.ReadTimeout => "the server did not answer in time",
        ProxyErrorKind.InvalidResponse => "the server's response is not valid HTTP",
        ProxyErrorKind.HeadTooLong => "the server's response has too long a head",
        ProxyErrorKind.UnwelcomeStatus =>
            "the server answered with a status for which another one is tried",
        ProxyErrorKind.Exhausted => "no server answered",
        ProxyErrorKind.NoEndpoint => "no server is ready",
        ProxyErrorKind.AllFull => "every server has as many requests as it may have",
        ProxyErrorKind.HoldQueueFull => "no server is ready, and too many requests wait for one",
        ProxyErrorKind.HoldTimeout => "no server became ready in time",
        ProxyErrorKind.Unavailable => "the service is not running",
        ProxyErrorKind.ClientGone => "the client closed the connection",
        ProxyErrorKind.ClientTimeout => "the client did not send its request in time",
        ProxyErrorKind.ClientStalled => "the client did not take its answer in time",
        ProxyErrorKind.InvalidBody => "the request's body is not valid",
        ProxyErrorKind.FileChanged => "the file changed while it was sent",
        ProxyErrorKind.BodyTooLarge => "the request's body is too large",
        ProxyErrorKind.BodyNotKept => "the request's body could not be kept",
        ProxyErrorKind.Intercepted => "the server's error is answered in its place",
        ProxyErrorKind.RedirectedWithin => "the server leads to another location",
        ProxyErrorKind.InvalidAddress => "the server's address is not valid",
        ProxyErrorKind.UnknownHost => "the server's name has no address",
        _ => "",
    };
}
