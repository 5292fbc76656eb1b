using System.Collections.Immutable;
using System.Text.Json.Serialization;
using Tessera.Stack.Discovery;

namespace Tessera.Stack.Engines.Native;

/// <summary>What a slot is meant to be.</summary>
internal enum DesiredState
{
    Created,
    Running,

    /// <summary>
    /// Stopped by a person: only a command starts it again, or the next daemon where its policy is
    /// <see cref="RestartCondition.Always"/>.
    /// </summary>
    Stopped,

    /// <summary>Stopped with its daemon: the next daemon starts it again.</summary>
    Returning,
}

/// <summary>How far an instance's process had come when its record was written.</summary>
internal enum RecordPhase
{
    Created,

    /// <summary>Its process may exist, and can be found by its mark only.</summary>
    Spawning,
    Spawned,
    Ready,
    Ended,
    Failed,
}

/// <summary>What is kept of a slot: intentions, not observations.</summary>
internal sealed record SlotRecord(
    string Project,
    string Service,
    int Number,
    DesiredState Desired,
    int Restarts);

/// <summary>
/// What is kept of an instance, so that another daemon can find it and take it over.
/// </summary>
/// <param name="Process">Null until it was spawned.</param>
/// <param name="Ports">Private port by target port.</param>
/// <param name="Definition">What its process runs; restarts run it again.</param>
/// <param name="Health">As its last check left it.</param>
internal sealed record InstanceRecord(
    string Id,
    RecordPhase Phase,
    DateTimeOffset CreatedAt,
    DateTimeOffset? StartedAt,
    ProcessIdentity? Process,
    ImmutableSortedDictionary<int, int> Ports,
    int Restarts,
    string Command,
    Service Definition,
    DateTimeOffset? ExitedAt = null,
    int? ExitCode = null,
    string Reason = "",
    InstanceHealth Health = InstanceHealth.None);

/// <summary>Names a process for good: pid and start time, within one boot of the machine.</summary>
internal sealed record ProcessIdentity(int Pid, long StartTime, string BootId);

[JsonSourceGenerationOptions(WriteIndented = true, UseStringEnumConverter = true)]
[JsonSerializable(typeof(SlotRecord))]
[JsonSerializable(typeof(InstanceRecord))]
internal sealed partial class StateJson : JsonSerializerContext;
