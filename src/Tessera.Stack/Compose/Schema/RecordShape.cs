using Tessera.Stack.Compose.Values;
using Tessera.Stack.Compose.Yaml;

namespace Tessera.Stack.Compose.Schema;

/// <summary>Whether a key is printed also when it is empty, zero or false.</summary>
internal enum Keep
{
    No,
    Yes,

    /// <summary>YAML leaves out null and the empty mapping.</summary>
    ExceptInYaml,
}

/// <summary>One key that the specification knows.</summary>
/// <param name="IsPending">Known and kept, but nothing acts on it yet.</param>
internal sealed record Key(
    string Name, Shape Shape, Keep Keep = Keep.No, bool IsPending = false);

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

    /// <summary>Compose's JSON has extensions at the top level only.</summary>
    public bool KeepsExtensionsInJson { get; init; }

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

    public override Node ToCanonical(Node node, CanonicalForm form)
    {
        if (node is not MappingNode mapping)
        {
            return node;
        }

        MappingNode ordered = new(mapping.Position);
        foreach (Key key in Keys)
        {
            if (mapping.Find(key.Name) is { } entry && IsPrinted(key, entry.Value, form))
            {
                ordered.Set(key.Name, entry.KeyPosition, key.Shape.ToCanonical(entry.Value, form));
            }
        }

        bool keepsExtensions = form != CanonicalForm.Json || KeepsExtensionsInJson;
        foreach (MappingEntry entry in mapping.Entries
            .Where(entry => keepsExtensions && !_index.ContainsKey(entry.Key))
            .OrderBy(entry => entry.Key, StringComparer.Ordinal))
        {
            ordered.Set(entry.Key, entry.KeyPosition, entry.Value);
        }

        return ordered;
    }

    private static bool IsPrinted(Key key, Node value, CanonicalForm form) =>
        form == CanonicalForm.Yaml && key.Keep == Keep.ExceptInYaml
            ? value is not (ScalarNode { Value: null } or MappingNode { Entries.Count: 0 })
            : key.Keep != Keep.No || !key.Shape.IsEmpty(value);

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
                problems.Add(
                    entry.KeyPosition, problems.IsFull ? entry.Key : UnknownKey(entry.Key, path));
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
