using System.Collections.Immutable;
using Tessera.Stack.Compose.Assembly;
using Tessera.Stack.Compose.Files;
using Tessera.Stack.Compose.Schema;
using Tessera.Stack.Compose.Yaml;
using static Tessera.Stack.Compose.Schema.CommonShapes;

namespace Tessera.Stack.Compose.Model;

/// <summary>
/// Makes the canonical document of the merged one: services of enabled profiles, environments
/// folded, everything checked and filled in. Used by one thread, once.
/// </summary>
internal sealed class Canonical(
    MappingNode document,
    LoadRequest request,
    SourceFiles source,
    ImmutableSortedDictionary<string, string> variables,
    Problems problems)
{
    /// <param name="projectName">Normalised.</param>
    /// <param name="firstFile">As it is shown.</param>
    public string Print(string projectName, string firstFile)
    {
        Dictionary<string, MappingNode> disabled = SelectServices();
        new Checks(document, problems).Run(disabled);
        MappingNode services = (MappingNode)document["services"]!;
        ServiceEnvironment environment =
            new(variables, source.ProjectDirectory, request.WorkingDirectory, problems);
        foreach (MappingEntry entry in services.Entries)
        {
            environment.Fold((MappingNode)entry.Value);
            foreach (MappingNode rules in RuleFiles.RulesOf((MappingNode)entry.Value))
            {
                RuleFiles.Resolve(rules, source.ProjectDirectory, variables);
                RuleFiles.FoldUsers(rules, request.WorkingDirectory, problems);
            }
        }

        RuleFiles.ResolveNginx(
            document[TesseraSchema.Name] as MappingNode, source.ProjectDirectory, variables);
        problems.ThrowIfAny();
        if (UnsupportedKeys.Describe(document, firstFile) is { } warning)
        {
            problems.Warn(warning);
        }

        new Defaults(projectName, source.ProjectDirectory, variables).Apply(document);
        document.Set(TesseraSchema.SourceName, Source());
        return DocumentJson.Write(
            ComposeSchema.Document.ToCanonical(document, CanonicalForm.Complete));
    }

    /// <summary>
    /// Leaves the services of enabled profiles, and those that were named, with what they depend
    /// on; returns the others.
    /// </summary>
    private Dictionary<string, MappingNode> SelectServices()
    {
        ImmutableHashSet<string> profiles = [.. EnabledProfiles()];
        MappingNode services = document["services"] as MappingNode ?? new(document.Position);
        HashSet<string> named = NamedServices(services);
        MappingNode enabled = new(services.Position);
        Dictionary<string, MappingNode> disabled = new(StringComparer.Ordinal);
        foreach (MappingEntry entry in services.Entries)
        {
            MappingNode service = (MappingNode)entry.Value;
            Node[] own = [.. service.ItemsOf("profiles")];
            if (own.Length == 0 || profiles.Contains("*") || named.Contains(entry.Key)
                || own.Any(profile => profiles.Contains(TextOf(profile))))
            {
                enabled.Set(entry.Key, entry.KeyPosition, service);
            }
            else
            {
                disabled.Add(entry.Key, service);
            }
        }

        document.Set("services", services.Position, enabled);
        return disabled;
    }

    private HashSet<string> NamedServices(MappingNode services)
    {
        HashSet<string> named = new(StringComparer.Ordinal);
        Queue<string> open = new(request.Services);
        while (open.TryDequeue(out string? name))
        {
            if (services[name] is MappingNode service && named.Add(name))
            {
                foreach (MappingEntry dependency in service.EntriesOf("depends_on"))
                {
                    open.Enqueue(dependency.Key);
                }
            }
        }

        return named;
    }

    private IEnumerable<string> EnabledProfiles()
    {
        if (!request.Profiles.IsEmpty)
        {
            return request.Profiles;
        }

        return variables.TryGetValue("COMPOSE_PROFILES", out string? list)
            ? list.Split(
                ',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            : [];
    }

    private MappingNode Source()
    {
        MappingNode node = new(document.Position);
        node.Set("working_dir", source.ProjectDirectory);
        node.Set("files", new SequenceNode(
            document.Position,
            source.Paths.Select(path => new ScalarNode(document.Position, path))));
        return node;
    }
}
