using System.Collections.Immutable;
using System.Text;
using Tessera.Stack.Compose.Variables;

namespace Tessera.Stack.Compose.Files;

/// <summary>
/// The variables of a project: the caller's environment, then what <c>--env-file</c>,
/// <c>COMPOSE_ENV_FILES</c> or else <c>.env</c> add to it. Used by one thread.
/// </summary>
internal sealed class VariableFiles(LoadRequest request, Action<string> warn)
{
    private readonly HashSet<string> _read = new(StringComparer.Ordinal);

    public ImmutableSortedDictionary<string, string> Current { get; private set; } =
        request.Environment;

    /// <summary>Adds the files that belong to a project in <paramref name="folder"/>.</summary>
    /// <exception cref="UserErrorException">A named file is missing, or a file is
    /// wrong.</exception>
    public void Read(string folder)
    {
        string[] named = NamedFiles();
        string[] paths = named.Length > 0 ? named : [Path.Combine(folder, ".env")];
        Dictionary<string, string> added = new(StringComparer.Ordinal);
        foreach (string path in paths.Where(_read.Add))
        {
            if (named.Length == 0 && !File.Exists(path))
            {
                continue;
            }

            string display = SourceFiles.Display(path, request.WorkingDirectory);
            string text = ReadText(path, display);
            IReadOnlyDictionary<string, string> values = EnvironmentFile.Parse(
                display,
                text,
                name => Current.TryGetValue(name, out string? value)
                    ? value
                    : added.GetValueOrDefault(name),
                name => warn(UnsetWarning(name)));
            foreach ((string name, string value) in values)
            {
                added[name] = value;
            }
        }

        foreach ((string name, string value) in added)
        {
            if (!Current.ContainsKey(name))
            {
                Current = Current.Add(name, value);
            }
        }
    }

    public static string UnsetWarning(string name) =>
        $"The \"{name}\" variable is not set. Defaulting to a blank string.";

    /// <param name="display">Name for messages.</param>
    /// <exception cref="UserErrorException">The file cannot be read, or is too large.</exception>
    public static string ReadText(string path, string display)
    {
        try
        {
            using FileStream file = File.OpenRead(path);
            if (file.Length > EnvironmentFile.MaxBytes)
            {
                throw new UserErrorException(
                    $"{display}: the file is larger than {EnvironmentFile.MaxBytes / 1024} KiB.");
            }

            using StreamReader reader = new(file, Encoding.UTF8);
            return reader.ReadToEnd();
        }
        catch (Exception problem) when (
            problem is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new UserErrorException($"{display}: there is no such env file.");
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"{display}: {problem.Message}");
        }
    }

    private string[] NamedFiles()
    {
        IEnumerable<string> names = request.EnvFiles;
        if (request.EnvFiles.IsEmpty
            && request.Environment.TryGetValue("COMPOSE_ENV_FILES", out string? list))
        {
            names = list.Split(
                ',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        }

        return [.. names.Select(name => Path.GetFullPath(name, request.WorkingDirectory))];
    }
}
