using System.Collections.Immutable;
using System.Text.Json;

namespace Tessera.Daemon;

/// <summary>
/// The desired state on disk: <c>projects/NAME/project.json</c>. Each write is atomic (temporary
/// file, fsync, rename), so a kill or a full disk leaves the old state or the new one, never half.
/// </summary>
internal sealed class ProjectStore(TesseraHome home)
{
    private const string FileName = "project.json";

    public string FolderOf(string project) => Path.Combine(home.Projects, project);

    /// <summary>
    /// All projects on disk. One that cannot be read is reported and left where it is.
    /// </summary>
    public ImmutableArray<ProjectEntry> LoadAll(Action<string> log)
    {
        if (!Directory.Exists(home.Projects))
        {
            return [];
        }

        var entries = ImmutableArray.CreateBuilder<ProjectEntry>();
        foreach (string folder in Directory.EnumerateDirectories(home.Projects).Order())
        {
            string path = Path.Combine(folder, FileName);
            if (!File.Exists(path))
            {
                continue;
            }

            try
            {
                entries.Add(JsonSerializer.Deserialize(
                    File.ReadAllBytes(path), ProjectJson.Default.ProjectEntry)!);
            }
            catch (Exception e) when (e is JsonException or IOException)
            {
                log($"{path} cannot be read and its project is not managed: {e.Message}. "
                    + "Run `tessera up` with its file again.");
            }
        }

        return entries.ToImmutable();
    }

    public void Save(ProjectEntry entry)
    {
        string folder = FolderOf(entry.Name);
        Directory.CreateDirectory(folder);
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
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
