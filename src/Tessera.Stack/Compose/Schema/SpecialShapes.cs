using Tessera.Stack.Compose.Yaml;
using static Tessera.Stack.Compose.Schema.CommonShapes;

namespace Tessera.Stack.Compose.Schema;

/// <summary>Options of a logging driver mean nothing to another: they merge within one
/// driver.</summary>
internal sealed class LoggingShape(params Key[] keys) : RecordShape(keys)
{
    public override Node Merge(Node earlier, Node later)
    {
        string before = TextOf(earlier, "driver");
        string after = TextOf(later, "driver");
        return before.Length == 0 || after.Length == 0 || before == after
            ? base.Merge(earlier, later)
            : later;
    }
}

/// <summary>One limit for both, which stays one number, or a soft and a hard one.</summary>
internal sealed class UlimitShape() : RecordShape(
    new Key("soft", ScalarShape.Integer, Keep.Yes),
    new Key("hard", ScalarShape.Integer, Keep.Yes))
{
    public override string Expected => "an integer, or soft and hard";

    public override Node Accept(Node node, string path, Problems problems) =>
        node is ScalarNode ? ScalarShape.Integer.Accept(node, path, problems)
            : base.Accept(node, path, problems);
}

/// <summary>Hosts and their addresses, printed as a list.</summary>
internal sealed class ExtraHostsShape : MapShape
{
    public ExtraHostsShape()
        : base(StringOrList) => FromList = ShortForms.Hosts;

    public override Node ToCanonical(Node node, CanonicalForm form)
    {
        if (node is not MappingNode hosts)
        {
            return node;
        }

        IEnumerable<string> lines = hosts.Entries
            .SelectMany(host => hosts.ItemsOf(host.Key)
                .Select(address => $"{host.Key}={TextOf(address)}"))
            .Order(StringComparer.Ordinal);
        return new SequenceNode(
            node.Position, lines.Select(line => new ScalarNode(node.Position, line)));
    }
}

/// <summary>Keys of an agent and their paths, printed as a list.</summary>
internal sealed class SshShape : MapShape
{
    public SshShape()
        : base(ScalarShape.TextOrEmpty) => FromList = ShortForms.KeyValues;

    public override Node ToCanonical(Node node, CanonicalForm form) => node is MappingNode keys
        ? new SequenceNode(node.Position, keys.Entries.Select(key => new ScalarNode(
            node.Position,
            TextOf(key.Value) is { Length: > 0 } path ? $"{key.Key}={path}" : key.Key)))
        : node;
}

/// <summary>A boolean; the mapping with a <c>name</c> is the form of old files.</summary>
internal sealed class ExternalShape : Shape
{
    public override string Expected => "a boolean";

    public override Node Accept(Node node, string path, Problems problems)
    {
        if (node is not MappingNode old)
        {
            return ScalarShape.Boolean.Accept(node, path, problems);
        }

        foreach (MappingEntry entry in old.Entries)
        {
            if (entry.Key != "name" && !entry.Key.StartsWith("x-", StringComparison.Ordinal))
            {
                problems.Add(
                    entry.KeyPosition,
                    $"unknown key \"{entry.Key}\" in {path}; did you mean \"name\"?");
            }
        }

        return node;
    }

    public override bool IsEmpty(Node node) => ScalarShape.Boolean.IsEmpty(node);
}
