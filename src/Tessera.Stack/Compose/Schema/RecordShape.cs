using Tessera.Stack.Compose.Values;
using Tessera.Stack.Compose.Yaml;

namespace Tessera.Stack.Compose.Schema;

/// <summary>One key that the specification knows.</summary>
/// <param name="Keep">Printed also when it is empty, zero or false.</param>
/// <param name="IsPending">Known and kept, but nothing acts on it yet.</param>
internal sealed record Key(string Name, Shape Shape, bool Keep = false, bool IsPending = false);

/// <summary>A mapping whose keys the specification lists.</summary>
internal class RecordShape : Shape
{
    private readonly Dictionary<string, Key> _index;

    public RecordShape(params Key[] keys)
    {
        Keys = keys;
        _index = keys.ToDictionary(key => key.Name, StringComparer.Ordinal);
    }

    /// <summary>In the order of the canonical document.</summary>
    public IReadOnlyList<Key> Keys { get; }

    /// <summary>Takes <c>x-…</c>.</summary>
    public bool AllowsExtensions { get; init; } = true;

    public bool AllowsNull { get; init; }

    public string[] Required { get; init; } = [];

    /// <summary>Turns a scalar, the short form, into the mapping; null when it cannot.</summary>
    public Func<ScalarNode, string, Problems, MappingNode?>? Expand { get; init; }

    public string ShortForm { get; init; } = "a string";

    public override string Expected => Expand is null ? "a mapping" : $"{ShortForm} or a mapping";

    public Key? Find(string name) => _index.GetValueOrDefault(name);

    public override Node Accept(Node node, string path, Problems problems)
    {
        switch (node)
        {
            case ScalarNode { Value: null } when AllowsNull:
                return node;
            case ScalarNode { Value: not null } scalar when Expand is not null:
                return Expand(scalar, path, problems) is { } expanded
                    ? AcceptEntries(expanded, node.MergeTag, path, problems)
                    : Refuse(node, path, problems);
            case MappingNode mapping:
                return AcceptEntries(mapping, node.MergeTag, path, problems);
            default:
                return Refuse(node, path, problems);
        }
    }

    public override Node Merge(Node earlier, Node later) =>
        earlier is MappingNode old && later is MappingNode added
            ? MergeEntries(old, added, ShapeOf)
            : later.IsNull ? earlier : later;

    public override Node ToCanonical(Node node)
    {
        if (node is not MappingNode mapping)
        {
            return node;
        }

        MappingNode ordered = new(mapping.Position);
        foreach (Key key in Keys)
        {
            if (mapping.Find(key.Name) is { } entry && (key.Keep || !key.Shape.IsEmpty(entry.Value)))
            {
                ordered.Set(key.Name, entry.KeyPosition, key.Shape.ToCanonical(entry.Value));
            }
        }

        foreach (MappingEntry entry in mapping.Entries
            .Where(entry => !_index.ContainsKey(entry.Key))
            .OrderBy(entry => entry.Key, StringComparer.Ordinal))
        {
            ordered.Set(entry.Key, entry.KeyPosition, entry.Value);
        }

        return ordered;
    }

    private Shape ShapeOf(string name) =>
        _index.TryGetValue(name, out Key? key) ? key.Shape : AnyShape.Instance;

    private MappingNode AcceptEntries(
        MappingNode mapping, MergeTag tag, string path, Problems problems)
    {
        MappingNode accepted = new(mapping.Position) { MergeTag = tag };
        foreach (MappingEntry entry in mapping.Entries)
        {
            string keyPath = path.Length == 0 ? entry.Key : $"{path}.{entry.Key}";
            if (_index.TryGetValue(entry.Key, out Key? key))
            {
                accepted.Set(entry.Key, entry.KeyPosition, entry.Value.MergeTag == MergeTag.Reset
                    ? entry.Value
                    : key.Shape.Accept(entry.Value, keyPath, problems));
            }
            else if (AllowsExtensions && entry.Key.StartsWith("x-", StringComparison.Ordinal))
            {
                accepted.Set(entry.Key, entry.KeyPosition, entry.Value);
            }
            else
            {
                problems.Add(entry.KeyPosition, UnknownKey(entry.Key, path));
            }
        }

        foreach (string name in Required)
        {
            if (!accepted.Contains(name))
            {
                problems.Add(mapping.Position, $"{path} needs the key \"{name}\"");
            }
        }

        return accepted;
    }

    private string UnknownKey(string name, string path)
    {
        string where = path.Length == 0 ? "at the top level" : $"in {path}";
        string? nearest = EditDistance.Nearest(name, _index.Keys);
        return nearest is null
            ? $"unknown key \"{name}\" {where}"
            : $"unknown key \"{name}\" {where}; did you mean \"{nearest}\"?";
    }
}
