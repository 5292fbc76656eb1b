namespace Tessera.Stack.Planning;

/// <summary>
/// The order that <c>depends_on</c> puts services in. The loader has refused cycles.
/// </summary>
public static class ServiceGraph
{
    /// <summary>
    /// The named services (all when there are none), each after what it depends on. With
    /// <paramref name="withDependencies"/> the dependencies of the named ones come too.
    /// </summary>
    public static List<Service> InOrder(
        Project project, IReadOnlyCollection<string> names, bool withDependencies)
    {
        HashSet<string> wanted = names.Count == 0 ? [.. project.Services.Keys] : [.. names];
        var ordered = new List<Service>();
        var visited = new HashSet<string>(StringComparer.Ordinal);
        foreach (string name in project.Services.Keys.Where(wanted.Contains))
        {
            Visit(name, isWanted: true);
        }

        return ordered;

        void Visit(string name, bool isWanted)
        {
            if (!project.Services.TryGetValue(name, out Service? service) || !visited.Add(name))
            {
                return;
            }

            foreach (Dependency dependency in service.DependsOn)
            {
                Visit(dependency.Service, withDependencies || wanted.Contains(dependency.Service));
            }

            if (isWanted)
            {
                ordered.Add(service);
            }
        }
    }

    /// <summary>
    /// The named services and every one that must be restarted with them (<c>depends_on: { db: {
    /// restart: true } }</c>), transitively.
    /// </summary>
    public static List<string> WithRestartedDependents(Project project, IEnumerable<string> names)
    {
        var restarted = new List<string>(names);
        for (int i = 0; i < restarted.Count; i++)
        {
            restarted.AddRange(project.Services.Values
                .Where(s => s.DependsOn.Any(d => d.Restart && d.Service == restarted[i]))
                .Select(s => s.Name)
                .Where(name => !restarted.Contains(name)));
        }

        return restarted;
    }
}
