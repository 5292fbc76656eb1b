using Tessera.Stack.Compose.Schema;
using Tessera.Stack.Compose.Values;
using Tessera.Stack.Compose.Yaml;

namespace Tessera.Stack.Compose.Model;

/// <summary>The <c>ulimits</c> of a service against what setrlimit(2) has.</summary>
internal static class ServiceLimits
{
    private static readonly string[] Names =
    [
        "as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile",
        "nproc", "rss", "rtprio", "rttime", "sigpending", "stack",
    ];

    public static void Check(string service, MappingNode owner, Problems problems)
    {
        if (owner["ulimits"] is not MappingNode limits)
        {
            return;
        }

        foreach (MappingEntry entry in limits.Entries)
        {
            string path = $"services.{service}.ulimits.{entry.Key}";
            if (!Names.Contains(entry.Key, StringComparer.Ordinal))
            {
                string? nearest = EditDistance.Nearest(entry.Key, Names);
                problems.Add(
                    entry.KeyPosition,
                    $"{path}: there is no such limit" +
                    (nearest is null ? "" : $"; did you mean \"{nearest}\"?"));
                continue;
            }

            if (entry.Value is not MappingNode limit)
            {
                Range(path, entry.Value, problems);
                continue;
            }

            long? soft = Range(path, limit["soft"], problems);
            long? hard = Range(path, limit["hard"], problems);
            if (soft is null || hard is null)
            {
                problems.Add(limit.Position, $"{path} needs both soft and hard");
            }
            else if (hard != -1 && (soft == -1 || soft > hard))
            {
                problems.Add(limit.Position, $"{path}: the soft limit is above the hard limit");
            }
        }
    }

    private static long? Range(string path, Node? node, Problems problems)
    {
        if (node is not ScalarNode { Value: long value })
        {
            return null;
        }

        if (value < -1)
        {
            problems.Add(node.Position, $"{path} must be 0 or more, or -1 for no limit");
        }

        return value;
    }
}
