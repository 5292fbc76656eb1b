using System.Globalization;

namespace Tessera.Stack.Compose.Yaml;

/// <summary>Where a node stands. <c>Line</c> and <c>Column</c> count from 1; 0 means
/// nowhere.</summary>
/// <param name="File">As it is shown to people: relative to their working directory when below
/// it.</param>
internal readonly record struct SourcePosition(string File, int Line, int Column)
{
    public static SourcePosition None { get; } = new("", 0, 0);

    public override string ToString() =>
        Line == 0 ? File : string.Create(CultureInfo.InvariantCulture, $"{File}:{Line}:{Column}");
}

/// <summary>
/// What a node asks of the merge: <c>!reset</c> takes the key away, <c>!override</c> replaces what
/// earlier files say instead of merging with it.
/// </summary>
internal enum MergeTag
{
    None,
    Reset,
    Override,
}

/// <summary>
/// A node of the document tree that every phase of the loader works on. Nodes are confined to the
/// thread that loads; a phase that changes a tree returns new nodes, because anchors share them.
/// </summary>
internal abstract class Node(SourcePosition position)
{
    public SourcePosition Position { get; } = position;

    public MergeTag MergeTag { get; init; }

    /// <summary>What it is, for messages: "a string", "a list".</summary>
    public abstract string Kind { get; }

    public bool IsNull => this is ScalarNode { Value: null };

    public string? AsString => (this as ScalarNode)?.Value as string;

    /// <summary>Equal in what they say, wherever they stand and in whichever order.</summary>
    public static bool AreEqual(Node left, Node right) => (left, right) switch
    {
        (ScalarNode one, ScalarNode other) => Equals(one.Value, other.Value),
        (SequenceNode one, SequenceNode other) => one.Items.Count == other.Items.Count
            && one.Items.Zip(other.Items).All(pair => AreEqual(pair.First, pair.Second)),
        (MappingNode one, MappingNode other) => one.Entries.Count == other.Entries.Count
            && one.Entries.All(entry =>
                other[entry.Key] is { } value && AreEqual(entry.Value, value)),
        _ => false,
    };
}

/// <param name="value">null, bool, long, double or string.</param>
/// <param name="text">As it is written in the file.</param>
internal sealed class ScalarNode(SourcePosition position, object? value, string text)
    : Node(position)
{
    public ScalarNode(SourcePosition position, string value)
        : this(position, value, value)
    {
    }

    public object? Value { get; } = value;

    public string Text { get; } = text;

    public override string Kind => Value switch
    {
        null => "nothing",
        bool => "a boolean",
        long => "an integer",
        double => "a number",
        _ => "a string",
    };

    public static ScalarNode Null(SourcePosition position) => new(position, null, "");

    public static ScalarNode Of(SourcePosition position, bool value) =>
        new(position, value, value ? "true" : "false");

    public static ScalarNode Of(SourcePosition position, long value) =>
        new(position, value, value.ToString(CultureInfo.InvariantCulture));

    public static ScalarNode Of(SourcePosition position, double value) =>
        new(position, value, Scalars.Format(value));

    /// <summary>The value as Compose turns it into a string where it wants one.</summary>
    public string ToText() => Value switch
    {
        null => "",
        string text => text,
        bool flag => flag ? "true" : "false",
        long number => number.ToString(CultureInfo.InvariantCulture),
        double number => Scalars.Format(number),
        _ => Text,
    };
}

internal sealed class SequenceNode(SourcePosition position, IEnumerable<Node> items)
    : Node(position)
{
    public List<Node> Items { get; } = [.. items];

    public override string Kind => "a list";
}

/// <param name="KeyPosition">Of the key; the value has its own.</param>
internal readonly record struct MappingEntry(string Key, SourcePosition KeyPosition, Node Value);

internal sealed class MappingNode(SourcePosition position) : Node(position)
{
    private readonly Dictionary<string, int> _index = new(StringComparer.Ordinal);
    private readonly List<MappingEntry> _entries = [];

    public override string Kind => "a mapping";

    /// <summary>In the order of the file.</summary>
    public IReadOnlyList<MappingEntry> Entries => _entries;

    public Node? this[string key] =>
        _index.TryGetValue(key, out int index) ? _entries[index].Value : null;

    public MappingEntry? Find(string key) =>
        _index.TryGetValue(key, out int index) ? _entries[index] : null;

    /// <summary>Items of the list under a key; none when there is no list.</summary>
    public IReadOnlyList<Node> ItemsOf(string key) => (this[key] as SequenceNode)?.Items ?? [];

    /// <summary>Entries of the mapping under a key; none when there is no mapping.</summary>
    public IReadOnlyList<MappingEntry> EntriesOf(string key) =>
        (this[key] as MappingNode)?._entries ?? [];

    public bool Contains(string key) => _index.ContainsKey(key);

    /// <summary>Replaces in place or appends.</summary>
    public void Set(string key, SourcePosition keyPosition, Node value)
    {
        if (_index.TryGetValue(key, out int index))
        {
            _entries[index] = new MappingEntry(key, keyPosition, value);
            return;
        }

        _index.Add(key, _entries.Count);
        _entries.Add(new MappingEntry(key, keyPosition, value));
    }

    public void Set(string key, Node value) => Set(key, value.Position, value);

    public void Set(string key, string value) => Set(key, new ScalarNode(Position, value));

    public void Remove(string key)
    {
        if (!_index.Remove(key, out int removed))
        {
            return;
        }

        _entries.RemoveAt(removed);
        for (int index = removed; index < _entries.Count; index++)
        {
            _index[_entries[index].Key] = index;
        }
    }
}
