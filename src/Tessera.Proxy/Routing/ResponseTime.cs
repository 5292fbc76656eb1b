namespace Tessera.Proxy.Routing;

/// <summary>
/// The exponential moving average of how long an endpoint's responses take. Shared by all reactors;
/// every change is one atomic exchange, and one that meets another is made again.
/// </summary>
internal sealed class ResponseTime
{
    /// <summary>Each new time counts for an eighth.</summary>
    private const double Share = 0.125;

    /// <summary>
    /// Without news the average halves in this time: an endpoint that was slow once is asked again
    /// some day, and shows what it is like now.
    /// </summary>
    private const double HalfLifeMs = 10_000;

    private long _averageBits = BitConverter.DoubleToInt64Bits(-1);
    private long _lastMs;

    /// <summary>A response took so long.</summary>
    /// <param name="nowMs">On the reactors' clock.</param>
    public void Add(double microseconds, long nowMs)
    {
        while (true)
        {
            long before = Volatile.Read(ref _averageBits);
            double average = BitConverter.Int64BitsToDouble(before);
            double next = average < 0
                ? microseconds
                : average + ((microseconds - average) * Share);
            long after = BitConverter.DoubleToInt64Bits(next);
            if (Interlocked.CompareExchange(ref _averageBits, after, before) == before)
            {
                Volatile.Write(ref _lastMs, nowMs);
                return;
            }
        }
    }

    /// <summary>In microseconds; negative when nothing was measured yet.</summary>
    public double AverageAt(long nowMs)
    {
        double average = BitConverter.Int64BitsToDouble(Volatile.Read(ref _averageBits));
        long silentMs = nowMs - Volatile.Read(ref _lastMs);
        return average < 0 || silentMs < HalfLifeMs
            ? average
            : average * Math.Pow(0.5, silentMs / HalfLifeMs);
    }
}
