using System.Collections.Immutable;
using Tessera.Stack.Compose.Files;
using Tessera.Stack.Compose.Schema;
using Tessera.Stack.Compose.Variables;
using Tessera.Stack.Compose.Values;
using Tessera.Stack.Compose.Yaml;

namespace Tessera.Stack.Compose.Model;

/// <summary>
/// Folds the files of <c>env_file</c> and the caller's values of bare names into the
/// <c>environment</c> of a service. Used by one thread.
/// </summary>
internal sealed class ServiceEnvironment(
    ImmutableSortedDictionary<string, string> variables,
    string projectDirectory,
    string workingDirectory,
    Problems problems)
{
    public void Fold(MappingNode service)
    {
        Dictionary<string, Node> folded = new(StringComparer.Ordinal);
        if (service["env_file"] is SequenceNode files)
        {
            foreach (MappingNode file in files.Items.OfType<MappingNode>())
            {
                foreach ((string name, string value) in ReadFile(file, folded))
                {
                    folded[name] = new ScalarNode(file.Position, value);
                }
            }
        }

        if (service["environment"] is MappingNode environment)
        {
            foreach (MappingEntry entry in environment.Entries)
            {
                bool isInherited = variables.TryGetValue(entry.Key, out string? value)
                    && entry.Value.IsNull;
                folded[entry.Key] = isInherited
                    ? new ScalarNode(entry.Value.Position, value!)
                    : entry.Value;
            }
        }

        service.Remove("env_file");
        if (folded.Count > 0)
        {
            MappingNode result = new(service["environment"]?.Position ?? service.Position);
            foreach ((string name, Node value) in folded)
            {
                result.Set(name, value.Position, value);
            }

            service.Set("environment", result);
        }
    }

    private IReadOnlyDictionary<string, string> ReadFile(
        MappingNode file, Dictionary<string, Node> earlier)
    {
        string name = CommonShapes.TextOf(file, "path");
        string path = Path.GetFullPath(Paths.ExpandHome(name, variables), projectDirectory);
        string display = SourceFiles.Display(path, workingDirectory);
        bool isRequired = (file["required"] as ScalarNode)?.Value is not false;
        if (!File.Exists(path))
        {
            if (isRequired)
            {
                problems.Add(
                    (file["path"] ?? file).Position,
                    $"the env file {display} does not exist; write \"required: false\" when it " +
                    "may be missing");
            }

            return ImmutableDictionary<string, string>.Empty;
        }

        string text = VariableFiles.ReadText(path, display);
        string? Lookup(string key) => earlier.TryGetValue(key, out Node? value)
            ? CommonShapes.TextOf(value)
            : variables.GetValueOrDefault(key);
        return CommonShapes.TextOf(file, "format") == "raw"
            ? EnvironmentFile.ParseRaw(text, Lookup)
            : EnvironmentFile.Parse(
                display, text, Lookup, key => problems.Warn(VariableFiles.UnsetWarning(key)));
    }
}
