using System.Numerics;

namespace Tessera.Bench.Load;

/// <summary>
/// Counts latencies in buckets that are at most 1.6 % wide, whatever their size. Recording writes
/// one array element. Not thread-safe: owned by the load generator's reactor.
/// </summary>
internal sealed class LatencyHistogram
{
    /// <summary>Bits of a value that tell its bucket, below its highest bit.</summary>
    private const int Precision = 6;

    private readonly long[] _counts = new long[(64 - Precision) << Precision];

    /// <summary>Latencies recorded since the last <see cref="Clear"/>.</summary>
    public long Count { get; private set; }

    /// <param name="nanoseconds">0 or more.</param>
    public void Record(long nanoseconds)
    {
        Count++;
        _counts[BucketOf(nanoseconds)]++;
    }

    public void Clear()
    {
        Count = 0;
        Array.Clear(_counts);
    }

    /// <summary>
    /// The latency in nanoseconds that <paramref name="quantile"/> (0 to 1) of all do not exceed; 0
    /// when nothing was recorded.
    /// </summary>
    public long Quantile(double quantile)
    {
        long rank = (long)Math.Ceiling(quantile * Count);
        long seen = 0;
        for (int bucket = 0; bucket < _counts.Length; bucket++)
        {
            seen += _counts[bucket];
            if (seen >= rank && seen > 0)
            {
                return UpperBoundOf(bucket);
            }
        }

        return 0;
    }

    private static int BucketOf(long value)
    {
        int shift = Math.Max(0, BitOperations.Log2((ulong)value) - Precision);
        return (shift << Precision) + (int)(value >> shift);
    }

    private static long UpperBoundOf(int bucket)
    {
        int shift = Math.Max(0, (bucket >> Precision) - 1);
        return ((long)(bucket - (shift << Precision)) << shift) + (1L << shift) - 1;
    }
}
