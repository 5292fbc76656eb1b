using System.Collections.Immutable;
using Tessera.Stack.Compose.Schema;
using Tessera.Stack.Compose.Values;
using Tessera.Stack.Compose.Yaml;
using static Tessera.Stack.Compose.Schema.CommonShapes;

namespace Tessera.Stack.Compose.Assembly;

/// <summary>
/// Makes the paths of a document absolute that another folder's document takes over: they would
/// start in the wrong place there.
/// </summary>
internal static class RelativePaths
{
    public static void Resolve(
        MappingNode document, string folder, ImmutableSortedDictionary<string, string> variables)
    {
        foreach (MappingNode service in document.EntriesOf("services").Select(entry => entry.Value)
            .OfType<MappingNode>())
        {
            ResolveService(service, folder, variables);
        }

        RuleFiles.ResolveNginx(document[TesseraSchema.Name] as MappingNode, folder, variables);
        foreach (MappingNode file in document.EntriesOf("secrets")
            .Concat(document.EntriesOf("configs"))
            .Select(entry => entry.Value).OfType<MappingNode>())
        {
            Resolve(file, "file", folder, variables);
        }
    }

    public static void ResolveService(
        MappingNode service, string folder, ImmutableSortedDictionary<string, string> variables)
    {
        if (service["build"] is MappingNode build)
        {
            if (!build.Contains("context"))
            {
                build.Set("context", ".");
            }

            if (!Paths.IsRemote(TextOf(build, "context")))
            {
                Resolve(build, "context", folder, variables);
            }
        }

        foreach (MappingNode file in service.ItemsOf("env_file").OfType<MappingNode>())
        {
            Resolve(file, "path", folder, variables);
        }

        foreach (MappingNode volume in service.ItemsOf("volumes").OfType<MappingNode>()
            .Where(volume => TextOf(volume, "type") == "bind"))
        {
            Resolve(volume, "source", folder, variables);
        }

        foreach (MappingNode rules in RuleFiles.RulesOf(service))
        {
            RuleFiles.Resolve(rules, folder, variables);
        }

        // A native process runs in the folder of the file that describes it.
        if (!service.Contains("image") && !service.Contains("build"))
        {
            Resolve(service, "working_dir", folder, variables);
        }
    }

    private static void Resolve(
        MappingNode owner,
        string key,
        string folder,
        ImmutableSortedDictionary<string, string> variables)
    {
        if (owner[key] is ScalarNode { Value: string { Length: > 0 } path } node)
        {
            owner.Set(
                key,
                node.Position,
                new ScalarNode(node.Position, Paths.Absolute(path, folder, variables)));
        }
    }
}
