using Tessera.Stack.Compose.Yaml;
using static Tessera.Stack.Compose.Schema.CommonShapes;

namespace Tessera.Stack.Compose.Schema;

/// <summary>
/// What may be said about the requests of a service, and again about those of one route.
/// </summary>
internal static class RuleSchema
{
    /// <summary>False takes away what <c>true</c> or a mapping turns on.</summary>
    public const string Enabled = "enabled";

    public static ListShape StringListOrOne { get; } = new(ScalarShape.String)
    {
        AllowsSingle = true,
        IsReplaced = true,
    };

    /// <summary>Names and what their values must be.</summary>
    public static MapShape Conditions { get; } = new(ScalarShape.TextOrEmpty);

    /// <summary>Names and values of header fields, or a list of <c>Name=value</c>.</summary>
    private static readonly MapShape Fields = new(ScalarShape.TextOrEmpty)
    {
        FromList = ShortForms.KeyValues,
    };

    private static readonly RecordShape Redirect = new(
        Kept("to", ScalarShape.String),
        Kept("status", ScalarShape.Integer))
    {
        AllowsExtensions = false,
        Required = ["to"],
        Expand = (node, _, _) =>
            node.AsString is null ? null : ShortForms.Record(node, ("to", node)),
    };

    private static readonly RecordShape Reply = new(
        Kept("status", ScalarShape.Integer),
        Kept("body", ScalarShape.String),
        Kept("type", ScalarShape.String))
    {
        AllowsExtensions = false,
        ShortForm = "a status",
        Expand = (node, _, _) => ScalarShape.Integer.TryConvert(node) is { } status
            ? ShortForms.Record(node, ("status", status))
            : null,
    };

    private static readonly RecordShape Rewrite = new(
        Kept("strip_prefix", ScalarShape.String),
        Kept("pattern", ScalarShape.String),
        Kept("replacement", ScalarShape.String),
        Kept("add_prefix", ScalarShape.String)) { AllowsExtensions = false };

    private static readonly RecordShape Headers = new(
        Kept("request", Fields),
        Kept("response", Fields),
        Kept("add", Fields)) { AllowsExtensions = false };

    private static readonly RecordShape BasicAuth = new(
        Kept("realm", ScalarShape.String),
        Kept("users", new MapShape(ScalarShape.Text) { FromList = Users }),
        Kept("file", ScalarShape.String)) { AllowsExtensions = false };

    private static readonly RecordShape Access = new(
        Kept("allow", StringListOrOne),
        Kept("deny", StringListOrOne),
        Kept("basic_auth", BasicAuth),
        Kept("satisfy", ScalarShape.OneOf("all", "any"))) { AllowsExtensions = false };

    private static readonly RecordShape Rate = new(
        Kept("requests", ScalarShape.Text),
        Kept("key", ScalarShape.String),
        Kept("burst", ScalarShape.Integer),
        Kept("delay", ScalarShape.Integer),
        Kept("nodelay", ScalarShape.Boolean),
        Kept("status", ScalarShape.Integer))
    {
        AllowsExtensions = false,
        Required = ["requests"],
        ShortForm = "a rate such as \"10/s\"",
        Expand = (node, _, _) =>
            node.AsString is null ? null : ShortForms.Record(node, ("requests", node)),
    };

    private static readonly RecordShape Connections = new(
        Kept("max", ScalarShape.Integer),
        Kept("key", ScalarShape.String),
        Kept("status", ScalarShape.Integer))
    {
        AllowsExtensions = false,
        Required = ["max"],
        ShortForm = "a number",
        Expand = (node, _, _) => ScalarShape.Integer.TryConvert(node) is { } max
            ? ShortForms.Record(node, ("max", max))
            : null,
    };

