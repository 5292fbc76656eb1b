using System.Globalization;
using Tessera.Stack.Compose.Schema;
using Tessera.Stack.Compose.Values;
using Tessera.Stack.Compose.Yaml;
using static Tessera.Stack.Compose.Schema.CommonShapes;

namespace Tessera.Stack.Compose.Model;

/// <summary>
/// Routes that a service's labels describe. <c>tessera.route.NAME: "http://host/path"</c> is a
/// route, <c>tessera.route.NAME.key.key: value</c> says what <c>routes.NAME.key.key</c> says under
/// <c>x-tessera</c>; several addresses are separated by semicolons. <c>aliyun.routing.port_8080</c>
/// routes to that port as Alibaba's container service does: services with one address share it.
/// </summary>
internal static class RouteLabels
{
    public const string Prefix = "tessera.route.";
    public const string AliyunPrefix = "aliyun.routing.port_";
    public const string AliyunScale = "aliyun.scale";

    /// <param name="Route">Accepted by <see cref="RouteSchema.Route"/>.</param>
    /// <param name="Path">For messages.</param>
    /// <param name="SharesAddress">
    /// Services with the same address stand behind it together, as they did in Alibaba's service.
    /// </param>
    public readonly record struct Labelled(
        string Name, MappingNode Route, string Path, bool SharesAddress = false);

    public static IEnumerable<Labelled> Read(
        string service, MappingNode definition, Problems problems)
    {
        string path = $"services.{service}.labels.";
        var named = new Dictionary<string, RouteText>(StringComparer.Ordinal);
        List<Labelled> routes = [];
        foreach (MappingEntry label in definition.EntriesOf("labels"))
        {
            if (label.Key.StartsWith(Prefix, StringComparison.Ordinal))
            {
                string[] keys = label.Key[Prefix.Length..].Split('.');
                RouteText route = named.TryGetValue(keys[0], out RouteText? known)
                    ? known
                    : named[keys[0]] = new RouteText(label.KeyPosition);
                route.Add(keys[1..], label, path + label.Key, problems);
            }
            else if (label.Key.StartsWith(AliyunPrefix, StringComparison.Ordinal))
            {
                routes.AddRange(ReadAliyun(label, path + label.Key, problems));
            }
        }

        foreach ((string name, RouteText text) in named)
        {
            foreach (MappingNode route in text.Routes(path + Prefix + name, problems))
            {
                routes.Add(new Labelled(name, route, path + Prefix + name));
            }
        }

        return routes;
    }

    /// <summary>
    /// How many instances <c>aliyun.scale</c> wants; null without it. <c>scale</c> and
    /// <c>deploy.replicas</c> win.
    /// </summary>
    public static int? ReadScale(string service, MappingNode definition, Problems problems)
    {
        if ((definition["labels"] as MappingNode)?[AliyunScale] is not { } label)
        {
            return null;
        }

        string text = TextOf(label);
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int count)
            && count <= Checks.MaxScale)
        {
            return count;
        }

        problems.Add(
            label.Position,
            $"services.{service}.labels.{AliyunScale} must be 0 to {Checks.MaxScale}, not " +
            $"\"{text}\"");
        return null;
    }

    /// <summary>
    /// A name without a dot is the first label of a host: there it stood before the cluster's own
    /// domain, here before any.
    /// </summary>
    private static IEnumerable<Labelled> ReadAliyun(
        MappingEntry label, string path, Problems problems)
    {
        string digits = label.Key[AliyunPrefix.Length..];
        if (!PortSpec.TryPort(digits, out int port))
        {
            problems.Add(label.KeyPosition, $"{path}: \"{digits}\" is no port (1 to 65535)");
            yield break;
        }

        foreach (string text in Addresses(TextOf(label.Value)))
        {
            if (!RouteAddress.TryParse(text, out RouteAddress address, out string problem))
            {
                problems.Add(label.Value.Position, $"{path}: \"{text}\" {problem}");
                continue;
            }

            MappingNode route = new(label.Value.Position);
            route.Set("port", ScalarNode.Of(label.Value.Position, (long)port));
            if (address.Host.Length > 0)
            {
                bool isBare = !address.Host.Contains('.', StringComparison.Ordinal);
                string[] hosts = isBare ? [address.Host, address.Host + ".*"] : [address.Host];
                route.Set("host", new SequenceNode(label.Value.Position, hosts.Select(
                    host => new ScalarNode(label.Value.Position, host))));
            }

            if (address.Path.Length > 0)
            {
                route.Set("path", address.Path);
            }

            yield return new Labelled(label.Key, route, path, SharesAddress: true);
        }
    }

    private static string[] Addresses(string text) => text.Split(
        ';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

    /// <summary>What the labels of one name say. Used by one thread.</summary>
    private sealed class RouteText(SourcePosition position)
    {
        private readonly MappingNode _options = new(position);
        private ScalarNode? _addresses;

        public void Add(string[] keys, MappingEntry label, string path, Problems problems)
        {
            var value = new ScalarNode(label.Value.Position, TextOf(label.Value));
            if (keys.Length == 0)
            {
                _addresses = value;
                return;
            }

            Shape shape = RouteSchema.Route;
            MappingNode owner = _options;
            for (int i = 0; shape is RecordShape record; i++)
            {
                // A key that does not exist is told by the shape, with what may have been meant.
                Shape? inner = record.Find(keys[i])?.Shape;
                if (i == keys.Length - 1 || inner is null)
                {
                    Set(owner, keys[i], Value(inner, value), label, path, problems);
                    return;
                }

                if (owner[keys[i]] is null)
                {
                    owner.Set(keys[i], label.KeyPosition, new MappingNode(label.KeyPosition));
                }

                if (owner[keys[i]] is not MappingNode next)
                {
                    problems.Add(label.KeyPosition, $"{path}: {keys[i]} has a value already");
                    return;
                }

                owner = next;
                shape = inner;

                // Names of a mapping may have dots: what is left of the label is one name.
                if (shape is MapShape)
                {
                    owner.Set(string.Join('.', keys[(i + 1)..]), label.KeyPosition, value);
                    return;
                }
            }

            problems.Add(label.KeyPosition, $"{path}: it has no such keys");
        }

        /// <summary>One route for each address, all with the same options.</summary>
        public IEnumerable<MappingNode> Routes(string path, Problems problems)
        {
            string[] addresses = _addresses is null ? [""] : Addresses(_addresses.ToText());
            foreach (string address in addresses.DefaultIfEmpty(""))
            {
                Node own = RouteSchema.Route.Accept(_options, path, problems);
                Node place = address.Length == 0
                    ? new MappingNode(position)
                    : RouteSchema.Route.Accept(
                        new ScalarNode(_addresses!.Position, address), path, problems);
                if (RouteSchema.Route.Merge(place, own) is MappingNode route)
                {
                    yield return route;
                }
            }
        }

        private static void Set(
            MappingNode owner, string key, Node value, MappingEntry label, string path,
            Problems problems)
        {
            if (owner.Contains(key))
            {
                problems.Add(label.KeyPosition, $"{path}: {key} has keys of its own already");
                return;
            }

            owner.Set(key, label.KeyPosition, value);
        }

        /// <summary>Commas separate the items of a list.</summary>
        private static Node Value(Shape? shape, ScalarNode value) => shape is ListShape
            ? new SequenceNode(value.Position, value.ToText()
                .Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
                .Select(item => new ScalarNode(value.Position, item)))
            : value;
    }
}
