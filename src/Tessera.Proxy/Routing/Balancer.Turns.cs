namespace Tessera.Proxy.Routing;

/// <summary>The algorithms that go by turns, and by a score with turns among equals.</summary>
internal static partial class Balancer
{
    /// <summary>
    /// The sequence of turns is known ahead, and a turn costs one atomic increment. Those who
    /// cannot take theirs are passed over, so that the others keep their shares of what is left.
    /// Second tries are shared out by weight.
    /// </summary>
    private static Endpoint? PickInTurn(
        Backend backend, EndpointGroup group, in Selection selection)
    {
        int turns = group.IsSteady && selection.IsFirstTry ? group.Active.Length : 0;
        for (int i = 0; i < turns; i++)
        {
            uint turn = backend.TakeTurn(group) % (uint)group.Turns.Length;
            Endpoint next = group.Active[group.Turns[turn]];
            if (!selection.Excludes(next) && next.TryBegin())
            {
                return next;
            }
        }

        return PickLowest(group, selection, default);
    }

    /// <summary>
    /// The lowest score; among equals nginx's smooth weighted round robin, whose state is the
    /// credit of the endpoints. Threads that choose at the same moment may choose the same one: as
    /// every choice gives out as much credit as it takes, the next ones make up for it.
    /// </summary>
    private static Endpoint? PickLowest(
        EndpointGroup group, in Selection selection, Score score)
    {
        // Another thread may take the last room of the one that was chosen.
        for (int attempt = 0; attempt <= group.Active.Length; attempt++)
        {
            Endpoint? best = null;
            double lowest = 0;
            long bestCredit = 0;
            int equals = 0;
            foreach (Endpoint endpoint in group.Active)
            {
                if (selection.Excludes(endpoint) || !endpoint.HasRoom)
                {
                    continue;
                }

                long weight = endpoint.WeightAt(selection.NowMs);
                double own = score.Of(endpoint, weight);
                long credit = endpoint.Credit + weight;
                equals = best is null || own < lowest ? 1 : own == lowest ? equals + 1 : equals;
                if (best is null || own < lowest || (own == lowest && credit > bestCredit))
                {
                    best = endpoint;
                    lowest = own;
                    bestCredit = credit;
                }
            }

            if (best is null || best.TryBegin())
            {
                if (equals > 1)
                {
                    Settle(group, selection, score, lowest, best!);
                }

                return best;
            }
        }

        return null;
    }

    /// <summary>
    /// Each that could have been chosen gains its weight; the chosen one pays the sum.
    /// </summary>
    private static void Settle(
        EndpointGroup group, in Selection selection, Score score, double lowest, Endpoint chosen)
    {
        long total = 0;
        foreach (Endpoint endpoint in group.Active)
        {
            long weight = endpoint.WeightAt(selection.NowMs);
            if (endpoint != chosen
                && (selection.Excludes(endpoint)
                    || !endpoint.HasRoom
                    || score.Of(endpoint, weight) != lowest))
            {
                continue;
            }

            endpoint.AddCredit(weight);
            total += weight;
        }

        chosen.AddCredit(-total);
    }

    /// <summary>
    /// What an endpoint is compared by, lower being better; the default finds all equal.
    /// </summary>
    private readonly record struct Score(BalanceAlgorithm Algorithm, long NowMs, double Unmeasured)
    {
        /// <summary>
        /// An endpoint without a measured time counts as the fastest of the others, so that it is
        /// found out soon and yet not flooded.
        /// </summary>
        public static Score By(
            BalanceAlgorithm algorithm, EndpointGroup group, in Selection selection)
        {
            double fastest = double.PositiveInfinity;
            if (algorithm != BalanceAlgorithm.LeastConnections)
            {
                foreach (Endpoint endpoint in group.Active)
                {
                    double average = endpoint.ResponseTime.AverageAt(selection.NowMs);
                    fastest = average >= 0 && average < fastest ? average : fastest;
                }
            }

            return new Score(
                algorithm,
                selection.NowMs,
                double.IsPositiveInfinity(fastest) ? 1 : fastest);
        }

        /// <param name="weight">Above 0.</param>
        public double Of(Endpoint endpoint, long weight) => Algorithm switch
        {
            BalanceAlgorithm.LeastConnections => (double)endpoint.InFlight / weight,
            BalanceAlgorithm.LeastTimeFirstByte or BalanceAlgorithm.LeastTimeLastByte =>
                Math.Max(TimeOf(endpoint), 1) * (endpoint.InFlight + 1) / weight,
            _ => 0,
        };

        private double TimeOf(Endpoint endpoint)
        {
            double average = endpoint.ResponseTime.AverageAt(NowMs);
            return average < 0 ? Unmeasured : average;
        }
    }
}
