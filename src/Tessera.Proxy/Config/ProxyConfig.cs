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

    /// <summary>
    /// Addresses that datagrams come to; the first route of each has a
    /// <see cref="RouteConfig.Stream"/>. An address may be among <see cref="Listeners"/> as well.
    /// </summary>
    public ImmutableArray<ListenerConfig> DatagramListeners { get; init; } = [];

    public ImmutableArray<BackendConfig> Backends { get; init; } = [];

    /// <summary>
    /// Where errors are told in nginx's form, unless a route has logs of its own. Empty tells them
    /// in this program's form to <see cref="ProxyOptions.ErrorLog"/>.
    /// </summary>
    public ImmutableArray<ErrorLogConfig> ErrorLogs { get; init; } = [];

    /// <summary>Variables beyond the built-in ones; each name once.</summary>
    public ImmutableArray<VariableConfig> Variables { get; init; } = [];
}

/// <summary>
/// What names mean to some of the listeners and backends, where several configurations that know
/// nothing of each other are served side by side.
/// </summary>
/// <param name="Name">Unique. Those of its backends begin with it and a slash.</param>
/// <param name="Variables">In place of <see cref="ProxyConfig.Variables"/>.</param>
public sealed record ScopeConfig(string Name, ImmutableArray<VariableConfig> Variables)
{
    /// <summary>The name of a backend that the scope's own routes call so.</summary>
    public string Qualify(string backend) => $"{Name}/{backend}";
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

    /// <summary>How its sockets are made.</summary>
    public ListenConfig Sockets { get; init; } = ListenConfig.Default;

    /// <summary>
    /// A proxy before this one says who each client is, by the PROXY protocol 1 or 2, before the
    /// first request; who does not is cut off. For HTTP listeners.
    /// </summary>
    public bool ExpectsProxyProtocol { get; init; }

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

    /// <summary>What names of its routes mean; null is the whole configuration's.</summary>
    public ScopeConfig? Scope { get; init; }

    /// <summary>Where and how each request is logged; null writes nothing.</summary>
    public AccessLogConfig? AccessLog
    {
        get => AccessLogs.IsDefaultOrEmpty ? null : AccessLogs[0];
        init => AccessLogs = value is null ? [] : [value];
    }

    /// <summary>The same, where a request gets several lines.</summary>
    public ImmutableArray<AccessLogConfig> AccessLogs { get; init; } = [];
}
