using System.Collections.Immutable;
using System.Net;

namespace Tessera.Proxy;

/// <summary>
/// The whole desired state of the data plane: what it listens on, where requests go, and within
/// which limits. Immutable; <see cref="ProxyServer.Apply"/> swaps one for the next and touches only
/// what differs, so connections of unchanged listeners and backends live on.
/// </summary>
public sealed record ProxyConfig
{
    public static ProxyConfig Empty { get; } = new();

    public ImmutableArray<ListenerConfig> Listeners { get; init; } = [];

    public ImmutableArray<BackendConfig> Backends { get; init; } = [];

    /// <summary>Variables beyond the built-in ones; each name once.</summary>
    public ImmutableArray<VariableConfig> Variables { get; init; } = [];
}

/// <summary>How a listener treats the bytes that a client sends first.</summary>
public enum ListenerProtocol
{
    /// <summary>HTTP when the first bytes say so, else passed through as plain TCP.</summary>
    Auto,

    /// <summary>HTTP only: what is not HTTP gets 400.</summary>
    Http,

    /// <summary>Bytes are passed through as they are.</summary>
    Tcp,
}

/// <summary>
/// One public address and its routes. Its identity between two configurations is
/// <see cref="Address"/>: a listener whose address stays keeps its sockets.
/// </summary>
public sealed record ListenerConfig
{
    public required IPEndPoint Address { get; init; }

    public ListenerProtocol Protocol { get; init; } = ListenerProtocol.Auto;

    /// <summary>
    /// The order matters only among regular expressions and among routes that differ in conditions
    /// alone; a TCP listener uses the first route.
    /// </summary>
    public ImmutableArray<RouteConfig> Routes { get; init; } = [];

    /// <summary>
    /// With these the host decides first, and then the server's locations; <see cref="Routes"/> are
    /// not looked at.
    /// </summary>
    public ImmutableArray<ServerConfig> Servers { get; init; } = [];

    /// <summary>Where and how each request is logged; null writes nothing.</summary>
    public AccessLogConfig? AccessLog { get; init; }
}

/// <summary>
/// A file that gets one line for each request. Listeners with the same path share the file and the
/// format of the first.
/// </summary>
public sealed record AccessLogConfig
{
    /// <summary>nginx's combined format, with endpoints and times behind it.</summary>
    public const string CombinedFormat = "combined";

    /// <summary>One JSON object a line.</summary>
    public const string JsonFormat = "json";

    public required string Path { get; init; }

    /// <summary>
    /// <c>combined</c>, <c>json</c>, or a text with variables as nginx's log_format has them.
    /// </summary>
    public string Format { get; init; } = CombinedFormat;

    /// <summary>How the values of a text with variables are made safe.</summary>
    public LogEscaping Escaping { get; init; } = LogEscaping.Text;

    /// <summary>
    /// A text with variables: a request for which it is empty or "0" gets no line. Null writes
    /// all; nginx's access_log … if=.
    /// </summary>
    public string? Condition { get; init; }
}

/// <summary>What is done to values in a log; nginx's log_format … escape=.</summary>
public enum LogEscaping
{
    /// <summary>
    /// nginx's default: quotes, backslashes, controls and what is not ASCII become \xHH, and
    /// nothing becomes "-".
    /// </summary>
    Text,

    /// <summary>For text between the quotes of a JSON string.</summary>
    Json,

    /// <summary>Nothing: lines are only as trustworthy as their values.</summary>
    None,
}
