using System.Collections.Immutable;

namespace Tessera.Api.Contracts;

/// <summary>What <c>down</c> asks for; no services are all.</summary>
/// <param name="Timeout">Overrides each service's <c>stop_grace_period</c>.</param>
public sealed record DownRequest(
    string Project, ImmutableArray<string> Services, TimeSpan? Timeout = null, bool DryRun = false);
