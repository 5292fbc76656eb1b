using Tessera.Stack.Compose.Yaml;
using static Tessera.Stack.Compose.Schema.RuleSchema;

namespace Tessera.Stack.Compose.Schema;

/// <summary>
/// One of a service's <c>routes</c>. A label says the same with dots between the keys.
/// </summary>
internal static class RouteSchema
{
    private static readonly RecordShape When = new(
        new Key("methods", StringListOrOne),
        Kept("headers", Conditions),
        Kept("query", Conditions)) { AllowsExtensions = false };

    /// <summary>The short form is an address: <c>http://a.example.com/path</c>.</summary>
    public static RecordShape Route { get; } = new(
    [
        new Key("host", StringListOrOne),
        new Key("path", ScalarShape.String),
        new Key("port", ScalarShape.Integer),
        new Key("backend", ScalarShape.String),
        new Key("when", When),
        .. Rules(),
    ])
    {
        AllowsExtensions = false,
        AllowsNull = true,
        ShortForm = "an address such as \"http://a.example.com/path\"",
        Expand = ExpandAddress,
    };

    private static MappingNode? ExpandAddress(ScalarNode node, string path, Problems problems)
    {
        if (node.AsString is not { } text)
        {
            return null;
        }

        if (!RouteAddress.TryParse(text, out RouteAddress address, out string problem))
        {
            problems.Add(node.Position, $"{path}: \"{text}\" {problem}");
            return new MappingNode(node.Position);
        }

        MappingNode route = new(node.Position);
        if (address.Host.Length > 0)
        {
            route.Set("host", new SequenceNode(
                node.Position, [new ScalarNode(node.Position, address.Host)]));
        }

        if (address.Path.Length > 0)
        {
            route.Set("path", address.Path);
        }

        return route;
    }
}
