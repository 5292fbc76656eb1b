using System.Collections.Immutable;
using System.Text.Json;
using Tessera.Stack;
using Tessera.Stack.Compose.Files;

namespace Tessera.Daemon;

/// <summary>
/// The desired state on disk: <c>projects/NAME/project.json</c>. Each write is atomic (temporary
/// file, fsync, rename), so a kill or a full disk leaves the old state or the new one, never half.
/// </summary>
internal sealed class ProjectStore(TesseraHome home)
{
    private const string FileName = "project.json";
    private const int MaxDeletions = 5;

    /// <exception cref="UserErrorException">Not a name that a project can have.</exception>
    public string FolderOf(string project) =>
        Path.Combine(home.Projects, ProjectName.Require(project));

    /// <summary>Names of all projects that have a folder, in order.</summary>
    public ImmutableArray<string> Names => !Directory.Exists(home.Projects)
        ? []
        : [.. Directory.EnumerateDirectories(home.Projects)
            .Select(folder => Path.GetFileName(folder)).Where(ProjectName.IsValid)
            .Order(StringComparer.Ordinal)];

    /// <summary>
    /// A project's desired state; null, after <paramref name="tell"/> was told why, when it cannot
    /// be read. A folder that holds neither it nor instances is no project's, and nothing is told.
    /// </summary>
    public ProjectEntry? Load(string project, Action<string> tell)
    {
        string path = Path.Combine(FolderOf(project), FileName);
        if (!File.Exists(path)
            && !Directory.Exists(Path.Combine(FolderOf(project), "instances")))
        {
            return null;
        }

        try
        {
            return JsonSerializer.Deserialize(
                File.ReadAllBytes(path), ProjectJson.Default.ProjectEntry)
                ?? throw new JsonException("it is empty");
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException)
        {
            tell($"{path} cannot be read: {e.Message.TrimEnd('.')}. What runs of {project} runs on "
                + "without routes; run `tessera up` with its file, or "
                + $"`tessera -p {project} down`.");
            return null;
        }
    }

    public void Save(ProjectEntry entry)
    {
        string folder = FolderOf(entry.Name);
        // Environments hold secrets: nobody but the owner may look.
        Directory.CreateDirectory(folder,
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        string path = Path.Combine(folder, FileName);
        string next = path + ".next";
        using (var file = new FileStream(next, FileMode.Create, FileAccess.Write))
        {
            JsonSerializer.Serialize(file, entry, ProjectJson.Default.ProjectEntry);
            file.Flush(flushToDisk: true);
        }

        File.Move(next, path, overwrite: true);
    }

    /// <summary>Removes the project's whole folder, logs included.</summary>
    public void Delete(string project)
    {
        string folder = FolderOf(project);
        for (int attempt = 1; Directory.Exists(folder); attempt++)
        {
            try
            {
                Directory.Delete(folder, recursive: true);
            }
            catch (IOException) when (attempt < MaxDeletions)
            {
                // A request that ended just now left its line in the log after it was deleted.
            }
        }
    }

    /// <summary>Removes the folder of all projects when there is none.</summary>
    public void DeleteIfEmpty()
    {
        if (Directory.Exists(home.Projects) && Names.IsEmpty)
        {
            Directory.Delete(home.Projects);
        }
    }
}
