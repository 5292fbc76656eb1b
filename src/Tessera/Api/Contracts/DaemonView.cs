using System.Collections.Immutable;

namespace Tessera.Api.Contracts;

/// <summary>What a daemon says of itself.</summary>
/// <param name="OnDemand">Started by a command; ends when no project is left.</param>
public sealed record DaemonView(
    string Version,
    int Pid,
    DateTimeOffset StartedAt,
    string Home,
    bool OnDemand,
    int Reactors,
    ImmutableArray<string> Projects);
