namespace Tessera.Proxy.Routing;

/// <summary>
/// One period of nginx's smooth weighted round robin: each turn everyone gains its weight, the
/// highest is chosen and pays the sum of all. Weights 5, 1, 1 give a a b a c a a. Made once, so
/// that a turn costs one atomic increment.
/// </summary>
internal static class TurnSequence
{
    /// <summary>Entries of a sequence; larger sums of weights are scaled down to it.</summary>
    private const int MaxTurns = 4_096;

    /// <summary>Indices into <paramref name="weights"/>, in order of their turns.</summary>
    public static ushort[] Build(int[] weights)
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
