using Tessera.Stack.Compose.Values;
using Tessera.Stack.Compose.Yaml;

namespace Tessera.Stack.Compose.Schema;

/// <summary>From the short forms of the specification to the long ones.</summary>
internal static class ShortForms
{
    public static MappingNode Record(ScalarNode node, params (string Key, object Value)[] entries)
    {
        MappingNode record = new(node.Position);
        foreach ((string key, object value) in entries)
        {
            record.Set(key, value switch
            {
                string text => new ScalarNode(node.Position, text),
                long number => ScalarNode.Of(node.Position, number),
                bool flag => ScalarNode.Of(node.Position, flag),
                _ => (Node)value,
            });
        }

        return record;
    }

    /// <summary><c>8080:80/tcp</c>, possibly several ports.</summary>
    public static IEnumerable<Node>? Ports(ScalarNode node, string path, Problems problems)
    {
        if (node.Value is not (string or long))
        {
            problems.Add(node.Position, $"{path} must be a port such as \"8080:80\", not " +
            $"{node.Kind}");
            return null;
        }

        IReadOnlyList<PortSpec> ports = PortSpec.Parse(node.ToText(), out string problem);
        if (problem.Length > 0)
        {
            problems.Add(
                node.Position, $"{path}: \"{node.ToText()}\" is no valid port: {problem}");
            return null;
        }

        return ports.Select(port => Port(node, port));
    }

    private static MappingNode Port(ScalarNode node, PortSpec port)
    {
        MappingNode record = Record(node, ("mode", "ingress"), ("target", (long)port.Target));
        if (port.HostIp.Length > 0)
        {
            record.Set("host_ip", new ScalarNode(node.Position, port.HostIp));
        }

        if (port.Published.Length > 0)
        {
            record.Set("published", new ScalarNode(node.Position, port.Published));
        }

        record.Set("protocol", new ScalarNode(node.Position, port.Protocol));
        return record;
    }

    /// <summary>A command line becomes the list of its words.</summary>
    public static SequenceNode? Command(ScalarNode node, string path, Problems problems)
    {
        if (!ShellWords.TrySplit(node.ToText(), out List<string> words, out string? ignored))
        {
            problems.Add(
                node.Position,
                $"{path}: a quote is not closed, or a parenthesis stands outside of quotes");
            return null;
        }

        if (ignored is not null)
        {
            problems.Warn(
                $"{node.Position}: {path}: \"{ignored}\" is ignored, as in Compose: commands run " +
                "without a shell; write [\"sh\", \"-c\", \"…\"] to have one.");
        }

        return new SequenceNode(
            node.Position, words.Select(word => new ScalarNode(node.Position, word)));
    }

    /// <summary>A string is a line for the shell.</summary>
    public static SequenceNode HealthcheckTest(ScalarNode node, string path, Problems problems) =>
        new(node.Position, [new ScalarNode(node.Position, "CMD-SHELL"), node]);

    /// <summary><c>KEY=VALUE</c> and <c>KEY</c>.</summary>
    public static MappingNode KeyValues(SequenceNode list, string path, Problems problems)
    {
        MappingNode mapping = new(list.Position) { MergeTag = list.MergeTag };
        foreach (Node item in list.Items)
        {
            if (item is not ScalarNode { Value: string text })
            {
                problems.Add(
                    item.Position,
                    $"{path} must be a list of strings such as \"KEY=value\", not {item.Kind}");
                continue;
            }

            int separator = text.IndexOf('=', StringComparison.Ordinal);
            string key = separator < 0 ? text : text[..separator];
            mapping.Set(key, item.Position, separator < 0
                ? ScalarNode.Null(item.Position)
                : new ScalarNode(item.Position, text[(separator + 1)..]));
        }

        return mapping;
    }

