using System.Collections.Immutable;
using Tessera.Stack.Compose.Schema;
using Tessera.Stack.Compose.Variables;
using Tessera.Stack.Compose.Yaml;

namespace Tessera.Stack.Compose.Files;

/// <summary>Reads the files of a project into documents.</summary>
internal static class DocumentReader
{
    /// <exception cref="UserErrorException">A file cannot be read, or is no Compose
    /// file.</exception>
    public static List<Node> Read(
        ImmutableArray<string> paths, string workingDirectory, Problems problems)
    {
        List<Node> documents = [];
        foreach (string path in paths)
        {
            string display = SourceFiles.Display(path, workingDirectory);
            IReadOnlyList<Node> found = YamlReader.Read(display, ReadBytes(path, display));
            if (found.Count == 0)
            {
                throw new UserErrorException(
                    $"{display}: empty compose file; it needs \"services:\" at least.");
            }

            foreach (Node document in found)
            {
                if (document is not MappingNode mapping)
                {
                    throw new UserErrorException(
                        $"{document.Position}: the top level must be a mapping, not " +
                        $"{document.Kind}.");
                }

                if (mapping.Contains("version"))
                {
                    problems.Warn(
                        $"{path}: the attribute `version` is obsolete, it will be ignored, " +
                        "please remove it to avoid potential confusion");
                }
            }

            documents.AddRange(found);
        }

        return documents;
    }

    /// <summary>The top-level <c>name</c> of the last document that has one, expanded.</summary>
    public static string? NameOf(
        IEnumerable<Node> documents, ImmutableSortedDictionary<string, string> variables)
    {
        Node? name = documents.OfType<MappingNode>().Select(document => document["name"])
            .LastOrDefault(value => value is not null);
        return name is null ? null : new Interpolation(variables).Expand(name).AsString;
    }

    private static byte[] ReadBytes(string path, string display)
    {
        try
        {
            using Stream stream = path == SourceFiles.StandardInput
                ? Console.OpenStandardInput()
                : File.OpenRead(path);
            using MemoryStream content = new();
            byte[] block = new byte[64 * 1024];
            int read;
            while (content.Length <= YamlReader.MaxBytes && (read = stream.Read(block)) > 0)
            {
                content.Write(block, 0, read);
            }

            return content.ToArray();
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"{display}: {problem.Message}");
        }
    }
}
