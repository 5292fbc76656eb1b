namespace Tessera.Proxy.Routing;

/// <summary>
/// What a backend consists of under one configuration. Immutable; the counters of its endpoints are
/// not part of it.
/// </summary>
internal sealed class BackendSet
{
    /// <summary>
    /// Entries of the turn sequence; larger sums of weights are scaled down to it.
    /// </summary>
    private const int MaxTurns = 4_096;

    public BackendSet(BackendConfig config, Endpoint[] endpoints)
    {
        Config = config;
        Endpoints = endpoints;
        Active = Array.FindAll(
            endpoints, e => e.State == EndpointState.Active && e.Weight > 0);
        Turns = BuildTurns(Array.ConvertAll(Active, e => e.Weight));
        TotalWeight = endpoints.Sum(e => (long)e.Weight);
    }

    public BackendConfig Config { get; }

    public BackendLimits Limits => Config.Limits;

    /// <summary>All endpoints, in the order of the configuration.</summary>
    public Endpoint[] Endpoints { get; }

    /// <summary>Those that get requests: active, and of a weight.</summary>
    public Endpoint[] Active { get; }

    /// <summary>Indices into <see cref="Active"/>: whose turn it is, for round robin.</summary>
    public ushort[] Turns { get; }

    /// <summary>Of all endpoints.</summary>
    public long TotalWeight { get; }

    /// <summary>
    /// One period of nginx's smooth weighted round robin: each turn everyone gains its weight, the
    /// highest is chosen and pays the sum of all. Weights 5, 1, 1 give a a b a c a a.
    /// </summary>
    internal static ushort[] BuildTurns(int[] weights)
    {
        weights = Normalize(weights);
        int sum = weights.Sum();
        var turns = new ushort[sum];
        var current = new int[weights.Length];
        for (int turn = 0; turn < sum; turn++)
        {
            int best = 0;
            for (int i = 0; i < weights.Length; i++)
            {
                current[i] += weights[i];
                if (current[i] > current[best])
                {
                    best = i;
                }
            }

            current[best] -= sum;
            turns[turn] = (ushort)best;
        }

        return turns;
    }

    /// <summary>The shortest weights with the same ratios, within the limit.</summary>
    private static int[] Normalize(int[] weights)
    {
        int divisor = weights.Aggregate(0, GreatestCommonDivisor);
        long sum = weights.Sum(w => (long)w);
        if (divisor == 0 || sum / divisor <= MaxTurns)
        {
            return Array.ConvertAll(weights, w => w / Math.Max(divisor, 1));
        }

        return Array.ConvertAll(weights, w => (int)Math.Max(1, w * MaxTurns / sum));
    }

    private static int GreatestCommonDivisor(int a, int b)
    {
        while (b != 0)
        {
            (a, b) = (b, a % b);
        }

        return a;
    }
}
