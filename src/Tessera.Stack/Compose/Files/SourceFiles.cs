using System.Collections.Immutable;

namespace Tessera.Stack.Compose.Files;

/// <summary>The files of a project and where its relative paths start.</summary>
/// <param name="Paths">Absolute, in the order of their merge.</param>
/// <param name="ProjectDirectory">Absolute.</param>
/// <param name="Variables">The caller's, completed by env files.</param>
internal sealed record SourceFiles(
    ImmutableArray<string> Paths,
    string ProjectDirectory,
    ImmutableSortedDictionary<string, string> Variables)
{
    /// <summary>Name that stands for stdin.</summary>
    public const string StandardInput = "-";

    private static readonly string[] Names =
        ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];

    private static readonly string[] OverrideNames =
    [
        "compose.override.yml", "compose.override.yaml",
        "docker-compose.override.yml", "docker-compose.override.yaml",
    ];

    /// <summary>
    /// Finds the files: <c>-f</c>, else <c>COMPOSE_FILE</c>, else the well-known names in the
    /// working directory and above. Env files are read twice, because <c>COMPOSE_FILE</c> may stand
    /// in one and may move the project directory, where another lies.
    /// </summary>
    /// <exception cref="UserErrorException">There is no such file.</exception>
    public static SourceFiles Locate(LoadRequest request, Action<string> warn)
    {
        string? chosen = request.ProjectDirectory is { Length: > 0 } directory
            ? Path.GetFullPath(directory, request.WorkingDirectory)
            : null;
        VariableFiles variables = new(request, warn);
        ImmutableArray<string> named = request.Files;
        if (named.IsEmpty)
        {
            variables.Read(chosen ?? request.WorkingDirectory);
            named = FromVariable(variables.Current);
        }

        ImmutableArray<string> paths = named.IsEmpty
            ? Search(chosen ?? request.WorkingDirectory, warn)
            : [.. named.SelectMany(name => Resolve(name, request.WorkingDirectory, warn))];
        string folder = chosen ?? (paths[0] == StandardInput
            ? request.WorkingDirectory
            : Path.GetDirectoryName(paths[0])!);
        variables.Read(folder);
        return new SourceFiles(paths, folder, variables.Current);
    }

    /// <summary>How a path is shown: relative to the working directory when it lies
    /// below.</summary>
    public static string Display(string path, string workingDirectory)
    {
        if (path == StandardInput)
        {
            return "stdin";
        }

        string relative = Path.GetRelativePath(workingDirectory, path);
        return relative.StartsWith("..", StringComparison.Ordinal) ? path : relative;
    }

    private static ImmutableArray<string> FromVariable(
        ImmutableSortedDictionary<string, string> variables)
    {
        if (!variables.TryGetValue("COMPOSE_FILE", out string? list) || list.Length == 0)
        {
            return [];
        }

        string separator = variables.TryGetValue("COMPOSE_PATH_SEPARATOR", out string? other)
            && other.Length > 0 ? other : ":";
        return [.. list.Split(separator, StringSplitOptions.RemoveEmptyEntries)];
    }

    private static ImmutableArray<string> Search(string start, Action<string> warn)
    {
        for (string? folder = start; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            ImmutableArray<string> found = InFolder(folder, warn);
            if (!found.IsEmpty)
            {
                return found;
            }
        }

        throw new UserErrorException(
            $"no Compose file: none of {string.Join(", ", Names)} is in {start} or above; " +
            "name one with -f.");
    }

    private static ImmutableArray<string> Resolve(
        string name, string workingDirectory, Action<string> warn)
    {
        if (name == StandardInput)
        {
            return [StandardInput];
        }

        string path = Path.GetFullPath(name, workingDirectory);
        if (!Directory.Exists(path))
        {
            return File.Exists(path)
                ? [path]
                : throw new UserErrorException($"{name}: there is no such file or folder.");
        }

        ImmutableArray<string> found = InFolder(path, warn);
        return !found.IsEmpty
            ? found
            : throw new UserErrorException(
                $"{name}: none of {string.Join(", ", Names)} is in this folder.");
    }

    private static ImmutableArray<string> InFolder(string folder, Action<string> warn)
    {
        string? file = First(folder, Names, "config", warn);
        if (file is null)
        {
            return [];
        }

        return First(folder, OverrideNames, "override", warn) is { } second
            ? [file, second]
            : [file];
    }

    private static string? First(
        string folder, string[] names, string kind, Action<string> warn)
    {
        string[] found = [.. names.Select(name => Path.Combine(folder, name)).Where(File.Exists)];
        if (found.Length > 1)
        {
            warn($"Found multiple {kind} files with supported names: " +
                $"{string.Join(", ", found)}. Using {found[0]}.");
        }

        return found.FirstOrDefault();
    }
}
