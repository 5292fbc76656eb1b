using System.Collections.Immutable;
using Tessera.Proxy.Flow;
using Tessera.Proxy.Forwarding;

namespace Tessera.Proxy.Telemetry;

/// <summary>
/// What one reactor counted for the requests of one route. Written by that reactor alone, with
/// plain additions; read by any thread, which may see a request in some of the numbers and not yet
/// in others.
/// </summary>
internal sealed class RequestCounters
{
    /// <summary>Keeps the counters of two reactors out of one cache line.</summary>
    private const int Padding = 8;

    private const int Classes = Padding;
    private const int Durations = Classes + 6;
    private const int UpstreamDurations = Durations + DurationBuckets.Slots;
    private const int BytesReceived = UpstreamDurations + DurationBuckets.Slots;
    private const int BytesSent = BytesReceived + 1;
    private const int Retries = BytesSent + 1;
    private const int Held = Retries + 1;
    private const int HeldMs = Held + 1;
    private const int Errors = HeldMs + 1;

    private static readonly string[] ErrorNames =
        Array.ConvertAll(Enum.GetNames<ProxyErrorKind>(), ToSnakeCase);

    private static readonly string[] LimitNames =
        Array.ConvertAll(Enum.GetNames<LimitKind>(), ToSnakeCase);

    private static readonly int Limits = Errors + ErrorNames.Length;
    private static readonly int End = Limits + LimitNames.Length;

    private readonly long[] _values = new long[End + Padding];

    /// <summary>A request has got its answer, or will never get one.</summary>
    public void Add(Exchange exchange, long nowMs)
    {
        long[] values = _values;
        values[Classes + Math.Min((uint)exchange.Status / 100, 5)]++;
        DurationBuckets.Add(values.AsSpan(Durations), nowMs - exchange.StartMs);
        values[BytesReceived] += exchange.RequestLength;
        values[BytesSent] += exchange.BytesSent;
        ReadOnlySpan<Try> tries = exchange.Tries;
        foreach (ref readonly Try one in tries)
        {
            DurationBuckets.Add(values.AsSpan(UpstreamDurations), one.EndMs - one.StartMs);
        }

        if (tries.Length > 1)
        {
            values[Retries] += tries.Length - 1;
        }

        if (exchange.HeldMs >= 0)
        {
            values[Held]++;
            values[HeldMs] += exchange.HeldMs;
        }
    }

    /// <summary>A request ended with an error that no other try made good.</summary>
    public void Add(ProxyErrorKind kind) => _values[Errors + (int)kind]++;

    /// <summary>A limit refused a request or made it wait.</summary>
    public void Add(LimitKind kind) => _values[Limits + (int)kind]++;

    public static RequestTotals Sum(IEnumerable<RequestCounters> reactors)
    {
        long[] sums = new long[End];
        foreach (RequestCounters counters in reactors)
        {
            for (int i = 0; i < sums.Length; i++)
            {
                sums[i] += Volatile.Read(ref counters._values[i]);
            }
        }

        return new RequestTotals
        {
            ByStatusClass = [.. sums.AsSpan(Classes, 6)],
            Duration = DurationBuckets.Read(sums.AsSpan(Durations)),
            UpstreamDuration = DurationBuckets.Read(sums.AsSpan(UpstreamDurations)),
            BytesReceived = sums[BytesReceived],
            BytesSent = sums[BytesSent],
            Retries = sums[Retries],
            Held = sums[Held],
            HeldMs = sums[HeldMs],
            Errors = ByKind(ErrorNames, sums.AsSpan(Errors)),
            Limited = ByKind(LimitNames, sums.AsSpan(Limits)),
        };
    }

    private static ImmutableArray<KindTotal> ByKind(string[] names, ReadOnlySpan<long> counts)
    {
        ImmutableArray<KindTotal>.Builder totals = ImmutableArray.CreateBuilder<KindTotal>();
        for (int i = 0; i < names.Length; i++)
        {
            if (counts[i] > 0)
            {
                totals.Add(new KindTotal(names[i], counts[i]));
            }
        }

        return totals.DrainToImmutable();
    }

    private static string ToSnakeCase(string name) => string.Concat(name.Select((letter, i) =>
        char.IsAsciiLetterUpper(letter)
            ? $"{(i > 0 ? "_" : "")}{char.ToLowerInvariant(letter)}"
            : letter.ToString()));
}
