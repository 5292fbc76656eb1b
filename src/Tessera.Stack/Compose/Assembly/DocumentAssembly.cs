using System.Collections.Immutable;
using Tessera.Stack.Compose.Files;
using Tessera.Stack.Compose.Schema;
using Tessera.Stack.Compose.Variables;
using Tessera.Stack.Compose.Yaml;

namespace Tessera.Stack.Compose.Assembly;

/// <summary>
/// Makes one document of many: expands variables, validates, follows <c>extends</c> and
/// <c>include</c>, and lays each document over those before it. Used by one thread.
/// </summary>
/// <param name="workingDirectory">Messages name files relative to it.</param>
internal sealed class DocumentAssembly(string workingDirectory, Problems problems)
{
    /// <summary>More files than these are a mistake of a generator.</summary>
    private const int MaxFiles = 1_000;

    private readonly List<string> _openIncludes = [];
    private int _fileCount;

    /// <param name="paths">Files that the documents come from, absolute.</param>
    /// <param name="folder">Relative paths of the documents start there.</param>
    /// <returns>Values in their long form; what is left open stays open.</returns>
    /// <exception cref="UserErrorException">Something in the files is wrong.</exception>
    public MappingNode Assemble(
        IReadOnlyList<Node> documents,
        ImmutableArray<string> paths,
        string folder,
        ImmutableSortedDictionary<string, string> variables)
    {
        MappingNode[] layers = Accept(documents, variables);
        ServiceExtension extension = new(this, folder, variables, problems);
        MappingNode merged = new(documents[0].Position);
        foreach (MappingNode layer in layers)
        {
            extension.Apply(layer, paths[0]);
            problems.ThrowIfAny();
            Include(layer, paths, folder, variables);
            merged = (MappingNode)ComposeSchema.Document.Merge(merged, layer);
        }

        return merged;
    }

    /// <summary>Reads a file that another one names.</summary>
    /// <param name="position">Of the name, for messages.</param>
    public MappingNode[] Read(
        string path, SourcePosition position, ImmutableSortedDictionary<string, string> variables)
    {
        if (!File.Exists(path))
        {
            throw new UserErrorException(
                $"{position}: there is no file {SourceFiles.Display(path, workingDirectory)}.");
        }

        if (++_fileCount > MaxFiles)
        {
            throw new UserErrorException($"{position}: more than {MaxFiles} files are named.");
        }

        return Accept(DocumentReader.Read([path], workingDirectory, problems), variables);
    }

    private MappingNode[] Accept(
        IEnumerable<Node> documents, ImmutableSortedDictionary<string, string> variables)
    {
        Interpolation interpolation = new(variables);
        Node[] accepted = [.. documents.Select(document => ComposeSchema.Document.Accept(
            interpolation.Expand(document), "", problems))];
        foreach (string unset in interpolation.UnsetVariables)
        {
            problems.Warn(VariableFiles.UnsetWarning(unset));
        }

        problems.ThrowIfAny();
        return [.. accepted.Cast<MappingNode>()];
    }

    private void Include(
        MappingNode layer,
        ImmutableArray<string> paths,
        string folder,
        ImmutableSortedDictionary<string, string> variables)
    {
        if (layer["include"] is not SequenceNode includes)
        {
            return;
        }

        _openIncludes.AddRange(paths);
        foreach (MappingNode include in includes.Items.Cast<MappingNode>())
        {
            Inclusion inclusion = new(include, folder, workingDirectory, variables, problems);
            foreach (string path in inclusion.Paths)
            {
                CheckCycle(path, include.Position);
            }

            MappingNode included = Assemble(
                DocumentReader.Read(inclusion.Paths, workingDirectory, problems),
                inclusion.Paths,
                inclusion.Folder,
                inclusion.Variables);
            inclusion.Import(included, layer);
        }

        problems.ThrowIfAny();
        _openIncludes.RemoveRange(_openIncludes.Count - paths.Length, paths.Length);
        layer.Remove("include");
    }

    private void CheckCycle(string path, SourcePosition position)
    {
        if (++_fileCount > MaxFiles)
        {
            throw new UserErrorException($"{position}: more than {MaxFiles} files are named.");
        }

        int first = _openIncludes.IndexOf(path);
        if (first >= 0)
        {
            IEnumerable<string> cycle = _openIncludes[first..].Append(path)
                .Select(file => SourceFiles.Display(file, workingDirectory));
            throw new UserErrorException(
                $"{position}: include cycle detected: {string.Join(" -> ", cycle)}.");
        }
    }
}
