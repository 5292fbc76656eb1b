using System.Collections.Immutable;
using Tessera.Stack.Compose.Schema;
using Tessera.Stack.Compose.Values;
using Tessera.Stack.Compose.Yaml;
using static Tessera.Stack.Compose.Schema.CommonShapes;

namespace Tessera.Stack.Compose.Model;

/// <summary>From the canonical document to <see cref="Project"/>; reads nothing else.</summary>
internal static class ProjectBinder
{
    /// <exception cref="UserErrorException">Not a canonical document.</exception>
    public static Project Bind(string canonicalJson)
    {
        Problems problems = new();
        MappingNode document = (MappingNode)ComposeSchema.Document.Accept(
            DocumentJson.Read(canonicalJson), "", problems);
        problems.ThrowIfAny();
        MappingNode source = document[TesseraSchema.SourceName] as MappingNode
            ?? throw new UserErrorException(
                $"the project's document has no {TesseraSchema.SourceName}: it does not come " +
                "from the loader.");
        string folder = TextOf(source, "working_dir");
        if (!Path.IsPathFullyQualified(folder))
        {
            throw new UserErrorException($"the project's folder \"{folder}\" is not absolute.");
        }

        MappingNode services = document["services"] as MappingNode ?? new(document.Position);
        Project project = new()
        {
            Name = TextOf(document, "name"),
            WorkingDirectory = folder,
            Files = Words(source, "files"),
            Listen = (document[TesseraSchema.Name] as MappingNode)?.ItemsOf("listen")
                is { Count: > 0 } addresses
                ? [.. addresses.Select(TextOf)]
                : [Project.DefaultListen],
            NginxFiles = (document[TesseraSchema.Name] as MappingNode) is { } options
                ? Words(options, "nginx")
                : [],
            Services = services.Entries.ToImmutableSortedDictionary(
                entry => entry.Key,
                entry => BindService(entry.Key, (MappingNode)entry.Value, folder, services),
                StringComparer.Ordinal),
        };
        return project;
    }

    private static Service BindService(
        string name, MappingNode service, string folder, MappingNode services)
    {
        ImmutableArray<string> command =
            [.. Words(service, "entrypoint"), .. Words(service, "command")];
        // What the loader checked is bound without being told of again.
        ServiceOptions options = OptionsBinder.Bind(name, service, new Problems());
        ImmutableArray<PortMapping> ports = [.. service.ItemsOf("ports").Select(BindPort)];
        ImmutableArray<int> expose = [.. service.ItemsOf("expose").SelectMany(ExposedPorts)];
        Service bound = new()
        {
            Name = name,
            Command = command,
            Environment = Pairs(service, "environment"),
            WorkingDirectory = Path.GetFullPath(
                TextOf(service, "working_dir") is { Length: > 0 } path ? path : ".", folder),
            User = TextOf(service, "user") is { Length: > 0 } user ? user : null,
            Limits = BindLimits(service),
            Ports = ports,
            Expose = expose,
            DependsOn = BindDependencies(service, services),
            Scale = BindScale(name, service),
            Restart = RestartSyntax.Parse(TextOf(service, "restart"), out _)
                ?? new RestartPolicy(RestartCondition.No),
            Healthcheck = BindHealthcheck(service["healthcheck"] as MappingNode),
            StopSignal = SignalName.Normalise(TextOf(service, "stop_signal")) ?? "SIGTERM",
            StopGracePeriod = Duration(service, "stop_grace_period") ?? TimeSpan.FromSeconds(10),
            Labels = Pairs(service, "labels"),
            Options = options,
            ContainerKey = service.Contains("image") ? "image"
                : service.Contains("build") ? "build" : null,
            TargetPorts = TargetPorts(command, ports, expose, options),
            ProcessHash = "",
            DefinitionHash = ProcessDigest.OfText(DocumentJson.Write(service)),
        };
        return bound with { ProcessHash = ProcessDigest.Of(bound) };
    }

    internal static TimeSpan? Duration(MappingNode owner, string key) =>
        GoDuration.TryParse(TextOf(owner, key), out GoDuration duration)
            ? duration.ToTimeSpan()
            : null;

    internal static long? Integer(MappingNode? owner, string key) =>
        (owner?[key] as ScalarNode)?.Value as long?;

    private static ImmutableArray<string> Words(MappingNode owner, string key) =>
        [.. owner.ItemsOf(key).Select(TextOf)];

    private static ImmutableSortedDictionary<string, string> Pairs(MappingNode owner, string key) =>
        owner[key] is MappingNode mapping
            ? mapping.Entries.Where(entry => !entry.Value.IsNull).ToImmutableSortedDictionary(
                entry => entry.Key, entry => TextOf(entry.Value), StringComparer.Ordinal)
            : ImmutableSortedDictionary.Create<string, string>(StringComparer.Ordinal);

