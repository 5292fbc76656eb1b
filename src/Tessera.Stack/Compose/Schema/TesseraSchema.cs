using Tessera.Stack.Compose.Yaml;
using static Tessera.Stack.Compose.Schema.RuleSchema;

namespace Tessera.Stack.Compose.Schema;

/// <summary>
/// The key <c>x-tessera</c> of a service and of the whole file: what Compose has no word for.
/// </summary>
internal static class TesseraSchema
{
    public const string Name = "x-tessera";

    /// <summary>Top level of the document that travels to the daemon; people never see
    /// it.</summary>
    public const string SourceName = "x-tessera-source";

    /// <summary>nginx's directives where it has them, HAProxy's words else.</summary>
    private static readonly ScalarShape Balance = ScalarShape.OneOf(
        "round_robin", "least_conn", "ip_hash", "hash", "hash_consistent", "random", "random_two",
        "least_time", "fair");

    private static readonly Key[] EndpointLimits =
    [
        Kept("max_conns", ScalarShape.Integer),
        Kept("max_fails", ScalarShape.Integer),
        Kept("fail_timeout", ScalarShape.Duration),
        Kept("slow_start", ScalarShape.Duration),
    ];

    private static readonly RecordShape Endpoint = new(
    [
        new Key("address", ScalarShape.String),
        Kept("weight", ScalarShape.Integer),
        Kept("backup", ScalarShape.Boolean),
        Kept("down", ScalarShape.Boolean),
        .. EndpointLimits,
    ])
    {
        AllowsExtensions = false,
        Required = ["address"],
        Expand = (node, _, _) =>
            node.AsString is null ? null : ShortForms.Record(node, ("address", node)),
    };

    private static readonly RecordShape Sticky = Switched(
        Kept("name", ScalarShape.String),
        Kept("path", ScalarShape.String),
        Kept("lifetime", ScalarShape.Duration),
        Kept("secure", ScalarShape.Boolean));

    private static readonly RecordShape Health = new(
        Kept(Enabled, ScalarShape.Boolean),
        Kept("type", ScalarShape.OneOf("http", "tcp")),
        Kept("path", ScalarShape.String),
        Kept("host", ScalarShape.String),
        Kept("status", ScalarShape.Text),
        Kept("body", ScalarShape.String),
        Kept("interval", ScalarShape.Duration),
        Kept("timeout", ScalarShape.Duration),
        Kept("rises", ScalarShape.Integer),
        Kept("falls", ScalarShape.Integer),
        Kept("min_healthy", ScalarShape.Integer))
    {
        AllowsExtensions = false,
        ShortForm = "a path, a boolean",
        Expand = (node, _, _) => node.AsString is { } path && path.StartsWith('/')
            ? ShortForms.Record(node, ("path", node))
            : ExpandSwitch(node),
    };

    private static readonly RecordShape Outlier = Switched(
        Kept("consecutive_failures", ScalarShape.Integer),
        Kept("failure_percent", ScalarShape.Integer),
        Kept("min_requests", ScalarShape.Integer),
        Kept("window", ScalarShape.Duration),
        Kept("ejection", ScalarShape.Duration),
        Kept("max_ejected", ScalarShape.Integer));

    private static readonly RecordShape AccessLog = new(
        Kept(Enabled, ScalarShape.Boolean),
        Kept("format", ScalarShape.String))
    {
        AllowsExtensions = false,
        ShortForm = "a format, a boolean",
        Expand = (node, _, _) => ExpandSwitch(node)
            ?? (node.AsString is null ? null : ShortForms.Record(node, ("format", node))),
    };

    private static readonly Key NginxFiles = new("nginx", new ListShape(ScalarShape.String)
    {
        AllowsSingle = true,
        Identity = CommonShapes.TextOf,
    });

    /// <summary>Of a service.</summary>
    public static RecordShape Options { get; } = new(
    [
        new Key("endpoints", new ListShape(Endpoint)
        {
            Identity = node => CommonShapes.TextOf(node, "address"),
        }),
        new Key("balance", Balance),
        new Key("hash_key", ScalarShape.String),
        new Key("weights", new ListShape(ScalarShape.Integer) { IsReplaced = true }),
        .. EndpointLimits,
        Kept("sticky", Sticky),
        Kept("health", Health),
        Kept("outlier", Outlier),
        new Key("port", ScalarShape.Integer),
        new Key("drain_timeout", ScalarShape.Duration),
        new Key("start_timeout", ScalarShape.Duration),
        new Key("hold_timeout", ScalarShape.Duration),
        new Key("hold_queue", ScalarShape.Integer, Keep.Yes),
        .. Rules(),
        new Key("routes", CommonShapes.Named(RouteSchema.Route)),
        Kept("access_log", AccessLog),
        NginxFiles,
    ]) { AllowsExtensions = false };

    /// <summary>Of the whole file.</summary>
    public static RecordShape ProjectOptions { get; } = new(
        new Key("listen", new ListShape(ScalarShape.Text)
        {
            AllowsSingle = true,
            Identity = CommonShapes.TextOf,
        }),
        NginxFiles) { AllowsExtensions = false };
}
