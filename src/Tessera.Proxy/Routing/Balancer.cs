namespace Tessera.Proxy.Routing;

/// <summary>
/// Chooses the endpoint of a request. Stateless: what the algorithms remember is in the backend and
/// its endpoints, in atomics that all reactors share. Nothing here allocates or waits.
/// </summary>
internal static partial class Balancer
{
    /// <summary>
    /// An endpoint that takes the request and is not among those it tried, counted in by
    /// <see cref="Endpoint.TryBegin"/>; null when there is none. Backups are taken when no other
    /// can, and endpoints that lately failed when no backup can either. Those that fail their probe
    /// are not taken even then, unless nothing was tried yet: a request is not turned away while
    /// there is anyone to ask.
    /// </summary>
    public static Endpoint? TryPick(Backend backend, BackendSet set, in Selection selection)
    {
        if (selection.Bound is { } bound
            && !selection.Excludes(bound)
            && bound.TryBegin(isBound: true))
        {
            return bound;
        }

        if (set.Active.Length == 0)
        {
            return null;
        }

        return TryPickOnce(backend, set, selection)
            ?? (set.Config.LeavesFailedOut
                ? null
                : TryPickOnce(backend, set, selection.IncludingFailed()));
    }

    /// <summary>
    /// Whether an endpoint that the request would still go to is full: then waiting is of use, and
    /// <see cref="Endpoint.End"/> tells when it is over.
    /// </summary>
    public static bool MayWaitForRoom(BackendSet set, List<Endpoint> tried) =>
        set.IsLimited && AnyLeft(set, tried, mustHaveRoom: false);

    /// <summary>Whether one of those endpoints has room at this moment.</summary>
    public static bool HasRoom(BackendSet set, List<Endpoint> tried) =>
        AnyLeft(set, tried, mustHaveRoom: true);

    /// <summary>Whether the request would still go to one of them, full or not.</summary>
    public static bool IsAnyLeft(BackendSet set, List<Endpoint> tried)
    {
        foreach (Endpoint endpoint in set.Active)
        {
            if (IsLeft(endpoint, tried))
            {
                return true;
            }
        }

        return false;
    }

    private static Endpoint? TryPickOnce(
        Backend backend, BackendSet set, in Selection selection) =>
        TryPickFrom(backend, set, set.Primary, selection)
            ?? TryPickFrom(backend, set, set.Backup, selection);

    private static Endpoint? TryPickFrom(
        Backend backend, BackendSet set, EndpointGroup group, in Selection selection) =>
        group.Active.Length == 0 ? null : set.Config.Algorithm switch
        {
            BalanceAlgorithm.RoundRobin => PickInTurn(backend, group, selection),
            BalanceAlgorithm.LeastConnections or
            BalanceAlgorithm.LeastTimeFirstByte or
            BalanceAlgorithm.LeastTimeLastByte =>
                PickLowest(group, selection, Score.By(set.Config.Algorithm, group, selection)),
            BalanceAlgorithm.Random => PickRandom(group, selection),
            BalanceAlgorithm.RandomTwo => PickRandomTwo(group, selection),
            BalanceAlgorithm.IpHash => PickByAddress(group, selection),

            // An empty key is nobody's (nginx since 1.17.1).
            BalanceAlgorithm.Hash or BalanceAlgorithm.ConsistentHash
                when selection.Key.IsEmpty => PickInTurn(backend, group, selection),
            BalanceAlgorithm.Hash => PickByHash(group, selection),
            BalanceAlgorithm.ConsistentHash => PickOnRing(group, selection),
            _ => throw new InvalidOperationException($"{set.Config.Algorithm} is no algorithm"),
        };

    private static bool AnyLeft(BackendSet set, List<Endpoint> tried, bool mustHaveRoom)
    {
        foreach (Endpoint endpoint in set.Active)
        {
            bool isCandidate = mustHaveRoom
                ? endpoint.HasRoom
                : endpoint.Config.MaxConnections > 0;

            if (isCandidate && IsLeft(endpoint, tried))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>
    /// As in <see cref="Selection.Excludes"/>: what a request must not go to is nothing to wait
    /// for.
    /// </summary>
    private static bool IsLeft(Endpoint endpoint, List<Endpoint> tried) =>
        !tried.Contains(endpoint) && !(tried.Count > 0 && endpoint.Health.IsShunned);
}
