using System.Globalization;
using System.Text;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Tessera.Stack.Compose.Yaml;

/// <summary>
/// Reads YAML text into <see cref="Node"/> trees: anchors resolved, merge keys applied, duplicate
/// keys refused, everything bounded. Used by one thread, for one text.
/// </summary>
internal sealed class YamlReader
{
    public const int MaxBytes = 16 * 1024 * 1024;
    public const int MaxDepth = 128;

    /// <summary>Nodes of one file with every alias counted as often as it is used.</summary>
    public const int MaxNodes = 1_000_000;

    private readonly string _file;
    private readonly Parser _parser;
    private readonly Dictionary<string, Anchored> _anchors = new(StringComparer.Ordinal);
    private readonly HashSet<string> _openAnchors = new(StringComparer.Ordinal);
    private long _nodeCount;

    private YamlReader(string file, TextReader text)
    {
        _file = file;
        _parser = new Parser(text);
    }

    /// <param name="Height">Levels below and including the node.</param>
    private readonly record struct Anchored(Node Node, long NodeCount, int Height);

    /// <summary>The documents of a file that hold something, in order.</summary>
    /// <param name="file">Name for messages.</param>
    /// <exception cref="UserErrorException">Not YAML, or beyond a limit.</exception>
    public static IReadOnlyList<Node> Read(string file, byte[] content)
    {
        if (content.Length > MaxBytes)
        {
            throw new UserErrorException(
                $"{file}: the file is larger than {MaxBytes / 1024 / 1024} MiB.");
        }

        string text;
        try
        {
            text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(content);
        }
        catch (DecoderFallbackException problem)
        {
            throw new UserErrorException(DescribeEncoding(file, content, problem.Index));
        }

        YamlReader reader = new(file, new StringReader(text.TrimStart('\uFEFF')));
        try
        {
            return reader.ReadDocuments();
        }
        catch (YamlException problem)
        {
            SourcePosition position = new(file, (int)problem.Start.Line, (int)problem.Start.Column);
            position = problem.Message.Contains("tab ", StringComparison.Ordinal)
                ? FindTab(text, position)
                : position;
            throw new UserErrorException($"{position}: {Explain(problem)}");
        }
        catch (Exception problem) when (problem is not UserErrorException)
        {
            // The parser has states that broken text can bring it into and that it has no words
            // for.
            throw new UserErrorException($"{reader.LastPosition}: not valid YAML after this " +
            "place.");
        }
    }

    /// <param name="index">Of the first byte that is not UTF-8.</param>
    private static string DescribeEncoding(string file, byte[] content, int index)
    {
        ReadOnlySpan<byte> before = content.AsSpan(0, Math.Clamp(index, 0, content.Length));
        int line = 1 + before.Count((byte)'\n');
        int column = 1 + Encoding.UTF8.GetCharCount(before[(before.LastIndexOf((byte)'\n') + 1)..]);
        bool isUtf16 = content is [0xFF, 0xFE, ..] or [0xFE, 0xFF, ..];
        return $"{new SourcePosition(file, line, column)}: the file is not UTF-8 text"
            + (isUtf16 ? " but UTF-16; save it as UTF-8." : ".");
    }

    private SourcePosition LastPosition =>
        _parser.Current is { } last ? PositionOf(last) : new SourcePosition(_file, 1, 1);

    /// <summary>The parser names the mapping that a tab breaks, not the tab.</summary>
    private static SourcePosition FindTab(string text, SourcePosition start)
    {
        int number = 0;
        foreach (ReadOnlySpan<char> line in text.AsSpan().EnumerateLines())
        {
            number++;
            int tab = line.IndexOf('\t');
            if (number >= start.Line && tab >= 0 && line[..tab].Trim(' ').IsEmpty)
            {
                return start with { Line = number, Column = tab + 1 };
            }
        }

        return start;
    }

    private static string Explain(YamlException problem)
    {
        string message = problem.InnerException is { } inner && problem.Message.Length == 0
            ? inner.Message
            : problem.Message;
        message = message.Trim().TrimEnd('.');
        return message.Length == 0
            ? "not valid YAML."
            : $"not valid YAML: {char.ToLowerInvariant(message[0])}{message[1..]}.";
    }

