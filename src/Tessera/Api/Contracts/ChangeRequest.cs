using System.Collections.Immutable;

namespace Tessera.Api.Contracts;

public enum ChangeKind
{
    Start,
    Stop,
    Restart,
    Kill,
    Scale,
}

/// <summary>
/// What <c>start</c>, <c>stop</c>, <c>restart</c>, <c>kill</c> and <c>scale</c> ask for.
/// </summary>
/// <param name="Signal">
/// For <see cref="ChangeKind.Kill"/>; as in signal(7), SIGKILL when null.
/// </param>
/// <param name="Scale">
/// For <see cref="ChangeKind.Scale"/>: numbers by service, which it names so.
/// </param>
/// <param name="Timeout">Overrides each service's <c>stop_grace_period</c>.</param>
public sealed record ChangeRequest(
    ChangeKind Kind,
    string Project,
    ImmutableArray<string> Services,
    ImmutableSortedDictionary<string, int> Scale,
    string? Signal = null,
    TimeSpan? Timeout = null,
    bool NoDeps = false,
    bool DryRun = false);
