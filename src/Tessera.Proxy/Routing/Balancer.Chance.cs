namespace Tessera.Proxy.Routing;

/// <summary>The algorithms that go by chance.</summary>
internal static partial class Balancer
{
    private static Endpoint? PickRandom(EndpointGroup group, in Selection selection)
    {
        for (int attempt = 0; attempt <= group.Active.Length; attempt++)
        {
            Endpoint? drawn = Draw(group, selection, except: null);
            if (drawn is null || drawn.TryBegin())
            {
                return drawn;
            }
        }

        return null;
    }

    /// <summary>
    /// Two by chance, of which the one with fewer in flight for its weight; when they are equal the
    /// first, so that idle endpoints get shares by weight.
    /// </summary>
    private static Endpoint? PickRandomTwo(EndpointGroup group, in Selection selection)
    {
        for (int attempt = 0; attempt <= group.Active.Length; attempt++)
        {
            Endpoint? first = Draw(group, selection, except: null);
            if (first is null)
            {
                return null;
            }

            Endpoint? second = Draw(group, selection, except: first);
            Endpoint better = second is not null && IsLessBusy(second, first, selection.NowMs)
                ? second
                : first;
            if (better.TryBegin())
            {
                return better;
            }
        }

        return null;
    }

    private static bool IsLessBusy(Endpoint a, Endpoint b, long nowMs) =>
        a.InFlight * b.WeightAt(nowMs) < b.InFlight * a.WeightAt(nowMs);

    /// <summary>One of those that can take the request, by weight and chance.</summary>
    private static Endpoint? Draw(
        EndpointGroup group, in Selection selection, Endpoint? except)
    {
        long total = 0;
        foreach (Endpoint endpoint in group.Active)
        {
            total += DrawWeight(endpoint, selection, except);
        }

        if (total == 0)
        {
            return null;
        }

        // The weights may have changed since they were summed up; then the last one is as good.
        long point = Random.Shared.NextInt64(total);
        Endpoint? drawn = null;
        foreach (Endpoint endpoint in group.Active)
        {
            long weight = DrawWeight(endpoint, selection, except);
            drawn = weight > 0 ? endpoint : drawn;
            point -= weight;
            if (point < 0)
            {
                break;
            }
        }

        return drawn;
    }

    private static long DrawWeight(
        Endpoint endpoint, in Selection selection, Endpoint? except) =>
        endpoint == except || selection.Excludes(endpoint) || !endpoint.HasRoom
            ? 0
            : endpoint.WeightAt(selection.NowMs);
}
