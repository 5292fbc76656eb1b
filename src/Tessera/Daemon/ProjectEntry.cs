using System.Collections.Immutable;
using System.Text.Json.Serialization;
using Tessera.Stack;

namespace Tessera.Daemon;

/// <summary>
/// A project as the daemon holds it: what is wanted, and what was chosen for it. Immutable; written
/// to disk before anything is started.
/// </summary>
internal sealed record ProjectEntry
{
    public required Project Project { get; init; }

    /// <summary>What its native instances inherit below their own environment.</summary>
    public required ImmutableSortedDictionary<string, string> BaseEnvironment { get; init; }

    /// <summary>
    /// Public ports chosen for mappings that leave them open, by <see cref="PortKey"/>.
    /// </summary>
    public ImmutableSortedDictionary<string, int> AssignedPorts { get; init; } =
        ImmutableSortedDictionary<string, int>.Empty;

    /// <summary>Files in nginx's language that are served beside the services' routes.</summary>
    public ImmutableArray<NginxFront> Fronts { get; init; } = [];

    /// <summary>
    /// Services that a command is taking away right now, and why: requests to them are answered
    /// with 503 instead of being held. Not kept on disk.
    /// </summary>
    [JsonIgnore]
    public ImmutableSortedDictionary<string, string> GoingAway { get; init; } =
        ImmutableSortedDictionary<string, string>.Empty;

    /// <summary>
    /// Services whose instances are on their way though none exists yet: requests to them are held.
    /// Not kept on disk.
    /// </summary>
    [JsonIgnore]
    public ImmutableSortedSet<string> Expected { get; init; } = ImmutableSortedSet<string>.Empty;

    [JsonIgnore]
    public string Name => Project.Name;

    /// <summary>The public port of a mapping: the file's, else the one chosen for it.</summary>
    public int PublishedPort(Service service, PortMapping mapping) =>
        mapping.Published ?? AssignedPorts.GetValueOrDefault(PortKey(service, mapping));

    public static string PortKey(Service service, PortMapping mapping) =>
        $"{service.Name}:{mapping.HostIp}:{mapping.Target}/{mapping.Protocol}";

    /// <summary>Published TCP ports; those are the ones the balancer listens on.</summary>
    [JsonIgnore]
    public IEnumerable<(Service Service, PortMapping Mapping)> Published =>
        Project.Services.Values.SelectMany(service => service.Ports
            .Where(mapping => mapping.Protocol == "tcp").Select(mapping => (service, mapping)));
}

[JsonSourceGenerationOptions(WriteIndented = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ProjectEntry))]
internal sealed partial class ProjectJson : JsonSerializerContext;