    private List<Node> ReadDocuments()
    {
        List<Node> documents = [];
        _parser.Consume<StreamStart>();
        while (!_parser.TryConsume<StreamEnd>(out _))
        {
            _parser.Consume<DocumentStart>();
            _anchors.Clear();
            Node root = ReadNode(1, out _);
            _parser.Consume<DocumentEnd>();
            if (!root.IsNull)
            {
                documents.Add(root);
            }
        }

        return documents;
    }

    private Node ReadNode(int depth, out int height)
    {
        ParsingEvent start = _parser.Current ?? throw new YamlException("unexpected end");
        SourcePosition position = PositionOf(start);
        if (depth > MaxDepth)
        {
            throw new UserErrorException(
                $"{position}: nested deeper than {MaxDepth} levels.");
        }

        if (_parser.TryConsume<AnchorAlias>(out AnchorAlias? alias) && alias is not null)
        {
            return Dereference(alias, position, depth, out height);
        }

        NodeEvent node = start as NodeEvent
            ?? throw new YamlException(start.Start, start.End, "a value was expected here");
        string? anchor = node.Anchor.IsEmpty ? null : node.Anchor.Value;
        if (anchor is not null)
        {
            _openAnchors.Add(anchor);
        }

        long countBefore = _nodeCount;
        Count(1, position);
        Node result = node switch
        {
            Scalar => ReadScalar(_parser.Consume<Scalar>(), position, out height),
            SequenceStart => ReadSequence(position, depth, out height),
            _ => ReadMapping(position, depth, out height),
        };
        if (anchor is not null)
        {
            _openAnchors.Remove(anchor);
            _anchors[anchor] = new Anchored(result, _nodeCount - countBefore, height);
        }

        return result;
    }

    private Node Dereference(
        AnchorAlias alias, SourcePosition position, int depth, out int height)
    {
        if (!_anchors.TryGetValue(alias.Value.Value, out Anchored anchored))
        {
            throw new UserErrorException(_openAnchors.Contains(alias.Value.Value)
                ? $"{position}: the anchor \"{alias.Value.Value}\" contains itself."
                : $"{position}: there is no anchor \"{alias.Value.Value}\" before this line.");
        }

        Count(anchored.NodeCount, position);
        height = anchored.Height;
        if (depth + height > MaxDepth)
        {
            throw new UserErrorException($"{position}: nested deeper than {MaxDepth} levels.");
        }

        return anchored.Node;
    }

    private void Count(long nodes, SourcePosition position)
    {
        _nodeCount += nodes;
        if (_nodeCount > MaxNodes)
        {
            throw new UserErrorException(string.Create(CultureInfo.InvariantCulture,
                $"{position}: the file has more than {MaxNodes} nodes once aliases are expanded."));
        }
    }

    private static ScalarNode ReadScalar(Scalar scalar, SourcePosition position, out int height)
    {
        height = 1;
        string tag = scalar.Tag.IsEmpty ? "" : scalar.Tag.Value;
        string text = scalar.Value;
        if (text.Contains('\0', StringComparison.Ordinal))
        {
            throw new UserErrorException($"{position}: a value cannot hold the character NUL.");
        }

        bool isPlain = scalar.Style == ScalarStyle.Plain;
        object? plain = isPlain ? Scalars.Resolve(text) : text;
        object? value = tag switch
        {
            "" or "!reset" or "!override" => plain,
            "!" or "tag:yaml.org,2002:str" => text,
            "tag:yaml.org,2002:null" => null,
            "tag:yaml.org,2002:int" when Scalars.TryInteger(text, out long integer) => integer,
            "tag:yaml.org,2002:float" when Scalars.TryFloat(text, out double number) => number,
            "tag:yaml.org,2002:bool" when Scalars.Resolve(text) is bool flag => flag,
            "tag:yaml.org,2002:int" or "tag:yaml.org,2002:float" or "tag:yaml.org,2002:bool" =>
                throw new UserErrorException(
                    $"{position}: \"{text}\" is not of the type that its tag names."),
            "tag:yaml.org,2002:timestamp" => text,
            _ => throw UnknownTag(tag, position),
        };
        return new ScalarNode(position, value, text) { MergeTag = MergeTagOf(tag) };
    }

