using Tessera.Linux.Processes;

namespace Tessera.Proxy;

/// <summary>
/// What is fixed for the life of a <see cref="ProxyServer"/>. Times in milliseconds, sizes in
/// bytes.
/// </summary>
public sealed record ProxyOptions
{
    /// <summary>
    /// Threads that serve connections, 1 to 256; each has listening sockets of its own.
    /// </summary>
    public int Reactors { get; init; } = Environment.ProcessorCount;

    /// <summary>
    /// How reactors wait and transfer. io_uring that the kernel does not allow becomes epoll, with
    /// a line in the error log.
    /// </summary>
    public PollerKind Poller { get; init; } = PollerKind.Auto;

    /// <summary>
    /// A reactor whose waits are short asks again for up to 50 µs before it sleeps, which answers
    /// sooner and takes more of the processor. To be taken back where processor time is counted, as
    /// under a quota; never done with more reactors than processors.
    /// </summary>
    public bool BusyPolling { get; init; } = true;

    /// <summary>
    /// As whom the reactors open files and connect to unix sockets; null as the process.
    /// </summary>
    public FileRights? Rights { get; init; }

    /// <summary>
    /// Client connections in all; one more gets 503 when it speaks HTTP, and is closed. Fewer under
    /// a low limit of open files (RLIMIT_NOFILE): clients get three quarters of what it leaves
    /// beyond 512.
    /// </summary>
    public int MaxConnections { get; init; } = 65_536;

    /// <summary>Request line and headers together; more gets 431.</summary>
    public int MaxHeadBytes { get; init; } = 32 * 1_024;

    /// <summary>Header fields of one request; more gets 431.</summary>
    public int MaxHeaderCount { get; init; } = 100;

    /// <summary>From the first byte of a request head to its last; then 408.</summary>
    public int HeadTimeoutMs { get; init; } = 60_000;

    /// <summary>A keep-alive connection without a request; nginx's keepalive_timeout.</summary>
    public int IdleTimeoutMs { get; init; } = 75_000;

    /// <summary>Between two reads of a request body; nginx's client_body_timeout.</summary>
    public int BodyTimeoutMs { get; init; } = 60_000;

    /// <summary>Without a byte that reaches the client; nginx's send_timeout.</summary>
    public int SendTimeoutMs { get; init; } = 60_000;

    /// <summary>
    /// Bytes a second at which a request body must come, on average over
    /// <see cref="BodyTimeoutMs"/> of waiting for it; 0 sets no rate. A slower one gets 408.
    /// </summary>
    public int MinBodyBytesPerSecond { get; init; } = 240;

    /// <summary>
    /// Bytes a second at which a client must take its response, on average over
    /// <see cref="SendTimeoutMs"/> of waiting for it; 0 sets no rate. A slower one is cut off. Has
    /// no effect above <see cref="RelayBufferBytes"/> in that time, and none on tunnels.
    /// </summary>
    public int MinSendBytesPerSecond { get; init; } = 240;

    /// <summary>Idle upstream connections kept per endpoint and reactor.</summary>
    public int MaxIdleUpstreamConnections { get; init; } = 256;

    /// <summary>How long an idle upstream connection is kept.</summary>
    public int UpstreamIdleTimeoutMs { get; init; } = 60_000;

    /// <summary>Buffer that relays bodies.</summary>
    public int RelayBufferBytes { get; init; } = 256 * 1_024;

    /// <summary>
    /// Request bodies that are kept to be buffered or sent again, over all reactors, each of which
    /// has an equal share. Beyond it bodies are streamed, and not sent again.
    /// </summary>
    public long MaxKeptBodyBytes { get; init; } = 128L * 1_024 * 1_024;

    /// <summary>
    /// An access log is rotated at this size. 0 never rotates one, and keeps it open until
    /// <see cref="ProxyServer.ReopenLogsAsync"/>, as nginx does.
    /// </summary>
    public long AccessLogMaxBytes { get; init; } = 64L * 1_024 * 1_024;

    /// <summary>Rotated access logs that are kept.</summary>
    public int AccessLogBackups { get; init; } = 3;

    /// <summary>
    /// Gets one line for each failure at an endpoint, at most 20 a second, from the reactors'
    /// threads: it must be quick and must not throw. Null writes none.
    /// </summary>
    public Action<string>? ErrorLog { get; init; }

    /// <summary>The least that is worth a line.</summary>
    public ErrorLevel ErrorLevel { get; init; } = ErrorLevel.Warning;

    /// <summary>
    /// Gets the trace of each sampled request, and turns tracing on: the endpoints then get a
    /// traceparent of ours in place of the client's (W3C Trace Context). Null passes on what
    /// clients send, and costs nothing.
    /// </summary>
    public TraceQueue? Traces { get; init; }
}

/// <summary>How much a line of the error log weighs: from the least to the most.</summary>
public enum ErrorLevel
{
    /// <summary>What only who looks for a fault wants to read.</summary>
    Debug,

    /// <summary>In nginx's form: what a client did.</summary>
    Information,

    /// <summary>
    /// A client's doing: it went away, was too slow, or sent what makes no sense.
    /// </summary>
    Notice,

    /// <summary>Something failed and may still end well.</summary>
    Warning,

    /// <summary>A request failed, or something is out of order.</summary>
    Error,

    /// <summary>Something that must not fail has failed.</summary>
    Critical,

    /// <summary>A person should look at once.</summary>
    Alert,

    /// <summary>It cannot go on.</summary>
    Emergency,
}

/// <summary>What a reactor waits with.</summary>
public enum PollerKind
{
    /// <summary>The one that was measured to be better: epoll.</summary>
    Auto,

    /// <summary>epoll(7), everywhere.</summary>
    Epoll,

    /// <summary>io_uring(7), from Linux 6.1 on, where it is not forbidden.</summary>
    IoUring,
}
