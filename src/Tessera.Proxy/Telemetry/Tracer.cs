using System.Collections.Immutable;
using System.Diagnostics;
using System.Net;
using System.Text;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Http;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Telemetry;

/// <summary>
/// Gives each request its place in a trace and, when it is sampled, tells of it at its end. Only
/// sampled requests allocate. Owned by one reactor.
/// </summary>
internal sealed class Tracer
{
    private const int MaxTextBytes = 1_024;
    private const int MaxTries = 16;
    private const long NanosecondsPerSecond = 1_000_000_000;

    private readonly TraceQueue _queue;
    private readonly RandomBits _random;
    private readonly ulong _sampledBelow;

    public Tracer(TraceQueue queue, RandomBits random)
    {
        _queue = queue;
        _random = random;

        // Decided by the trace's id, so that everyone with the same share decides the same.
        _sampledBelow = queue.SampleRatio >= 1
            ? ulong.MaxValue
            : (ulong)(queue.SampleRatio * (1UL << 63)) << 1;
    }

    /// <summary>The head is parsed: joins the client's trace, or begins one.</summary>
    public void Begin(Exchange exchange)
    {
        if (!TryJoin(exchange, out TraceContext context))
        {
            context = new TraceContext { High = _random.Next(), Low = _random.NextId() };
            context.IsSampled = context.Low < _sampledBelow || _sampledBelow == ulong.MaxValue;
        }

        context.SpanId = _random.NextId();
        context.StartTicks = context.IsSampled ? Stopwatch.GetTimestamp() : 0;
        exchange.Trace = context;
    }

    public void End(Exchange exchange)
    {
        if (exchange.Trace.IsSampled)
        {
            _queue.Add(Describe(exchange));
        }
    }

    /// <summary>More than one traceparent is none (section 3.2.1).</summary>
    private static bool TryJoin(Exchange exchange, out TraceContext context)
    {
        context = default;
        RequestHead head = exchange.Request;
        ReadOnlySpan<byte> parent = default;
        foreach (ref readonly HeaderField field in head.Headers.AsSpan(0, head.HeaderCount))
        {
            if (field.Kind != HeaderKind.TraceParent)
            {
                continue;
            }

            if (!parent.IsEmpty)
            {
                return false;
            }

            parent = field.Value(exchange.Received);
        }

        return TraceContext.TryParse(parent, out context);
    }

    private static RequestTrace Describe(Exchange exchange)
    {
        var clock = new TickClock(Stopwatch.GetTimestamp(), UnixNs());
        RequestHead head = exchange.Request;
        ReadOnlySpan<byte> received = exchange.Received;
        ref TraceContext context = ref exchange.Trace;
        return new RequestTrace
        {
            TraceHigh = context.High,
            TraceLow = context.Low,
            TraceState = Text(FieldText.Find(head, received, "tracestate"u8)),
            SpanId = context.SpanId,
            ParentId = context.ParentId,
            StartNs = clock.ToUnixNs(context.StartTicks),
            EndNs = clock.NowNs,
            Method = Text(received.Slice(head.MethodStart, head.MethodLength)),
            Scheme = "http",
            Host = Text(exchange.Host),
            Path = Text(exchange.Path),
            Query = Text(exchange.Query),
            UserAgent = Text(FieldText.Find(head, received, "user_agent"u8)),
            ClientAddress = Text(exchange.Client.PeerText),
            ProtocolVersion = head.MinorVersion == 1 ? "1.1" : "1.0",
            Route = exchange.Route?.Name ?? "",
            Backend = exchange.Backend?.Name ?? "",
            Status = exchange.Status,
            Tries = Describe(exchange.Tries, clock),
        };
    }

    private static ImmutableArray<TrySpan> Describe(ReadOnlySpan<Try> tries, TickClock clock)
    {
        tries = tries[..Math.Min(tries.Length, MaxTries)];
        var spans = ImmutableArray.CreateBuilder<TrySpan>(tries.Length);
        foreach (ref readonly Try one in tries)
        {
            IPEndPoint address =
                one.Endpoint?.Address.ToIPEndPoint() ?? new IPEndPoint(IPAddress.None, 0);
            spans.Add(new TrySpan(
                one.SpanId,
                clock.ToUnixNs(one.StartTicks),
                clock.ToUnixNs(one.EndTicks),
                one.Endpoint?.Id ?? "",
                address.Address.ToString(),
                address.Port,
                one.Status,
                one.HeadMs >= 0));
        }

        return spans.MoveToImmutable();
    }

    private static string Text(ReadOnlySpan<byte> text) =>
        Encoding.UTF8.GetString(text[..Math.Min(text.Length, MaxTextBytes)]);

    private static long UnixNs() =>
        (DateTime.UtcNow - DateTime.UnixEpoch).Ticks
        * (NanosecondsPerSecond / TimeSpan.TicksPerSecond);

    /// <summary>Turns moments on the stopwatch into those of the wall clock.</summary>
    private readonly record struct TickClock(long NowTicks, long NowNs)
    {
        public long ToUnixNs(long ticks) => NowNs
            - (long)((NowTicks - ticks) * ((double)NanosecondsPerSecond / Stopwatch.Frequency));
    }
}
