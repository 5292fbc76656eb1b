using Tessera.Stack.Compose.Schema;
using Tessera.Stack.Compose.Yaml;

namespace Tessera.Stack.Compose.Model;

/// <summary>Services that wait for each other would never start.</summary>
internal static class DependencyCycles
{
    public static void Check(MappingNode services, Problems problems)
    {
        HashSet<string> done = new(StringComparer.Ordinal);
        foreach (MappingEntry entry in services.Entries.OrderBy(e => e.Key, StringComparer.Ordinal))
        {
            if (Find(services, entry.Key, done) is { } cycle)
            {
                SourcePosition position = PositionOf(services, cycle[0], cycle[1]);
                problems.Add(
                    position,
                    $"dependency cycle detected: {string.Join(" -> ", cycle)}; take one of these " +
                    "depends_on away");
                return;
            }
        }
    }

    /// <summary>Depth first, with a stack of its own: a long chain is no reason to fail.</summary>
    private static List<string>? Find(MappingNode services, string start, HashSet<string> done)
    {
        List<string> path = [];
        HashSet<string> open = new(StringComparer.Ordinal);
        Stack<(string Name, bool IsExit)> pending = new([(start, false)]);
        while (pending.TryPop(out (string Name, bool IsExit) step))
        {
            if (step.IsExit)
            {
                path.RemoveAt(path.Count - 1);
                open.Remove(step.Name);
                done.Add(step.Name);
                continue;
            }

            if (open.Contains(step.Name))
            {
                return [.. path[path.IndexOf(step.Name)..], step.Name];
            }

            if (done.Contains(step.Name))
            {
                continue;
            }

            path.Add(step.Name);
            open.Add(step.Name);
            pending.Push((step.Name, true));
            foreach (string next in DependenciesOf(services, step.Name).Reverse())
            {
                pending.Push((next, false));
            }
        }

        return null;
    }

    private static IEnumerable<string> DependenciesOf(MappingNode services, string name) =>
        (services[name] as MappingNode)?["depends_on"] is MappingNode dependencies
            ? dependencies.Entries.Select(entry => entry.Key)
            : [];

    private static SourcePosition PositionOf(MappingNode services, string from, string to) =>
        ((services[from] as MappingNode)?["depends_on"] as MappingNode)?.Find(to)?.KeyPosition
            ?? SourcePosition.None;
}