    private static PortMapping BindPort(Node node)
    {
        MappingNode port = (MappingNode)node;
        bool isPublished = PortSpec.TryRange(TextOf(port, "published"), out int published, out _);
        return new PortMapping
        {
            Target = (int)(Integer(port, "target") ?? 0),
            Published = isPublished ? published : null,
            HostIp = TextOf(port, "host_ip") is { Length: > 0 } address ? address : null,
            Protocol = TextOf(port, "protocol") is { Length: > 0 } protocol ? protocol : "tcp",
            AppProtocol = Values.AppProtocol.Normalise(TextOf(port, "app_protocol")),
        };
    }

    private static IEnumerable<int> ExposedPorts(Node node) =>
        PortSpec.TryRange(TextOf(node).Split('/')[0], out int first, out int last)
            ? Enumerable.Range(first, last - first + 1)
            : [];

    private static ImmutableArray<ResourceLimit> BindLimits(MappingNode service) =>
        service["ulimits"] is not MappingNode limits
            ? []
            : [.. limits.Entries.Select(entry =>
            {
                MappingNode? limit = entry.Value as MappingNode;
                long? single = (entry.Value as ScalarNode)?.Value as long?;
                return new ResourceLimit(
                    entry.Key,
                    single ?? Integer(limit, "soft") ?? -1,
                    single ?? Integer(limit, "hard") ?? -1);
            }).OrderBy(limit => limit.Name, StringComparer.Ordinal)];

    /// <summary>Optional dependencies (<c>required: false</c>) may not be there.</summary>
    private static ImmutableArray<Dependency> BindDependencies(
        MappingNode service, MappingNode services)
    {
        if (service["depends_on"] is not MappingNode dependencies)
        {
            return [];
        }

        return [.. dependencies.Entries
            .Where(entry => services.Contains(entry.Key))
            .Select(entry =>
            {
                MappingNode dependency = (MappingNode)entry.Value;
                DependencyCondition condition = TextOf(dependency, "condition") switch
                {
                    "service_healthy" => DependencyCondition.ServiceHealthy,
                    "service_completed_successfully" =>
                        DependencyCondition.ServiceCompletedSuccessfully,
                    _ => DependencyCondition.ServiceStarted,
                };
                return new Dependency(
                    entry.Key,
                    condition,
                    Restart: dependency["restart"] is ScalarNode { Value: true });
            })];
    }

    private static int BindScale(string name, MappingNode service) =>
        (int)(Integer(service, "scale")
            ?? Integer(service["deploy"] as MappingNode, "replicas")
            ?? RouteLabels.ReadScale(name, service, new Problems())
            ?? 1);

    private static Healthcheck? BindHealthcheck(MappingNode? node)
    {
        if (node?["test"] is not SequenceNode { Items.Count: > 1 } test
            || node["disable"] is ScalarNode { Value: true }
            || TextOf(test.Items[0]) is not ("CMD" or "CMD-SHELL"))
        {
            return null;
        }

        Healthcheck standard = new() { Test = [] };
        return standard with
        {
            Test = [.. test.Items.Skip(1).Select(TextOf)],
            UsesShell = TextOf(test.Items[0]) == "CMD-SHELL",
            Interval = Positive(node, "interval") ?? standard.Interval,
            Timeout = Positive(node, "timeout") ?? standard.Timeout,
            Retries = Integer(node, "retries") is > 0 and <= int.MaxValue and { } retries
                ? (int)retries
                : standard.Retries,
            StartPeriod = Duration(node, "start_period") ?? standard.StartPeriod,
            StartInterval = Positive(node, "start_interval") ?? standard.StartInterval,
        };
    }

    /// <summary>Zero means the default, as the engine of containers has it.</summary>
    private static TimeSpan? Positive(MappingNode owner, string key) =>
        Duration(owner, key) is { } duration && duration > TimeSpan.Zero ? duration : null;

    private static ImmutableArray<int> TargetPorts(
        ImmutableArray<string> command,
        ImmutableArray<PortMapping> ports,
        ImmutableArray<int> expose,
        ServiceOptions options)
    {
        ImmutableArray<int> named =
        [
            .. ports.Select(port => port.Target).Concat(expose)
                .Concat(options.Routes.Select(route => route.Port).OfType<int>()).Distinct(),
        ];
        if (!named.IsEmpty)
        {
            return named;
        }

        return options.FixedPort is { } port ? [port] : command.Any(NamesPort) ? [0] : [];
    }

    private static bool NamesPort(string word)
    {
        int index = word.IndexOf("$PORT", StringComparison.Ordinal);
        bool isPlain = index >= 0 && (index + 5 == word.Length
            || (!char.IsAsciiLetterOrDigit(word[index + 5]) && word[index + 5] != '_'));
        return isPlain || word.Contains("${PORT}", StringComparison.Ordinal);
    }
}
