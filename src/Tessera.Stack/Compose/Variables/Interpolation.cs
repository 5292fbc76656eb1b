using Tessera.Stack.Compose.Yaml;

namespace Tessera.Stack.Compose.Variables;

/// <summary>
/// Expands the variables of every value of a tree; keys stay as they are. Keeps which variables
/// were not set, so that each is warned of once. Used by one thread.
/// </summary>
internal sealed class Interpolation
{
    private readonly Template _template;
    private readonly List<string> _unset = [];
    private readonly HashSet<string> _isUnset = new(StringComparer.Ordinal);

    public Interpolation(IReadOnlyDictionary<string, string> variables) =>
        _template = new Template(
            name => variables.TryGetValue(name, out string? value) ? value : null, AddUnset);

    /// <summary>In the order of their first use.</summary>
    public IReadOnlyList<string> UnsetVariables => _unset;

    /// <exception cref="UserErrorException">A value cannot be expanded.</exception>
    public Node Expand(Node node)
    {
        switch (node)
        {
            case SequenceNode list:
                return new SequenceNode(list.Position, list.Items.Select(Expand))
                {
                    MergeTag = list.MergeTag,
                };
            case MappingNode mapping:
                MappingNode result = new(mapping.Position) { MergeTag = mapping.MergeTag };
                foreach (MappingEntry entry in mapping.Entries)
                {
                    result.Set(entry.Key, entry.KeyPosition, Expand(entry.Value));
                }

                return result;
            case ScalarNode { Value: string text }
                when text.Contains('$', StringComparison.Ordinal):
                return new ScalarNode(node.Position, ExpandText(text, node.Position))
                {
                    MergeTag = node.MergeTag,
                };
            default:
                return node;
        }
    }

    private string ExpandText(string text, SourcePosition position)
    {
        try
        {
            return _template.Expand(text);
        }
        catch (TemplateException problem)
        {
            throw new UserErrorException($"{position}: {problem.Message}.");
        }
    }

    private void AddUnset(string name)
    {
        if (_isUnset.Add(name))
        {
            _unset.Add(name);
        }
    }
}
