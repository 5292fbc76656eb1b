using Tessera.Stack.Compose.Yaml;

namespace Tessera.Stack.Compose.Schema;

/// <summary>Which document the canonical one is printed as.</summary>
internal enum CanonicalForm
{
    /// <summary>For the daemon: everything.</summary>
    Complete,

    /// <summary>As Compose prints JSON: extensions only at the top level.</summary>
    Json,

    /// <summary>As Compose prints YAML: without what is empty by default.</summary>
    Yaml,
}

/// <summary>
/// What a value of the Compose Specification may be. The same shape checks a value and turns its
/// short forms into the long one, merges it with what another file says, and puts it into the order
/// of the canonical document. Immutable.
/// </summary>
internal abstract class Shape
{
    /// <summary>For messages: "a string", "a list of strings".</summary>
    public abstract string Expected { get; }

    /// <summary>
    /// The value in its long form. What is wrong goes to <paramref name="problems"/>, and the value
    /// is returned as it was.
    /// </summary>
    /// <param name="path">For messages: <c>services.web.ports</c>.</param>
    public abstract Node Accept(Node node, string path, Problems problems);

    /// <summary>What two files say together; both are accepted, the later one wins.</summary>
    public virtual Node Merge(Node earlier, Node later) => later;

    /// <summary>In the canonical order of keys, without what says nothing. Canonical nodes stay as
    /// they are.</summary>
    public virtual Node ToCanonical(Node node, CanonicalForm form) => node;

    /// <summary>True for a value that the canonical document leaves out.</summary>
    public virtual bool IsEmpty(Node node) => node.IsNull;

    /// <summary>Without the nodes that <c>!reset</c> takes away.</summary>
    public static Node WithoutResets(Node node)
    {
        switch (node)
        {
            case MappingNode mapping:
                MappingNode kept = new(mapping.Position);
                foreach (MappingEntry entry in mapping.Entries)
                {
                    if (entry.Value.MergeTag != MergeTag.Reset)
                    {
                        kept.Set(entry.Key, entry.KeyPosition, WithoutResets(entry.Value));
                    }
                }

                return kept;
            case SequenceNode list:
                return new SequenceNode(
                    list.Position,
                    list.Items.Where(item => item.MergeTag != MergeTag.Reset)
                        .Select(WithoutResets));
            default:
                return node;
        }
    }

    protected Node Refuse(Node node, string path, Problems problems)
    {
        problems.Add(node.Position, $"{path} must be {Expected}, not {node.Kind}");
        return node;
    }

    /// <summary>Entry by entry: later keys are merged into earlier ones, or taken away.</summary>
    protected static MappingNode MergeEntries(
        MappingNode earlier, MappingNode later, Func<string, Shape> shapeOf)
    {
        MappingNode merged = new(earlier.Position);
        foreach (MappingEntry entry in earlier.Entries)
        {
            merged.Set(entry.Key, entry.KeyPosition, entry.Value);
        }

        foreach (MappingEntry entry in later.Entries)
        {
            if (entry.Value.MergeTag == MergeTag.Reset)
            {
                merged.Remove(entry.Key);
            }
            else if (entry.Value.MergeTag == MergeTag.Override || merged[entry.Key] is not { } old)
            {
                merged.Set(entry.Key, entry.KeyPosition, WithoutResets(entry.Value));
            }
            else
            {
                Node value = shapeOf(entry.Key).Merge(old, entry.Value);
                merged.Set(entry.Key, entry.KeyPosition, WithoutResets(value));
            }
        }

        return merged;
    }
}

/// <summary>Whatever stands under an <c>x-</c> key.</summary>
internal sealed class AnyShape : Shape
{
    public static AnyShape Instance { get; } = new();

    public override string Expected => "anything";

    public override Node Accept(Node node, string path, Problems problems) => node;

    public override Node Merge(Node earlier, Node later) => (earlier, later) switch
    {
        (MappingNode old, MappingNode added) => MergeEntries(old, added, _ => Instance),
        (SequenceNode old, SequenceNode added) =>
            new SequenceNode(old.Position, [.. old.Items, .. added.Items]),
        _ => later,
    };

    public override bool IsEmpty(Node node) => false;
}
