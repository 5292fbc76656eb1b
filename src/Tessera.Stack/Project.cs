using System.Collections.Immutable;
using Tessera.Stack.Routing;

namespace Tessera.Stack;

/// <summary>
/// A Compose project, fully resolved: nothing in it refers to a variable, another file or a profile
/// any more. Immutable.
/// </summary>
public sealed record Project
{
    /// <summary>The port of plain HTTP.</summary>
    public const string DefaultListen = "80";

    /// <summary>Normalised as Compose does: <c>[a-z0-9][a-z0-9_-]*</c>.</summary>
    public required string Name { get; init; }

    /// <summary>Absolute; relative paths of the file are resolved against it.</summary>
    public required string WorkingDirectory { get; init; }

    /// <summary>
    /// Absolute paths of the files that it was loaded from, in the order of their merge.
    /// </summary>
    public required ImmutableArray<string> Files { get; init; }

    /// <summary>
    /// Where routes are served that no published port serves: <c>port</c> or <c>address:port</c>.
    /// </summary>
    public ImmutableArray<string> Listen { get; init; } = [DefaultListen];

    /// <summary>
    /// Absolute paths of files in nginx's language that are served beside the services' routes;
    /// those of services are their own.
    /// </summary>
    public ImmutableArray<string> NginxFiles { get; init; } = [];

    /// <summary>The enabled services by name.</summary>
    public required ImmutableSortedDictionary<string, Service> Services { get; init; }

    /// <exception cref="UserErrorException">It has no service of one of the names.</exception>
    public void Require(IEnumerable<string> services)
    {
        if (services.FirstOrDefault(name => !Services.ContainsKey(name)) is { } missing)
        {
            throw new UserErrorException($"no such service: {missing}; project {Name} has "
                + $"{string.Join(", ", Services.Keys)}");
        }
    }
}

/// <summary>When an instance that ended is started again.</summary>
public enum RestartCondition
{
    No,

    /// <summary>
    /// Whatever ended it, and when the daemon starts; only a stop holds, until the next daemon.
    /// </summary>
    Always,
    OnFailure,

    /// <summary>
    /// As <see cref="Always"/>, but a stopped service stays stopped when the daemon starts.
    /// </summary>
    UnlessStopped,
}

/// <param name="MaxRetries">
/// Starts in a row that may fail before FATAL; null never gives up.
/// </param>
public sealed record RestartPolicy(RestartCondition Condition, int? MaxRetries = null);

/// <summary>What a dependency must have reached before its dependent is started.</summary>
public enum DependencyCondition
{
    ServiceStarted,
    ServiceHealthy,
    ServiceCompletedSuccessfully,
}

/// <param name="Restart">
/// Restart the dependent when the dependency is restarted by a command.
/// </param>
public sealed record Dependency(
    string Service, DependencyCondition Condition, bool Restart = false);

/// <summary>
/// One published port: <c>HostIp:Published</c> is a listener, <c>Target</c> the port inside.
/// </summary>
public sealed record PortMapping
{
    /// <summary>Port of the service itself, 1 to 65,535.</summary>
    public required int Target { get; init; }

    /// <summary>
    /// Public port; null when the file leaves it open and a free one is to be chosen.
    /// </summary>
    public int? Published { get; init; }

    /// <summary>Address to listen on; null means every address.</summary>
    public string? HostIp { get; init; }

    /// <summary><c>tcp</c> or <c>udp</c>.</summary>
    public string Protocol { get; init; } = "tcp";

    /// <summary>
    /// <c>http</c>, <c>tcp</c> for all that is passed on unread, or null: told from the first
    /// bytes.
    /// </summary>
    public string? AppProtocol { get; init; }
}

/// <summary>
/// How an instance's health is found out. Durations as in the Compose Specification.
/// </summary>
public sealed record Healthcheck
{
    /// <summary>
    /// Program and arguments; one element with <see cref="UsesShell"/> is a shell line.
    /// </summary>
    public required ImmutableArray<string> Test { get; init; }

    /// <summary>True for <c>CMD-SHELL</c> and for a plain string.</summary>
    public bool UsesShell { get; init; }

    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(30);

    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Failures in a row that make a healthy instance unhealthy.</summary>
    public int Retries { get; init; } = 3;

    /// <summary>Failures within it do not count.</summary>
    public TimeSpan StartPeriod { get; init; } = TimeSpan.Zero;

    /// <summary>Interval until the first success or the end of <see cref="StartPeriod"/>.</summary>
    public TimeSpan StartInterval { get; init; } = TimeSpan.FromSeconds(5);
}

/// <summary>
/// A limit as setrlimit(2) names it, in lower case without RLIMIT_: <c>nofile</c>.
/// </summary>
public sealed record ResourceLimit(string Name, long Soft, long Hard);

/// <summary>The <c>x-tessera</c> of a service: what Compose has no word for.</summary>
public sealed record ServiceOptions
{
    public static ServiceOptions Default { get; } = new();

    /// <summary>Servers that already run; a service has these or a command, never both.</summary>
    public ImmutableArray<ExternalEndpoint> Endpoints { get; init; } = [];

    /// <summary><c>round_robin</c>, <c>least_conn</c>, <c>ip_hash</c> …</summary>
    public string Balance { get; init; } = "round_robin";

    /// <summary>A text with variables, for the algorithms that hash; null for theirs.</summary>
    public string? HashKey { get; init; }

