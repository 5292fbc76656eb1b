using Tessera.Stack.Compose.Yaml;

namespace Tessera.Stack.Compose.Schema;

/// <summary>A list of values of one shape. Files add to it.</summary>
/// <param name="item">Shape of each value.</param>
internal sealed class ListShape(Shape item) : Shape
{
    /// <summary>Takes one value without the list around it.</summary>
    public bool AllowsSingle { get; init; }

    /// <summary>Stands for the whole value; a later file replaces it instead of adding.</summary>
    public bool IsReplaced { get; init; }

    /// <summary>Is printed when it is empty: an empty command is not the same as none.</summary>
    public bool KeepsEmpty { get; init; }

    /// <summary>Values of equal identity are one; the last stays, at the place of the
    /// first.</summary>
    public Func<Node, string>? Identity { get; init; }

    /// <summary>Turns a single string into the list (<see cref="AllowsSingle"/>) .</summary>
    public Func<ScalarNode, string, Problems, SequenceNode?>? Split { get; init; }

    /// <summary>Turns the short form of a value into values of the long form.</summary>
    public Func<ScalarNode, string, Problems, IEnumerable<Node>?>? Expand { get; init; }

    public bool AllowsNull { get; init; }

    public override string Expected => AllowsSingle || Split is not null
        ? "a string or a list"
        : "a list";

    public override Node Accept(Node node, string path, Problems problems)
    {
        switch (node)
        {
            case ScalarNode { Value: null } when AllowsNull:
                return node;
            case ScalarNode { Value: string } single when Split is not null:
                return Split(single, path, problems) is { } split ? Tagged(split, node) : node;
            case ScalarNode { Value: not null } or MappingNode
                when AllowsSingle && (node is ScalarNode || item is RecordShape):
                Node accepted = item.Accept(node, path, problems);
                return Tagged(new SequenceNode(node.Position, [accepted]), node);
            case SequenceNode list:
                return Tagged(AcceptItems(list, path, problems), node);
            default:
                return Refuse(node, path, problems);
        }
    }

    public override Node Merge(Node earlier, Node later)
    {
        if (IsReplaced || earlier is not SequenceNode old || later is not SequenceNode added)
        {
            return later;
        }

        return Unique(new SequenceNode(old.Position, [.. old.Items, .. added.Items]));
    }

    public override Node ToCanonical(Node node, CanonicalForm form) => node is SequenceNode list
        ? new SequenceNode(list.Position, list.Items.Select(value => item.ToCanonical(value, form)))
        : node;

    public override bool IsEmpty(Node node) => node is SequenceNode list
        ? !KeepsEmpty && list.Items.Count == 0
        : node.IsNull;

    private SequenceNode AcceptItems(SequenceNode list, string path, Problems problems)
    {
        List<Node> items = [];
        for (int index = 0; index < list.Items.Count; index++)
        {
            string itemPath = $"{path}[{index}]";
            Node value = list.Items[index];
            if (value.MergeTag == MergeTag.Reset)
            {
                continue;
            }

            if (Expand is not null && value is ScalarNode { Value: not null } scalar)
            {
                items.AddRange(Expand(scalar, itemPath, problems) ?? []);
            }
            else
            {
                items.Add(item.Accept(value, itemPath, problems));
            }
        }

        return Unique(new SequenceNode(list.Position, items));
    }

    private SequenceNode Unique(SequenceNode list)
    {
        if (Identity is null)
        {
            return list;
        }

        List<Node> kept = [];
        Dictionary<string, int> places = new(StringComparer.Ordinal);
        foreach (Node value in list.Items)
        {
            string identity = Identity(value);
            if (places.TryGetValue(identity, out int place))
            {
                kept[place] = value;
            }
            else
            {
                places.Add(identity, kept.Count);
                kept.Add(value);
            }
        }

        return new SequenceNode(list.Position, kept);
    }

    private static SequenceNode Tagged(SequenceNode list, Node original) =>
        original.MergeTag == MergeTag.None
            ? list
            : new SequenceNode(list.Position, list.Items) { MergeTag = original.MergeTag };
}
