using System.Collections.Immutable;
using Tessera.Stack;

namespace Tessera.Daemon;

/// <summary>
/// What went wrong with projects while they were taken over, until their next <c>up</c> or
/// <c>down</c>: every command says so, because nobody reads a daemon's log unasked. Safe from any
/// thread.
/// </summary>
internal sealed class Troubles
{
    private ImmutableArray<ProjectTrouble> _all = [];

    public ImmutableArray<ProjectTrouble> All => _all;

    public void Add(ProjectTrouble trouble) =>
        ImmutableInterlocked.Update(ref _all, all => all.Add(trouble));

    public void Clear(string project) => ImmutableInterlocked.Update(
        ref _all, all => all.RemoveAll(trouble => trouble.Project == project));

    /// <exception cref="UserErrorException">What the project should be is lost.</exception>
    public void RefuseUnreadable(string? project)
    {
        if (_all.FirstOrDefault(t => t.IsUnreadable && t.Project == project) is { } lost)
        {
            throw new UserErrorException(lost.Text, UserErrorException.Failed);
        }
    }
}
