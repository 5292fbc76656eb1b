using System.Collections.Immutable;

namespace Tessera.Proxy.Telemetry;

/// <summary>
/// A histogram of durations within a row of counters: a slot for each bound, one for what is above
/// the last, one for the sum. Stateless.
/// </summary>
internal static class DurationBuckets
{
    /// <summary>Slots of one histogram.</summary>
    public const int Slots = 15;

    /// <summary>
    /// Upper bounds, inclusive, in milliseconds: the reactors' clock has no finer.
    /// </summary>
    public static readonly ImmutableArray<int> BoundsMs =
        [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000];

    private static ReadOnlySpan<int> Bounds =>
        [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000];

    public static void Add(Span<long> slots, long milliseconds)
    {
        int bucket = 0;
        while (bucket < Bounds.Length && milliseconds > Bounds[bucket])
        {
            bucket++;
        }

        slots[bucket]++;
        slots[Slots - 1] += Math.Max(0, milliseconds);
    }

    public static DurationTotals Read(ReadOnlySpan<long> slots) => new(
        BoundsMs, [.. slots[..(Slots - 1)]], slots[Slots - 1]);
}
