using System.Collections.Immutable;

namespace Tessera.Api.Contracts;

/// <summary>What a daemon says of itself.</summary>
/// <param name="OnDemand">Started by a command; ends when no project is left.</param>
/// <param name="Troubles">What a person should know and mend; null is none.</param>
public sealed record DaemonView(
    string Version,
    int Pid,
    DateTimeOffset StartedAt,
    string Home,
    bool OnDemand,
    int Reactors,
    ImmutableArray<string> Projects,
    ImmutableArray<ProjectTrouble>? Troubles = null);

/// <summary>What went wrong with a project and stands until its next <c>up</c> or
/// <c>down</c>.</summary>
/// <param name="IsUnreadable">
/// Its desired state is lost: commands on it fail, but for <c>up</c> and <c>down</c>.
/// </param>
public sealed record ProjectTrouble(string Project, string Text, bool IsUnreadable);
