using System.Collections.Immutable;
using Tessera.Stack.Compose.Files;
using Tessera.Stack.Compose.Schema;
using Tessera.Stack.Compose.Variables;
using Tessera.Stack.Compose.Yaml;
using static Tessera.Stack.Compose.Schema.CommonShapes;

namespace Tessera.Stack.Compose.Assembly;

/// <summary>One entry of <c>include</c>: a project within the project, with a folder and variables
/// of its own.</summary>
internal sealed class Inclusion
{
    private static readonly string[] Resources =
        ["services", "networks", "volumes", "secrets", "configs", "models"];

    private readonly Problems _problems;

    /// <param name="include">In its long form.</param>
    /// <param name="folder">Of the file that includes.</param>
    public Inclusion(
        MappingNode include,
        string folder,
        string workingDirectory,
        ImmutableSortedDictionary<string, string> variables,
        Problems problems)
    {
        _problems = problems;
        Paths =
        [
            .. include.ItemsOf("path").Select(path => Existing(path, folder, workingDirectory)),
        ];
        if (Paths.IsEmpty)
        {
            throw new UserErrorException($"{include.Position}: this include names no file.");
        }

        Folder = TextOf(include, "project_directory") is { Length: > 0 } named
            ? Path.GetFullPath(named, folder)
            : Path.GetDirectoryName(Paths[0])!;
        string standard = Path.Combine(Folder, ".env");
        string[] files = include.ItemsOf("env_file") is { Count: > 0 } own
            ? [.. own.Select(file => Existing(file, folder, workingDirectory))]
            : File.Exists(standard) ? [standard] : [];
        Variables = files.Aggregate(
            variables, (known, file) => Extend(known, file, workingDirectory));
    }

    /// <summary>Absolute; those after the first are laid over it.</summary>
    public ImmutableArray<string> Paths { get; }

    public string Folder { get; }

    /// <summary>Those of the project that includes win.</summary>
    public ImmutableSortedDictionary<string, string> Variables { get; }

    /// <summary>Adds what the included project declares; nothing may be declared twice.</summary>
    public void Import(MappingNode included, MappingNode layer)
    {
        RelativePaths.Resolve(included, Folder, Variables);
        foreach (MappingNode service in included.EntriesOf("services").Select(entry => entry.Value)
            .OfType<MappingNode>())
        {
            Anchor(service);
        }

        foreach (string kind in Resources.Where(included.Contains))
        {
            MappingNode own = layer[kind] as MappingNode ?? new(included.Position);
            foreach (MappingEntry entry in included.EntriesOf(kind))
            {
                if (own.Find(entry.Key) is { } other && !Node.AreEqual(other.Value, entry.Value))
                {
                    _problems.Add(
                        other.KeyPosition,
                        $"{kind}.{entry.Key} is also declared by the included " +
                        $"{entry.KeyPosition}; rename one, or change it in an override file");
                }

                own.Set(entry.Key, entry.KeyPosition, entry.Value);
            }

            layer.Set(kind, own);
        }
    }

    /// <summary>Gives a service what it would have in a project of its own.</summary>
    private void Anchor(MappingNode service)
    {
        bool isNative = !service.Contains("image") && !service.Contains("build");
        if (isNative && !service.Contains("working_dir"))
        {
            service.Set("working_dir", Folder);
        }

        foreach (MappingEntry entry in service.EntriesOf("environment").ToArray())
        {
            if (entry.Value.IsNull && Variables.TryGetValue(entry.Key, out string? value))
            {
                ((MappingNode)service["environment"]!).Set(
                    entry.Key, entry.KeyPosition, new ScalarNode(entry.Value.Position, value));
            }
        }
    }

    private static string Existing(Node name, string folder, string workingDirectory)
    {
        string path = Path.GetFullPath(TextOf(name), folder);
        return File.Exists(path)
            ? path
            : throw new UserErrorException(
                $"{name.Position}: there is no file " +
                $"{SourceFiles.Display(path, workingDirectory)}.");
    }

    private ImmutableSortedDictionary<string, string> Extend(
        ImmutableSortedDictionary<string, string> known, string path, string workingDirectory)
    {
        string display = SourceFiles.Display(path, workingDirectory);
        IReadOnlyDictionary<string, string> added = EnvironmentFile.Parse(
            display,
            VariableFiles.ReadText(path, display),
            name => known.GetValueOrDefault(name),
            name => _problems.Warn(VariableFiles.UnsetWarning(name)));
        return known.AddRange(added.Where(pair => !known.ContainsKey(pair.Key)));
    }
}
