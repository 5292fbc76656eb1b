using Tessera.Stack.Compose.Schema;
using Tessera.Stack.Compose.Yaml;

namespace Tessera.Stack.Compose.Model;

/// <summary>Names everything that is valid and has no effect yet, in one sentence.</summary>
internal static class UnsupportedKeys
{
    /// <param name="document">The merge of all files, before defaults are filled in.</param>
    /// <param name="file">The first file, as it is shown.</param>
    /// <returns>Null when everything in the document works.</returns>
    public static string? Describe(MappingNode document, string file)
    {
        SortedDictionary<string, List<string>> users = new(StringComparer.Ordinal);
        foreach (MappingEntry service in ((MappingNode)document["services"]!).Entries
            .OrderBy(entry => entry.Key, StringComparer.Ordinal))
        {
            MappingNode keys = (MappingNode)service.Value;
            Collect(keys, ServiceSchema.Service, "", service.Key, users);
            CollectPorts(keys, service.Key, users);
        }

        List<string> parts = [.. users.Select(pair => pair.Value.Count == 1
            ? $"{pair.Key} (service {pair.Value[0]})"
            : $"{pair.Key} (services {string.Join(", ", pair.Value)})")];
        parts.AddRange(ComposeSchema.Document.Keys
            .Where(key => key.IsPending && document.Contains(key.Name))
            .Select(key => $"{key.Name} (top level)"));
        return parts.Count == 0
            ? null
            : $"{file}: these keys are not supported yet and have no effect: " +
                $"{string.Join(", ", parts)}.";
    }

    private static void Collect(
        MappingNode node,
        RecordShape shape,
        string prefix,
        string service,
        SortedDictionary<string, List<string>> users)
    {
        foreach (Key key in shape.Keys)
        {
            if (node[key.Name] is not { } value)
            {
                continue;
            }

            if (key.IsPending)
            {
                Add(prefix + key.Name, service, users);
            }
            else if (key.Shape is RecordShape inner && value is MappingNode mapping)
            {
                Collect(mapping, inner, $"{prefix}{key.Name}.", service, users);
            }
        }
    }

    /// <summary>
    /// The balancer publishes on this machine and for all instances: that is the mode
    /// <c>ingress</c>, which the short form means, too.
    /// </summary>
    private static void CollectPorts(
        MappingNode keys, string service, SortedDictionary<string, List<string>> users)
    {
        foreach (Node port in keys.ItemsOf("ports"))
        {
            if (CommonShapes.TextOf(port, "name").Length > 0)
            {
                Add("ports.name", service, users);
            }

            if (CommonShapes.TextOf(port, "mode") is not ("" or "ingress"))
            {
                Add("ports.mode", service, users);
            }
        }
    }

    private static void Add(
        string key, string service, SortedDictionary<string, List<string>> users)
    {
        if (!users.TryGetValue(key, out List<string>? names))
        {
            users.Add(key, names = []);
        }

        if (!names.Contains(service))
        {
            names.Add(service);
        }
    }
}
