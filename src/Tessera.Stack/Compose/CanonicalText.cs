using Tessera.Stack.Compose.Model;
using Tessera.Stack.Compose.Schema;
using Tessera.Stack.Compose.Yaml;

namespace Tessera.Stack.Compose;

/// <summary>
/// Prints <see cref="LoadedProject.CanonicalJson"/> for people and programs, as
/// <c>docker compose config</c> does: without where the project came from.
/// </summary>
public static class CanonicalText
{
    /// <summary>What <c>config --format json</c> prints, without a line break at its end.</summary>
    /// <exception cref="UserErrorException">Not a canonical document.</exception>
    public static string Json(string canonicalJson)
    {
        MappingNode document = Read(canonicalJson, CanonicalForm.Json);
        MappingNode sorted = new(document.Position);
        foreach (MappingEntry entry in document.Entries.OrderBy(
            entry => entry.Key, StringComparer.Ordinal))
        {
            sorted.Set(entry.Key, entry.Value);
        }

        return DocumentJson.Write(sorted);
    }

    /// <summary>What <c>config</c> prints, with a line break at its end.</summary>
    /// <exception cref="UserErrorException">Not a canonical document.</exception>
    public static string Yaml(string canonicalJson) =>
        YamlWriter.Write(Read(canonicalJson, CanonicalForm.Yaml))
            .Replace("$", "$$", StringComparison.Ordinal);

    private static MappingNode Read(string canonicalJson, CanonicalForm form)
    {
        MappingNode document = DocumentJson.Read(canonicalJson);
        document.Remove(TesseraSchema.SourceName);
        return (MappingNode)ComposeSchema.Document.ToCanonical(document, form);
    }
}