    private SequenceNode ReadSequence(SourcePosition position, int depth, out int height)
    {
        SequenceStart start = _parser.Consume<SequenceStart>();
        MergeTag tag = CollectionTag(start.Tag, "tag:yaml.org,2002:seq", position);
        List<Node> items = [];
        height = 1;
        while (!_parser.TryConsume<SequenceEnd>(out _))
        {
            items.Add(ReadNode(depth + 1, out int itemHeight));
            height = Math.Max(height, itemHeight + 1);
        }

        return new SequenceNode(position, items) { MergeTag = tag };
    }

    private MappingNode ReadMapping(SourcePosition position, int depth, out int height)
    {
        MappingStart start = _parser.Consume<MappingStart>();
        MergeTag tag = CollectionTag(start.Tag, "tag:yaml.org,2002:map", position);
        MappingNode mapping = new(position) { MergeTag = tag };
        Node? merged = null;
        height = 1;
        while (!_parser.TryConsume<MappingEnd>(out _))
        {
            bool isMergeKey = _parser.Current is Scalar { Value: "<<", Style: ScalarStyle.Plain };
            Node key = ReadNode(depth + 1, out _);
            if (key is not ScalarNode name)
            {
                throw new UserErrorException(
                    $"{key.Position}: a key must be a string, not {key.Kind}.");
            }

            bool isRepeated = isMergeKey ? merged is not null : mapping.Contains(name.Text);
            if (isRepeated)
            {
                string first = mapping.Find(name.Text) is { } earlier
                    ? $", first on line {earlier.KeyPosition.Line}"
                    : "";
                throw new UserErrorException(
                    $"{key.Position}: the key \"{name.Text}\" is given twice{first}.");
            }

            Node value = ReadNode(depth + 1, out int valueHeight);
            if (value is ScalarNode { Text: "", Value: null, MergeTag: MergeTag.None })
            {
                // Nothing stands nowhere: the key is the place to look at.
                value = ScalarNode.Null(key.Position);
            }

            height = Math.Max(height, valueHeight + 1);
            if (isMergeKey)
            {
                merged = value;
            }
            else
            {
                mapping.Set(name.Text, key.Position, value);
            }
        }

        ApplyMergeKey(mapping, merged);
        return mapping;
    }

    /// <summary>Keys of the mapping itself win, then those of the first mapping merged
    /// in.</summary>
    private static void ApplyMergeKey(MappingNode mapping, Node? merged)
    {
        IEnumerable<Node> sources = merged switch
        {
            null => [],
            SequenceNode list => list.Items,
            _ => [merged],
        };
        foreach (Node source in sources)
        {
            if (source is not MappingNode entries)
            {
                throw new UserErrorException(
                    $"{source.Position}: \"<<\" merges a mapping or a list of mappings, " +
                    $"not {source.Kind}.");
            }

            foreach (MappingEntry entry in entries.Entries)
            {
                if (!mapping.Contains(entry.Key))
                {
                    mapping.Set(entry.Key, entry.KeyPosition, entry.Value);
                }
            }
        }
    }

    private static MergeTag CollectionTag(TagName tag, string standard, SourcePosition position)
    {
        string name = tag.IsEmpty ? "" : tag.Value;
        return name.Length == 0 || name == "!" || name == standard || MergeTagOf(name) != default
            ? MergeTagOf(name)
            : throw UnknownTag(name, position);
    }

    private static MergeTag MergeTagOf(string tag) => tag switch
    {
        "!reset" => MergeTag.Reset,
        "!override" => MergeTag.Override,
        _ => MergeTag.None,
    };

    private static UserErrorException UnknownTag(string tag, SourcePosition position) => new(
        $"{position}: unknown tag \"{tag}\"; !reset and !override are the tags of Compose files.");

    private SourcePosition PositionOf(ParsingEvent node) =>
        new(_file, (int)node.Start.Line, (int)node.Start.Column);
}
