using Tessera.Stack.Compose.Yaml;
using static Tessera.Stack.Compose.Schema.CommonShapes;

namespace Tessera.Stack.Compose.Model;

/// <summary>Leaves only the networks, volumes, secrets and configs that a service uses.</summary>
internal static class UsedResources
{
    public static void Keep(MappingNode document, MappingNode services)
    {
        MappingNode[] all = [.. services.Entries.Select(entry => (MappingNode)entry.Value)];
        Keep(document, "networks", all.SelectMany(service =>
            service.EntriesOf("networks").Select(entry => entry.Key)));
        Keep(document, "volumes", all.SelectMany(service => service.ItemsOf("volumes"))
            .Where(volume => TextOf(volume, "type") == "volume")
            .Select(volume => TextOf(volume, "source")));
        Keep(document, "secrets", all.SelectMany(service => service.ItemsOf("secrets")
            .Concat(service["build"] is MappingNode build ? build.ItemsOf("secrets") : []))
            .Select(secret => TextOf(secret, "source")));
        Keep(document, "configs", all.SelectMany(service => service.ItemsOf("configs"))
            .Select(config => TextOf(config, "source")));
    }

    private static void Keep(MappingNode document, string kind, IEnumerable<string> used)
    {
        if (document[kind] is not MappingNode declared)
        {
            return;
        }

        HashSet<string> names = new(used, StringComparer.Ordinal);
        MappingNode kept = new(declared.Position);
        foreach (MappingEntry entry in declared.Entries.Where(entry => names.Contains(entry.Key)))
        {
            kept.Set(entry.Key, entry.KeyPosition, entry.Value);
        }

        document.Set(kind, kept);
    }
}
