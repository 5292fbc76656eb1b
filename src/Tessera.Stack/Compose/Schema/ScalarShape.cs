using System.Globalization;
using Tessera.Stack.Compose.Values;
using Tessera.Stack.Compose.Yaml;

namespace Tessera.Stack.Compose.Schema;

/// <summary>One value. A string stands for a number or a boolean where those are wanted, because
/// variables only make strings.</summary>
internal sealed class ScalarShape : Shape
{
    private readonly Func<ScalarNode, ScalarNode?> _convert;

    private ScalarShape(string expected, Func<ScalarNode, ScalarNode?> convert)
    {
        Expected = expected;
        _convert = convert;
    }

    public static ScalarShape String { get; } =
        new("a string", node => node.Value is string ? node : null);

    public static ScalarShape StringOrNull { get; } =
        new("a string", node => node.Value is string or null ? node : null);

    public static ScalarShape Boolean { get; } = new("a boolean", ToBoolean);

    public static ScalarShape Integer { get; } = new("an integer", ToInteger);

    public static ScalarShape Number { get; } = new("a number", ToNumber);

    /// <summary>A string in the canonical document, however it is written.</summary>
    public static ScalarShape Text { get; } = new(
        "a string or a number",
        node => node.Value is string or long or double ? AsText(node) : null);

    /// <summary>A value of a mapping of strings; nothing stays nothing.</summary>
    public static ScalarShape TextOrNull { get; } = new(
        "a string, a number, a boolean or nothing",
        node => node.Value is null ? node : AsText(node));

    /// <summary>As <see cref="TextOrNull"/>, but nothing becomes the empty string.</summary>
    public static ScalarShape TextOrEmpty { get; } = new(TextOrNull.Expected, AsText);

    /// <summary>A boolean or a word, printed as a string (<c>build.provenance</c>).</summary>
    public static ScalarShape TextOrBoolean { get; } = new(
        "a string or a boolean", node => node.Value is string or bool ? AsText(node) : null);

    /// <summary>How many devices; <c>all</c> is -1.</summary>
    public static ScalarShape Count { get; } = new(
        "an integer or \"all\"",
        node => node.Value is "all" ? ScalarNode.Of(node.Position, -1L) : ToInteger(node));

    /// <summary>Go's form: <c>90s</c> becomes <c>1m30s</c>.</summary>
    public static ScalarShape Duration { get; } = new(
        "a duration such as \"10s\" or \"1m30s\"",
        node => node.Value is string text && GoDuration.TryParse(text, out GoDuration duration)
            ? new ScalarNode(node.Position, duration.ToString())
            : null);

    /// <summary>Bytes as a string of digits: <c>1.5G</c> becomes <c>1610612736</c>.</summary>
    public static ScalarShape Bytes { get; } = new(
        "a size such as \"512m\" or \"1.5g\"",
        node => node.Value is string or long or double
            && ByteSize.TryParse(node.ToText(), out long size)
            ? new ScalarNode(node.Position, size.ToString(CultureInfo.InvariantCulture))
            : null);

    public override string Expected { get; }

    public static ScalarShape OneOf(params string[] words) => new(
        "one of " + string.Join(", ", words.Select(word => $"\"{word}\"")),
        node => node.Value is string text && words.Contains(text, StringComparer.Ordinal)
            ? node
            : null);

    /// <summary>The converted value, or null when it does not fit.</summary>
    public ScalarNode? TryConvert(ScalarNode node) => _convert(node);

    public override Node Accept(Node node, string path, Problems problems)
    {
        if (node is ScalarNode scalar && _convert(scalar) is { } converted)
        {
            return ReferenceEquals(converted, scalar) || node.MergeTag == MergeTag.None
                ? converted
                : new ScalarNode(converted.Position, converted.Value, converted.Text)
                {
                    MergeTag = node.MergeTag,
                };
        }

        // Beyond 64 bits an integer has become a number that looks like one.
        if (node is ScalarNode { Value: double } large && Expected == Integer.Expected
            && large.Text.TrimStart('+', '-').All(char.IsAsciiDigit))
        {
            problems.Add(node.Position, $"{path}: {large.Text} is too large a number");
            return node;
        }

        if (node is ScalarNode { Value: string text })
        {
            problems.Add(node.Position, $"{path} must be {Expected}, not \"{text}\"");
            return node;
        }

        return Refuse(node, path, problems);
    }

    public override bool IsEmpty(Node node) =>
        node is ScalarNode { Value: null or "" or false or 0L or 0.0 };

    private static ScalarNode AsText(ScalarNode node) =>
        node.Value is string ? node : new ScalarNode(node.Position, node.ToText());

    private static ScalarNode? ToBoolean(ScalarNode node) => node.Value switch
    {
        bool => node,
        string text => text.ToLowerInvariant() switch
        {
            "true" or "yes" or "y" or "on" => ScalarNode.Of(node.Position, true),
            "false" or "no" or "n" or "off" => ScalarNode.Of(node.Position, false),
            _ => null,
        },
        _ => null,
    };

    private static ScalarNode? ToInteger(ScalarNode node) => node.Value switch
    {
        long => node,
        string text when Scalars.TryInteger(text, out long value) =>
            ScalarNode.Of(node.Position, value),
        double value when value == Math.Floor(value) && Math.Abs(value) < 1e15 =>
            ScalarNode.Of(node.Position, (long)value),
        _ => null,
    };

    private static ScalarNode? ToNumber(ScalarNode node) => node.Value switch
    {
        long => node,
        double value when double.IsFinite(value) => node,
        string text when Scalars.TryInteger(text, out long value) =>
            ScalarNode.Of(node.Position, value),
        string text when Scalars.TryFloat(text, out double value) =>
            ScalarNode.Of(node.Position, value),
        _ => null,
    };
}
