using Tessera.Stack.Compose.Model;
using Tessera.Stack.Compose.Schema;
using Tessera.Stack.Compose.Yaml;

namespace Tessera.Stack.Compose;

/// <summary>
/// Prints <see cref="LoadedProject.CanonicalJson"/> for people and programs, as <c>docker compose
/// config</c> does: without where the project came from.
/// </summary>
public static class CanonicalText
{
    /// <summary>What <c>config --format json</c> prints.</summary>
    /// <param name="services">Only these and what they depend on; all when it is empty.</param>
    /// <exception cref="UserErrorException">Not a canonical document.</exception>
    public static string Json(string canonicalJson, params string[] services)
    {
        MappingNode document = Read(canonicalJson, services, CanonicalForm.Json);
        MappingNode sorted = new(document.Position);
        foreach (MappingEntry entry in document.Entries.OrderBy(
            entry => entry.Key, StringComparer.Ordinal))
        {
            sorted.Set(entry.Key, entry.Value);
        }

        return DocumentJson.Write(sorted) + "\n";
    }

    /// <summary>What <c>config</c> prints.</summary>
    /// <param name="services">Only these and what they depend on; all when it is empty.</param>
    /// <exception cref="UserErrorException">Not a canonical document.</exception>
    public static string Yaml(string canonicalJson, params string[] services) =>
        YamlWriter.Write(Read(canonicalJson, services, CanonicalForm.Yaml))
            .Replace("$", "$$", StringComparison.Ordinal);

    private static MappingNode Read(string canonicalJson, string[] services, CanonicalForm form)
    {
        MappingNode document = DocumentJson.Read(canonicalJson);
        document.Remove(TesseraSchema.SourceName);
        if (services.Length > 0)
        {
            Select(document, services);
        }

        return (MappingNode)ComposeSchema.Document.ToCanonical(document, form);
    }

    private static void Select(MappingNode document, string[] names)
    {
        MappingNode all = document["services"] as MappingNode ?? new(document.Position);
        MappingNode selected = new(document.Position);
        Queue<string> open = new(names);
        while (open.TryDequeue(out string? name))
        {
            if (selected.Contains(name) || all[name] is not MappingNode service)
            {
                continue;
            }

            selected.Set(name, service);
            foreach (MappingEntry dependency in service.EntriesOf("depends_on"))
            {
                open.Enqueue(dependency.Key);
            }
        }

        document.Set("services", selected);
        UsedResources.Keep(document, selected);
    }
}
