using System.Collections.Immutable;
using Tessera.Stack.Compose.Schema;
using Tessera.Stack.Compose.Yaml;
using Tessera.Stack.Routing;

namespace Tessera.Stack.Compose.Model;

/// <summary>Services behind one backend must agree on what it does.</summary>
internal static class SharedBackends
{
    public static void Check(MappingNode services, Problems problems)
    {
        var entries = services.Entries.ToDictionary(entry => entry.Key, StringComparer.Ordinal);
        foreach (ShareConflict conflict in SharedBackend.Conflicts(
            services.Entries.SelectMany(SharesOf)))
        {
            problems.Add(
                PlaceOf(entries[conflict.Later.Service], conflict.Option),
                conflict.Describe(
                    service => $" ({PlaceOf(entries[service], conflict.Option)})"));
        }
    }

    private static IEnumerable<BackendShare> SharesOf(MappingEntry entry)
    {
        MappingNode service = (MappingNode)entry.Value;

        // Mistakes within a service are told where it is checked alone.
        ServiceOptions options = OptionsBinder.Bind(entry.Key, service, new Problems());
        int first = PublishedPorts.FirstTarget(service, options.Routes);
        return options.Routes.Select(
            route => new BackendShare(entry.Key, options, route, route.Port ?? first));
    }

    /// <summary>The option itself where the service has it, else the service.</summary>
    private static SourcePosition PlaceOf(MappingEntry service, string option) =>
        ((service.Value as MappingNode)?[TesseraSchema.Name] as MappingNode)?[option]?.Position
            ?? service.KeyPosition;
}
