using System.Collections.Immutable;
using Tessera.Stack.Compose.Schema;
using Tessera.Stack.Compose.Values;
using Tessera.Stack.Compose.Yaml;
using static Tessera.Stack.Compose.Schema.CommonShapes;

namespace Tessera.Stack.Compose.Assembly;

/// <summary>
/// Follows <c>extends</c>: a service takes over another one, of its own file or of another, and
/// lays its own keys over it. Used by one thread.
/// </summary>
/// <param name="folder">Relative names of other files start there.</param>
internal sealed class ServiceExtension(
    DocumentAssembly assembly,
    string folder,
    ImmutableSortedDictionary<string, string> variables,
    Problems problems)
{
    /// <summary>Services that are being extended, outermost first.</summary>
    private readonly List<(string File, string Service)> _open = [];

    /// <param name="layer">Changed in place: no service of it extends another afterwards.</param>
    /// <param name="path">File of the layer.</param>
    public void Apply(MappingNode layer, string path)
    {
        if (layer["services"] is not MappingNode services)
        {
            return;
        }

        foreach (MappingEntry entry in services.Entries.ToArray())
        {
            Extend(services, entry.Key, path, folder);
        }
    }

    private MappingNode? Extend(MappingNode services, string name, string path, string from)
    {
        if (services[name] is not MappingNode service
            || service["extends"] is not MappingNode extends)
        {
            return services[name] as MappingNode;
        }

        if (_open.Contains((path, name)))
        {
            IEnumerable<string> cycle = _open.Select(open => open.Service).Append(name);
            throw new UserErrorException(
                $"{extends.Position}: circular reference with extends: " +
                $"{string.Join(" -> ", cycle)}.");
        }

        _open.Add((path, name));
        string target = TextOf(extends, "service");
        MappingNode? found = TextOf(extends, "file") is { Length: > 0 } file
            ? FromFile(extends, Paths.Absolute(file, from, variables), target)
            : Extend(services, target, path, from);
        _open.RemoveAt(_open.Count - 1);
        if (found is null)
        {
            IEnumerable<string> known = services.Entries.Select(entry => entry.Key);
            string? nearest = extends.Contains("file") ? null : EditDistance.Nearest(target, known);
            problems.Add(
                extends.Position,
                $"cannot extend service \"{name}\": service \"{target}\" not found" +
                (nearest is null ? "" : $"; did you mean \"{nearest}\"?"));
            return null;
        }

        MappingNode merged =
            (MappingNode)ServiceSchema.Service.Merge(Shape.WithoutResets(found), service);
        merged.Remove("extends");
        services.Set(name, services.Find(name)!.Value.KeyPosition, merged);
        return merged;
    }

    private MappingNode? FromFile(MappingNode extends, string path, string target)
    {
        SourcePosition position = (extends["file"] ?? extends).Position;
        string from = Path.GetDirectoryName(path)!;
        MappingNode document = new(extends.Position);
        foreach (MappingNode layer in assembly.Read(path, position, variables))
        {
            document = (MappingNode)ComposeSchema.Document.Merge(document, layer);
        }

        if (document["services"] is not MappingNode services
            || Extend(services, target, path, from) is not { } found)
        {
            return null;
        }

        RelativePaths.ResolveService(found, from, variables);
        return found;
    }
}
