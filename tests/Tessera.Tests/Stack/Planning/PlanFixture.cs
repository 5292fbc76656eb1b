using System.Collections.Immutable;
using Tessera.Stack;
using Tessera.Stack.Discovery;

namespace Tessera.Tests.Stack.Planning;

/// <summary>Short words for the projects and instances that planning is tested with.</summary>
internal static class PlanFixture
{
    public static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public static Project Project(params Service[] services) => new()
    {
        Name = "shop",
        WorkingDirectory = "/srv/shop",
        Files = ["/srv/shop/compose.yaml"],
        Services = services.ToImmutableSortedDictionary(s => s.Name, s => s),
    };

    public static Service Service(
        string name, int scale = 1, string hash = "v1", params Dependency[] dependsOn) => new()
        {
            Name = name,
            WorkingDirectory = "/srv/shop",
            Command = ["run", name],
            Scale = scale,
            ProcessHash = hash,
            DefinitionHash = hash,
            DependsOn = [.. dependsOn],
        };

    public static Dependency On(
        string name, DependencyCondition condition = DependencyCondition.ServiceStarted,
        bool restart = false) => new(name, condition, restart);

    public static Instance Instance(
        string service, int slot = 1, InstanceState state = InstanceState.Running,
        string hash = "v1", InstanceHealth health = InstanceHealth.None, int? exitCode = null) =>
            new()
        {
            Id = $"{service}-{slot}-{hash}-{state}",
            Slot = new SlotName("shop", service, slot),
            State = state,
            Health = health,
            CreatedAt = Start,
            StartedAt = state == InstanceState.Pending ? null : Start,
            ChangedAt = Start,
            ExitCode = exitCode,
            IsFinal = state is InstanceState.Exited or InstanceState.Failed,
            ProcessHash = hash,
        };
}
