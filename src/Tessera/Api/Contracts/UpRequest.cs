using System.Collections.Immutable;

namespace Tessera.Api.Contracts;

/// <summary>What <c>up</c> asks for.</summary>
/// <param name="CanonicalProject">
/// The resolved project as <c>ComposeLoader</c> prints it (JSON).
/// </param>
/// <param name="BaseEnvironment">What native instances inherit below their own environment.</param>
/// <param name="Services">
/// Services named on the command line, with their dependencies; empty is all.
/// </param>
/// <param name="Scale">Overrides of the number of instances, by service.</param>
/// <param name="Wait">Done only when every service is ready.</param>
/// <param name="DryRun">Yields the plan's lines and changes nothing.</param>
/// <param name="Settle">
/// Done only when what is probed by its port is ready, or ended, or ten seconds have passed.
/// </param>
/// <param name="WaitTimeout">
/// Limit of <paramref name="Wait"/>; null waits as long as it takes.
/// </param>
/// <param name="Timeout">
/// Overrides each service's <c>stop_grace_period</c> where one is replaced.
/// </param>
public sealed record UpRequest(
    string CanonicalProject,
    ImmutableSortedDictionary<string, string> BaseEnvironment,
    ImmutableArray<string> Services,
    ImmutableSortedDictionary<string, int> Scale,
    bool Wait = false,
    bool DryRun = false,
    bool RemoveOrphans = false,
    bool ForceRecreate = false,
    bool NoRecreate = false,
    bool NoDeps = false,
    TimeSpan? WaitTimeout = null,
    TimeSpan? Timeout = null,
    bool Settle = false);
