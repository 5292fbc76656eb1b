namespace Tessera.Proxy.Routing;

/// <summary>
/// The endpoints of a backend that are chosen among: the ordinary ones, or the backups. Immutable.
/// </summary>
internal sealed class EndpointGroup
{
    /// <param name="endpoints">Of this group, in the order of the configuration.</param>
    /// <param name="wanted">Places to hash over; empty: each endpoint has its own.</param>
    /// <param name="ringBefore">Kept when it is a ring of the same places.</param>
    public EndpointGroup(
        BackendConfig config,
        Endpoint[] endpoints,
        ReadOnlySpan<PlaceConfig> wanted,
        bool isBackup,
        HashRing? ringBefore)
    {
        IsBackup = isBackup;
        Active = Array.FindAll(
            endpoints, e => e.State == EndpointState.Active && e.Weight > 0);
        Turns = TurnSequence.Build(Array.ConvertAll(Active, e => e.Weight));
        IsSteady = Array.TrueForAll(
            Active, e => e.Config is { MaxConnections: <= 0, SlowStartMs: <= 0 });
        Places = Place.Assign(endpoints, wanted);
        TotalWeight = Places.Sum(p => (long)p.Weight);
        if (config.Algorithm == BalanceAlgorithm.ConsistentHash)
        {
            Ring = ringBefore?.IsOf(Places) == true ? ringBefore : new HashRing(Places);
        }
    }

    public bool IsBackup { get; }

    /// <summary>Those that get requests: active, and of a weight.</summary>
    public Endpoint[] Active { get; }

    /// <summary>Indices into <see cref="Active"/>: whose turn it is, for round robin.</summary>
    public ushort[] Turns { get; }

    /// <summary>
    /// Nothing but a failure keeps an active endpoint from its turn: no limit of connections, no
    /// slow start.
    /// </summary>
    public bool IsSteady { get; }

    /// <summary>What the hash algorithms choose among.</summary>
    public Place[] Places { get; }

    /// <summary>Of all places.</summary>
    public long TotalWeight { get; }

    /// <summary>Null unless the algorithm is consistent hashing.</summary>
    public HashRing? Ring { get; }

    /// <summary>The place at a point of the line that the weights make together.</summary>
    /// <param name="point">0 to less than <see cref="TotalWeight"/>.</param>
    public Place PlaceAt(long point)
    {
        int i = 0;
        while (point >= Places[i].Weight)
        {
            point -= Places[i].Weight;
            i++;
        }

        return Places[i];
    }
}