    private static readonly RecordShape Limits = new(
        Kept("rate", new ListShape(Rate) { AllowsSingle = true, IsReplaced = true }),
        Kept("connections", new ListShape(Connections)
        {
            AllowsSingle = true,
            IsReplaced = true,
        }),
        Kept("bandwidth", ScalarShape.Bytes),
        Kept("bandwidth_after", ScalarShape.Bytes),
        Kept("body", ScalarShape.Bytes)) { AllowsExtensions = false };

    private static readonly RecordShape Files = new(
        Kept("root", ScalarShape.String),
        Kept("strip_prefix", ScalarShape.String),
        Kept("index", StringListOrOne),
        Kept("try_files", StringListOrOne),
        Kept("types", StringMap),
        Kept("default_type", ScalarShape.String),
        Kept("precompressed", ScalarShape.Boolean),
        Kept("follow_links", ScalarShape.Boolean),
        Kept("list", ScalarShape.Boolean),
        Kept("cache_control", ScalarShape.String))
    {
        AllowsExtensions = false,
        Required = ["root"],
        ShortForm = "a folder",
        Expand = (node, _, _) =>
            node.AsString is null ? null : ShortForms.Record(node, ("root", node)),
    };

    private static readonly RecordShape Compression = Switched(
        Kept("gzip", ScalarShape.Boolean),
        Kept("brotli", ScalarShape.Boolean),
        Kept("types", StringListOrOne),
        Kept("min_length", ScalarShape.Bytes),
        Kept("level", ScalarShape.Integer));

    private static readonly RecordShape Retry = Switched(
        Kept("on", new ListShape(ScalarShape.OneOf(
            "error", "timeout", "invalid_header", "http_500", "http_502", "http_503", "http_504",
            "http_5xx", "http_403", "http_404", "http_429", "non_idempotent"))
        {
            AllowsSingle = true,
            IsReplaced = true,
        }),
        Kept("tries", ScalarShape.Integer),
        Kept("timeout", ScalarShape.Duration),
        Kept("budget", ScalarShape.Integer),
        Kept("replay", ScalarShape.Bytes),
        Kept("buffer", ScalarShape.Bytes));

    public static Key[] Rules() =>
    [
        Kept("redirect", Redirect),
        Kept("reply", Reply),
        Kept("files", Files),
        Kept("rewrite", Rewrite),
        Kept("headers", Headers),
        Kept("access", Access),
        Kept("limits", Limits),
        Kept("compression", Compression),
        Kept("retry", Retry),
        new("connect_timeout", ScalarShape.Duration),
        new("read_timeout", ScalarShape.Duration),
        new("send_timeout", ScalarShape.Duration),
        new("tunnel_timeout", ScalarShape.Duration),
    ];

    /// <summary>A key whose zero, false or nothing says something.</summary>
    public static Key Kept(string name, Shape shape) => new(name, shape, Keep.Yes);

    /// <summary>A mapping, or a boolean that turns all of it on or off.</summary>
    public static RecordShape Switched(params Key[] keys) =>
        new([Kept(Enabled, ScalarShape.Boolean), .. keys])
        {
            AllowsExtensions = false,
            ShortForm = "a boolean",
            Expand = (node, _, _) => ExpandSwitch(node),
        };

    public static MappingNode? ExpandSwitch(ScalarNode node) =>
        ScalarShape.Boolean.TryConvert(node) is { } isOn
            ? ShortForms.Record(node, (Enabled, isOn))
            : null;

    /// <summary>Lines of an htpasswd file: <c>name:hash</c>.</summary>
    private static MappingNode Users(SequenceNode list, string path, Problems problems)
    {
        MappingNode users = new(list.Position) { MergeTag = list.MergeTag };
        foreach (Node item in list.Items)
        {
            string line = item.AsString ?? "";
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon <= 0)
            {
                problems.Add(
                    item.Position, $"{path} must be a list of strings such as \"name:hash\"");
                continue;
            }

            users.Set(
                line[..colon],
                item.Position,
                new ScalarNode(item.Position, line[(colon + 1)..]));
        }

        return users;
    }
}
