using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Tessera.Stack.Discovery;

namespace Tessera.Stack.Engines.Native;

/// <summary>
/// A slot's folder, <c>project/instances/service-n</c>: <c>slot.json</c>, one <c>id.json</c> and
/// one <c>id.fifo</c> per instance, and the logs. A record is replaced by rename, so that a reader
/// finds the old one or the new one, never half of one. No fsync: what matters is the daemon's
/// death, and after the machine's death no process is left to be found. Threading: one slot has one
/// writer.
/// </summary>
internal sealed class SlotFolder
{
    private const string SlotFile = "slot.json";
    private const string RecordSuffix = ".json";
    private const string FifoSuffix = ".fifo";
    private const StringComparison Ends = StringComparison.Ordinal;
    private const UnixFileMode OwnerOnly =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private readonly Action<string> _log;

    private SlotFolder(string path, Action<string> log)
    {
        Path = path;
        _log = log;
    }

    public string Path { get; }

    public static string InstancesFolder(string stateFolder, string project) =>
        System.IO.Path.Combine(stateFolder, project, "instances");

    public static SlotFolder Create(string stateFolder, SlotName slot, Action<string> log)
    {
        // Each on its own: parents that come with a path get the mode that the umask leaves.
        string instances = InstancesFolder(stateFolder, slot.Project);
        string path = System.IO.Path.Combine(instances, $"{slot.Service}-{slot.Number}");
        Directory.CreateDirectory(System.IO.Path.Combine(stateFolder, slot.Project), OwnerOnly);
        Directory.CreateDirectory(instances, OwnerOnly);
        Directory.CreateDirectory(path, OwnerOnly);
        return new SlotFolder(path, log);
    }

    /// <summary>
    /// The slots that a project has on disk, with their records. What cannot be read is taken from
    /// the folder's name and as meant to run: a slot left out would leave its processes to nobody.
    /// </summary>
    public static IEnumerable<(SlotFolder Folder, SlotRecord Record)> FindAll(
        string stateFolder, string project, Action<string> log)
    {
        string instances = InstancesFolder(stateFolder, project);
        if (!Directory.Exists(instances))
        {
            yield break;
        }

        IEnumerable<string> paths = Directory.EnumerateDirectories(instances);
        foreach (string path in paths.Order(StringComparer.Ordinal))
        {
            var folder = new SlotFolder(path, log);
            if (TryParseName(project, path) is SlotName name && !folder.IsEmpty)
            {
                yield return (folder, folder.ReadSlot(name));
            }
        }
    }

    public string FifoPath(string id) => System.IO.Path.Combine(Path, id + FifoSuffix);

    public void WriteSlot(SlotRecord record) =>
        Write(SlotFile, record, StateJson.Default.SlotRecord);

    public void WriteInstance(InstanceRecord record) =>
        Write(record.Id + RecordSuffix, record, StateJson.Default.InstanceRecord);

    /// <summary>
    /// Records of the slot's instances, the oldest first, and the ids of instances that have no
    /// record that can be read: their FIFO or an unreadable file is all that speaks of them.
    /// </summary>
    public (List<InstanceRecord> Records, List<string> Unreadable) ReadInstances()
    {
        List<InstanceRecord> records = [];
        List<string> unreadable = [];
        foreach (string id in FindIds())
        {
            InstanceRecord? record = Read(id + RecordSuffix, StateJson.Default.InstanceRecord);
            // A file that is JSON of another shape has no members where they are needed.
            if (record is { Definition: not null, Ports: not null } && record.Id == id)
            {
                records.Add(record);
            }
            else
            {
                unreadable.Add(id);
            }
        }

        records.Sort((a, b) => a.CreatedAt.CompareTo(b.CreatedAt));
        return (records, unreadable);
    }

    /// <summary>Removes what an instance left; its slot's logs stay.</summary>
    public void DeleteInstance(string id)
    {
        File.Delete(System.IO.Path.Combine(Path, id + RecordSuffix));
        File.Delete(System.IO.Path.Combine(Path, id + RecordSuffix + ".next"));
        File.Delete(FifoPath(id));
    }

    /// <summary>Removes the slot's folder, and those above it that are empty then.</summary>
    public void Delete()
    {
        try
        {
            Directory.Delete(Path, recursive: true);
        }
        catch (DirectoryNotFoundException)
        {
        }

        string? parent = System.IO.Path.GetDirectoryName(Path);
        for (int i = 0; i < 2 && parent is not null; i++)
        {
            try
            {
                Directory.Delete(parent);
            }
            catch (IOException)
            {
                return;
            }

            parent = System.IO.Path.GetDirectoryName(parent);
        }
    }

    /// <summary>It was made, and nothing was ever written to it.</summary>
    private bool IsEmpty =>
        !File.Exists(System.IO.Path.Combine(Path, SlotFile)) && FindIds().Count == 0;

    private SlotRecord ReadSlot(SlotName name) =>
        Read(SlotFile, StateJson.Default.SlotRecord) is { } record
            && (record.Project, record.Service, record.Number)
                == (name.Project, name.Service, name.Number)
            ? record
            : new SlotRecord(name.Project, name.Service, name.Number, DesiredState.Running, 0);

    private static SlotName? TryParseName(string project, string path)
    {
        string name = System.IO.Path.GetFileName(path);
        int dash = name.LastIndexOf('-');
        return dash > 0 && int.TryParse(
            name.AsSpan(dash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int number)
            ? new SlotName(project, name[..dash], number)
            : null;
    }

    private SortedSet<string> FindIds() => new(
        Directory.EnumerateFiles(Path)
            .Select(path => System.IO.Path.GetFileName(path))
            .Where(name => name != SlotFile && (name.EndsWith(RecordSuffix, Ends)
                || name.EndsWith(FifoSuffix, Ends)))
            .Select(name => System.IO.Path.GetFileNameWithoutExtension(name)),
        StringComparer.Ordinal);

    private void Write<T>(string name, T record, JsonTypeInfo<T> type)
    {
        string path = System.IO.Path.Combine(Path, name);
        string next = path + ".next";
        using (var file = new FileStream(next, new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        }))
        {
            file.Write(JsonSerializer.SerializeToUtf8Bytes(record, type));
        }

        File.Move(next, path, overwrite: true);
    }

    private T? Read<T>(string name, JsonTypeInfo<T> type)
        where T : class
    {
        string path = System.IO.Path.Combine(Path, name);
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), type);
        }
        catch (FileNotFoundException)
        {
            return null;
        }
        catch (Exception e) when (
            e is JsonException or IOException or UnauthorizedAccessException)
        {
            _log($"{path}: cannot be read: {e.Message}");
            return null;
        }
    }
}
