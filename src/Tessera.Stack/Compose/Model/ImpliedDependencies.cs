using Tessera.Stack.Compose.Schema;
using Tessera.Stack.Compose.Yaml;
using static Tessera.Stack.Compose.Schema.CommonShapes;

namespace Tessera.Stack.Compose.Model;

/// <summary>A service that shares something of another one depends on it without saying
/// so.</summary>
internal static class ImpliedDependencies
{
    private const string ServicePrefix = "service:";

    public static void Add(MappingNode service)
    {
        foreach (Node link in service.ItemsOf("links"))
        {
            Add(service, TextOf(link).Split(':')[0], isRestarted: true);
        }

        foreach (string key in (string[])["network_mode", "ipc", "pid", "uts", "cgroup"])
        {
            string value = TextOf(service, key);
            if (value.StartsWith(ServicePrefix, StringComparison.Ordinal))
            {
                Add(service, value[ServicePrefix.Length..], isRestarted: true);
            }
        }

        foreach (Node volumes in service.ItemsOf("volumes_from"))
        {
            if (!TextOf(volumes).StartsWith("container:", StringComparison.Ordinal))
            {
                Add(service, TextOf(volumes).Split(':')[0], isRestarted: false);
            }
        }
    }

    private static void Add(MappingNode service, string name, bool isRestarted)
    {
        MappingNode dependencies = service["depends_on"] as MappingNode ?? new(service.Position);
        if (dependencies.Contains(name))
        {
            return;
        }

        MappingNode dependency = new(service.Position);
        dependency.Set("condition", "service_started");
        if (isRestarted)
        {
            dependency.Set("restart", ScalarNode.Of(service.Position, true));
        }

        dependency.Set("required", ScalarNode.Of(service.Position, true));
        dependencies.Set(name, dependency);
        service.Set("depends_on", dependencies);
    }
}