    /// <summary><c>host=address</c> or <c>host:address</c>; a host may stand several
    /// times.</summary>
    public static MappingNode Hosts(SequenceNode list, string path, Problems problems)
    {
        MappingNode hosts = new(list.Position) { MergeTag = list.MergeTag };
        foreach (Node item in list.Items)
        {
            string text = item.AsString ?? "";
            int separator = text.IndexOf('=', StringComparison.Ordinal);
            separator = separator < 0 ? text.IndexOf(':', StringComparison.Ordinal) : separator;
            if (separator <= 0)
            {
                problems.Add(
                    item.Position, $"{path} must be a list of strings such as \"host=192.0.2.1\"");
                continue;
            }

            string address = text[(separator + 1)..].Trim('[', ']');
            IEnumerable<Node> earlier = (hosts[text[..separator]] as SequenceNode)?.Items ?? [];
            hosts.Set(text[..separator], item.Position, new SequenceNode(
                item.Position, earlier.Append(new ScalarNode(item.Position, address))));
        }

        return hosts;
    }

    /// <summary>A list of names becomes a mapping from each to <paramref name="make"/>.</summary>
    public static Func<SequenceNode, string, Problems, MappingNode> Names(
        Func<ScalarNode, Node> make) =>
        (list, path, problems) =>
        {
            MappingNode mapping = new(list.Position) { MergeTag = list.MergeTag };
            foreach (Node item in list.Items)
            {
                if (item is ScalarNode { Value: string name } scalar)
                {
                    mapping.Set(name, item.Position, make(scalar));
                }
                else
                {
                    problems.Add(item.Position, $"{path} must be a list of names, not {item.Kind}");
                }
            }

            return mapping;
        };

    /// <summary><c>source:target:permissions</c>.</summary>
    public static MappingNode? Device(ScalarNode node, string path, Problems problems)
    {
        string[] parts = node.ToText().Split(':');
        return parts.Length > 3
            ? null
            : Record(
                node,
                ("source", parts[0]),
                ("target", parts.Length > 1 ? parts[1] : parts[0]),
                ("permissions", parts.Length > 2 ? parts[2] : "rwm"));
    }

    /// <summary><c>[source:]target[:options]</c>.</summary>
    public static MappingNode? Volume(ScalarNode node, string path, Problems problems)
    {
        if (node.Value is not string text)
        {
            return null;
        }

        string[] parts = text.Split(':');
        if (text.Length == 0 || parts.Length > 3 || parts.Any(part => part.Length == 0))
        {
            problems.Add(
                node.Position,
                $"{path}: \"{text}\" is no valid volume; write [source:]target[:options]");
            return new MappingNode(node.Position);
        }

        string source = parts.Length > 1 ? parts[0] : "";
        bool isBind = source.Length > 0 && source[0] is '.' or '/' or '~';
        MappingNode volume = Record(node, ("type", isBind ? "bind" : "volume"));
        if (source.Length > 0)
        {
            volume.Set("source", source);
        }

        volume.Set("target", Paths.Clean(parts.Length > 1 ? parts[1] : parts[0]));
        MappingNode options = new(node.Position);
        foreach (string option in parts.Length > 2 ? parts[2].Split(',') : [])
        {
            ApplyOption(option, volume, options, isBind);
        }

        if (isBind)
        {
            options.Set("create_host_path", ScalarNode.Of(node.Position, true));
        }

        volume.Set(isBind ? "bind" : "volume", options);
        return volume;
    }

    private static void ApplyOption(
        string option, MappingNode volume, MappingNode options, bool isBind)
    {
        switch (option)
        {
            case "ro":
                volume.Set("read_only", ScalarNode.Of(volume.Position, true));
                break;
            case "rw":
                volume.Remove("read_only");
                break;
            case "nocopy" when !isBind:
                options.Set("nocopy", ScalarNode.Of(volume.Position, true));
                break;
            case "z" or "Z" when isBind:
                options.Set("selinux", option);
                break;
            case "private" or "rprivate" or "shared" or "rshared" or "slave" or "rslave"
                when isBind:
                options.Set("propagation", option);
                break;
        }
    }
}
