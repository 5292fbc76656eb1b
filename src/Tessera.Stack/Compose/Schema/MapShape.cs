using Tessera.Stack.Compose.Values;
using Tessera.Stack.Compose.Yaml;

namespace Tessera.Stack.Compose.Schema;

/// <summary>A mapping with names of the author's choice and values of one shape.</summary>
/// <param name="value">Shape of each value.</param>
internal class MapShape(Shape value) : Shape
{
    /// <summary>What a name may consist of; null takes every name that is not empty.</summary>
    public Func<string, bool>? AllowsName { get; init; }

    public bool AllowsNull { get; init; }

    /// <summary>Turns the list form into entries.</summary>
    public Func<SequenceNode, string, Problems, MappingNode>? FromList { get; init; }

    public override string Expected => FromList is null ? "a mapping" : "a mapping or a list";

    public override Node Accept(Node node, string path, Problems problems)
    {
        switch (node)
        {
            case ScalarNode { Value: null } when AllowsNull:
                return node;
            case SequenceNode list when FromList is not null:
                return AcceptEntries(FromList(list, path, problems), node.MergeTag, path, problems);
            case MappingNode mapping:
                return AcceptEntries(mapping, node.MergeTag, path, problems);
            default:
                return Refuse(node, path, problems);
        }
    }

    public override Node Merge(Node earlier, Node later) =>
        earlier is MappingNode old && later is MappingNode added
            ? MergeEntries(old, added, _ => value)
            : later.IsNull ? earlier : later;

    public override Node ToCanonical(Node node, CanonicalForm form)
    {
        if (node is not MappingNode mapping)
        {
            return node;
        }

        IComparer<string> order = form == CanonicalForm.Yaml
            ? NaturalOrder.Instance
            : StringComparer.Ordinal;
        MappingNode ordered = new(mapping.Position);
        foreach (MappingEntry entry in mapping.Entries.OrderBy(entry => entry.Key, order))
        {
            ordered.Set(entry.Key, entry.KeyPosition, value.ToCanonical(entry.Value, form));
        }

        return ordered;
    }

    public override bool IsEmpty(Node node) =>
        node is MappingNode mapping ? mapping.Entries.Count == 0 : node.IsNull;

    private MappingNode AcceptEntries(
        MappingNode mapping, MergeTag tag, string path, Problems problems)
    {
        MappingNode accepted = new(mapping.Position) { MergeTag = tag };
        foreach (MappingEntry entry in mapping.Entries)
        {
            string name = entry.Key;
            if (name.Length == 0 || AllowsName?.Invoke(name) == false)
            {
                problems.Add(
                    entry.KeyPosition,
                    $"\"{name}\" is no valid name in {path}: letters, digits, \".\", \"_\" and " +
                    "\"-\" make a name");
                continue;
            }

            accepted.Set(name, entry.KeyPosition, entry.Value.MergeTag == MergeTag.Reset
                ? entry.Value
                : value.Accept(entry.Value, $"{path}.{name}", problems));
        }

        return accepted;
    }
}