    /// <summary>
    /// Weight of each instance by slot (first is slot 1); the last holds for all beyond.
    /// </summary>
    public ImmutableArray<int> Weights { get; init; } = [];

    /// <summary>
    /// The port that the program always listens on, for programs that cannot be told another. Such
    /// a service has one instance at most, and is replaced stop-first.
    /// </summary>
    public int? FixedPort { get; init; }

    /// <summary>How long requests in flight may go on after an instance was unrouted.</summary>
    public TimeSpan DrainTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// How long a replacement may take to become ready before it is given up, and how long a plan
    /// waits for the readiness of a service without a healthcheck. A first start has no limit.
    /// </summary>
    public TimeSpan StartTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long a request waits while no instance is ready.</summary>
    public TimeSpan HoldTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Requests that may wait while no instance is ready.</summary>
    public int HoldQueueLength { get; init; } = 1_024;

    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    public TimeSpan ReadTimeout { get; init; } = TimeSpan.FromSeconds(60);

    public TimeSpan SendTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long a tunnel (WebSocket, TCP) may carry nothing.</summary>
    public TimeSpan TunnelTimeout { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Of each instance or external endpoint.</summary>
    public EndpointLimits EndpointLimits { get; init; } = EndpointLimits.Default;

    public StickyOptions? Sticky { get; init; }

    public ProbeOptions? Probe { get; init; }

    public OutlierOptions? Outlier { get; init; }

    /// <summary>For every route that has no such rule of its own.</summary>
    public RouteRules Rules { get; init; } = RouteRules.None;

    /// <summary>
    /// From the file and from labels. A service without any is reached by everything that comes to
    /// its ports.
    /// </summary>
    public ImmutableArray<RouteOptions> Routes { get; init; } = [];

    /// <summary>Null for combined lines in the project's log.</summary>
    public AccessLogOptions? AccessLog { get; init; }

    /// <summary>Absolute paths of files in nginx's language that are the service's front.</summary>
    public ImmutableArray<string> NginxFiles { get; init; } = [];
}

/// <summary>
/// One service: what its instances run, how many there are, and how they are reached.
/// </summary>
public sealed record Service
{
    public required string Name { get; init; }

    /// <summary>
    /// <c>entrypoint</c> followed by <c>command</c>, split into words, without a shell.
    /// </summary>
    public ImmutableArray<string> Command { get; init; } = [];

    /// <summary><c>environment</c> over <c>env_file</c>.</summary>
    public ImmutableSortedDictionary<string, string> Environment { get; init; } =
        ImmutableSortedDictionary<string, string>.Empty;

    /// <summary>Absolute.</summary>
    public required string WorkingDirectory { get; init; }

    /// <summary><c>user[:group]</c>, names or numbers; null is the daemon's own.</summary>
    public string? User { get; init; }

    public ImmutableArray<ResourceLimit> Limits { get; init; } = [];

    public ImmutableArray<PortMapping> Ports { get; init; } = [];

    /// <summary>Target ports that are reachable but not published.</summary>
    public ImmutableArray<int> Expose { get; init; } = [];

    public ImmutableArray<Dependency> DependsOn { get; init; } = [];

    /// <summary>How many instances there are; 0 or more.</summary>
    public int Scale { get; init; } = 1;

    public RestartPolicy Restart { get; init; } = new(RestartCondition.No);

    /// <summary>Null without one, and where the file disables it.</summary>
    public Healthcheck? Healthcheck { get; init; }

    /// <summary>Name as in signal(7), with SIG.</summary>
    public string StopSignal { get; init; } = "SIGTERM";

    public TimeSpan StopGracePeriod { get; init; } = TimeSpan.FromSeconds(10);

    public ImmutableSortedDictionary<string, string> Labels { get; init; } =
        ImmutableSortedDictionary<string, string>.Empty;

    public ServiceOptions Options { get; init; } = ServiceOptions.Default;

    /// <summary>
    /// Names the first key that only a container engine can serve (<c>image</c>, <c>build</c>);
    /// null for a service that runs natively.
    /// </summary>
    public string? ContainerKey { get; init; }

    public bool IsExternal => !Options.Endpoints.IsEmpty;

    /// <summary>
    /// The balancer does by nginx's files what the service says an image or nobody does: its ports
    /// are theirs.
    /// </summary>
    public bool IsFront => !Options.NginxFiles.IsEmpty
        && (Command.IsEmpty || ContainerKey is not null);

    /// <summary>
    /// False for a service that is only answered for: by servers that already run, or by the
    /// balancer itself (files, a redirect, a reply).
    /// </summary>
    public bool HasInstances =>
        !IsExternal && !IsFront && (!Command.IsEmpty || ContainerKey is not null);

    /// <summary>
    /// Digest of everything that a running process cannot take over without being replaced. Two
    /// services with equal hashes can share a process; ports published, labels, scale, restart
    /// policy and balancing are not in it.
    /// </summary>
    public required string ProcessHash { get; init; }

    /// <summary>
    /// Digest of the whole definition: equal means that nothing at all has changed.
    /// </summary>
    public string DefinitionHash { get; init; } = "";

    /// <summary>
    /// Ports of an instance, the first of which is its <c>PORT</c>: targets of <see cref="Ports"/>,
    /// then <see cref="Expose"/>, without repetition. 0 stands for "a port without a number", when
    /// the command names <c>$PORT</c> and the file no port.
    /// </summary>
    public ImmutableArray<int> TargetPorts { get; init; } = [];
}
