using Tessera.Stack.Compose.Yaml;

namespace Tessera.Stack.Compose.Schema;

/// <summary>Shapes that several keys share.</summary>
internal static class CommonShapes
{
    public static ListShape StringList { get; } = new(ScalarShape.String);

    /// <summary>A list in which a value stands once.</summary>
    public static ListShape StringSet { get; } = new(ScalarShape.String) { Identity = TextOf };

    public static ListShape StringOrList { get; } = new(ScalarShape.String)
    {
        AllowsSingle = true,
        Identity = TextOf,
    };

    /// <summary>A mapping of strings, or a list of <c>KEY=value</c>.</summary>
    public static MapShape Mapping { get; } = new(ScalarShape.TextOrEmpty)
    {
        FromList = ShortForms.KeyValues,
    };

    /// <summary>As <see cref="Mapping"/>; a name without a value is the caller's
    /// variable.</summary>
    public static MapShape VariableMapping { get; } = new(ScalarShape.TextOrNull)
    {
        FromList = ShortForms.KeyValues,
    };

    public static MapShape StringMap { get; } = new(ScalarShape.String);

    public static MapShape DriverOptions { get; } = new(ScalarShape.Text);

    /// <summary>Host names and their addresses.</summary>
    public static MapShape ExtraHosts { get; } = new ExtraHostsShape();

    public static ListShape Command { get; } = new(ScalarShape.String)
    {
        Split = ShortForms.Command,
        IsReplaced = true,
        KeepsEmpty = true,
        AllowsNull = true,
    };

    public static Shape External { get; } = new ExternalShape();

    public static MapShape Ulimits { get; } = new(new UlimitShape())
    {
        AllowsName = name => name.All(char.IsAsciiLetterLower),
    };

    /// <summary>Files that are mounted: <c>secrets</c> and <c>configs</c> of a service.</summary>
    public static ListShape FileReferences(string folder) => new(new RecordShape(
        new Key("source", ScalarShape.String),
        new Key("target", ScalarShape.String),
        new Key("uid", ScalarShape.String),
        new Key("gid", ScalarShape.String),
        new Key("mode", ScalarShape.Integer))
    {
        Expand = (node, _, _) =>
            node.AsString is null ? null : ShortForms.Record(node, ("source", node)),
    })
    {
        Identity = node => TextOf(node, "target") is { Length: > 0 } target
            ? target
            : $"{folder}/{TextOf(node, "source")}",
    };

    /// <summary>Entries whose names follow the rule for services, networks and volumes.</summary>
    public static MapShape Named(Shape value) => new(value)
    {
        AllowsName = IsName,
    };

    public static bool IsName(string name) => name.All(
        character => char.IsAsciiLetterOrDigit(character) || character is '.' or '_' or '-');

    public static string TextOf(Node node) => (node as ScalarNode)?.ToText() ?? "";

    public static string TextOf(Node node, string key) =>
        (node as MappingNode)?[key] is ScalarNode value ? value.ToText() : "";
}
