using System.Collections.Immutable;
using Tessera.Stack;

namespace Tessera.Daemon;

/// <param name="Target">Port of the service that requests go to.</param>
internal readonly record struct BackendMember(Service Service, int Target);

/// <summary>A backend of a project and whose instances it has. Immutable.</summary>
/// <param name="Name">Unique among all projects.</param>
/// <param name="Members">
/// In the order of their names, each service once. What the backend does as a whole is the same in
/// all: <see cref="DesiredProject.RefuseProblems"/>.
/// </param>
internal sealed record PublishedBackend(string Name, ImmutableArray<BackendMember> Members)
{
    public bool IsShared => Members.Length > 1;

    public static PublishedBackend Own(string project, Service service, int target) =>
        new(NameOf(project, service.Name, target), [new BackendMember(service, target)]);

    public static string NameOf(string project, string service, int target) =>
        $"{project}/{service}:{target}";

    /// <summary>
    /// Those that several services name, by the name in the file. A name that one service has alone
    /// means the service's own backend.
    /// </summary>
    public static Dictionary<string, PublishedBackend> SharedOf(Project project)
    {
        var named = new SortedDictionary<string, List<BackendMember>>(StringComparer.Ordinal);
        foreach (Service service in project.Services.Values)
        {
            foreach ((string name, int target) in Publication.RoutesOf(service)
                .Where(route => route.Backend is not null)
                .Select(route => (route.Backend!, route.Port ?? 0)))
            {
                List<BackendMember> members = named.TryGetValue(name, out var known)
                    ? known
                    : named[name] = [];
                if (members.Count == 0 || members[^1].Service != service)
                {
                    members.Add(new BackendMember(service, target));
                }
            }
        }

        // No name of a service's own backend is without a port, and no other has one.
        return named.Where(pair => pair.Value.Count > 1).ToDictionary(
            pair => pair.Key,
            pair => new PublishedBackend($"{project.Name}/{pair.Key}", [.. pair.Value]),
            StringComparer.Ordinal);
    }
}
