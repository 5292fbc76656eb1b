using Tessera.Linux.Net;

namespace Tessera.Proxy.Routing;

/// <summary>
/// Chooses the endpoint of a request. Stateless: what the algorithms remember is in the backend and
/// its endpoints, shared by all reactors.
/// </summary>
internal static class Balancer
{
    /// <summary>Attempts of ip_hash before it falls back to round robin, as nginx does.</summary>
    private const int MaxRehashes = 20;

    /// <summary>
    /// An active endpoint that is not among <paramref name="tried"/>, counted in by
    /// <see cref="Endpoint.TryBegin"/>; null when there is none. Endpoints that lately failed are
    /// taken only when no other is left, and those that fail their probe not even then, unless
    /// nothing was tried yet: a request is not turned away while there is anyone to ask.
    /// </summary>
    public static Endpoint? TryPick(
        Backend backend, BackendSet set, in InternetAddress client, List<Endpoint> tried,
            long nowMs)
    {
        if (set.Active.Length == 0)
        {
            return null;
        }

        return TryPick(backend, set, client, new Exclusion(tried, nowMs, AvoidsFailed: true))
            ?? TryPick(backend, set, client, new Exclusion(tried, nowMs, AvoidsFailed: false));
    }

    private static Endpoint? TryPick(
        Backend backend, BackendSet set, in InternetAddress client, in Exclusion exclusion) =>
        set.Config.Algorithm switch
        {
            BalanceAlgorithm.LeastConnections => PickLeastConnections(backend, set, exclusion),
            BalanceAlgorithm.IpHash => PickByAddress(backend, set, client, exclusion),
            _ => PickNextTurn(backend, set, exclusion),
        };

    private static Endpoint? PickNextTurn(
        Backend backend, BackendSet set, in Exclusion exclusion)
    {
        ushort[] turns = set.Turns;
        uint turn = exclusion.IsFirstTry ? backend.TakeTurn() : backend.PeekTurn(turns.Length);
        for (uint i = 0; i < turns.Length; i++)
        {
            Endpoint endpoint = set.Active[turns[(turn + i) % (uint)turns.Length]];
            if (!exclusion.Has(endpoint) && endpoint.TryBegin())
            {
                return endpoint;
            }
        }

        return null;
    }

    /// <summary>
    /// Fewest in flight for its weight; among equals, whoever comes next in turn.
    /// </summary>
    private static Endpoint? PickLeastConnections(
        Backend backend, BackendSet set, in Exclusion exclusion)
    {
        uint turn = backend.TakeTurn();
        for (int attempt = 0; attempt <= set.Active.Length; attempt++)
        {
            Endpoint? best = null;
            long bestInFlight = 0;
            for (uint i = 0; i < set.Active.Length; i++)
            {
                Endpoint endpoint = set.Active[(turn + i) % (uint)set.Active.Length];
                if (exclusion.Has(endpoint) || endpoint.State != EndpointState.Active)
                {
                    continue;
                }

                long inFlight = endpoint.InFlight;
                if (best is null || inFlight * best.Weight < bestInFlight * endpoint.Weight)
                {
                    best = endpoint;
                    bestInFlight = inFlight;
                }
            }

            if (best is null || best.TryBegin())
            {
                return best;
            }
        }

        return null;
    }

    /// <summary>
    /// nginx's ip_hash: the first three octets of an IPv4 address or all of an IPv6 one, hashed on
    /// when the endpoint they lead to is out. All endpoints count, active or not, so that one
    /// which goes and comes back does not move the clients of the others.
    /// </summary>
    private static Endpoint? PickByAddress(
        Backend backend, BackendSet set, in InternetAddress client, in Exclusion exclusion)
    {
        ReadOnlySpan<byte> octets = client.IsIPv4 ? client.Host[..3] : client.Host;
        uint hash = 89;
        for (int attempt = 0; attempt <= MaxRehashes; attempt++)
        {
            foreach (byte octet in octets)
            {
                hash = ((hash * 113) + octet) % 6_271;
            }

            Endpoint endpoint = AtWeight(set, hash % set.TotalWeight);
            if (!exclusion.Has(endpoint) && endpoint.TryBegin())
            {
                return endpoint;
            }
        }

        return PickNextTurn(backend, set, exclusion);
    }

    private static Endpoint AtWeight(BackendSet set, long weight)
    {
        int i = 0;
        while (weight >= set.Endpoints[i].Weight && i < set.Endpoints.Length - 1)
        {
            weight -= set.Endpoints[i].Weight;
            i++;
        }

        return set.Endpoints[i];
    }

    /// <summary>Whom this request does not go to.</summary>
    private readonly record struct Exclusion(
        List<Endpoint> Tried, long NowMs, bool AvoidsFailed)
    {
        /// <summary>A request takes one turn, however often it is tried.</summary>
        public bool IsFirstTry => Tried.Count == 0 && AvoidsFailed;

        public bool Has(Endpoint endpoint) =>
            (Tried.Count > 0 && Tried.Contains(endpoint))
            || (AvoidsFailed && endpoint.IsAvoided(NowMs))
            || (Tried.Count > 0 && endpoint.Health.IsShunned);
    }
}
