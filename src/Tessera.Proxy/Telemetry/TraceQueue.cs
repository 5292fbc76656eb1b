using System.Threading.Channels;

namespace Tessera.Proxy;

/// <summary>
/// Finished traces on their way to whoever exports them. Bounded: what finds it full is dropped and
/// counted, so that no request waits for a collector. Safe from any thread.
/// </summary>
public sealed class TraceQueue
{
    private readonly Channel<RequestTrace> _traces;
    private long _dropped;

    /// <param name="sampleRatio">
    /// Share of the traces that begin here and are recorded, 0 to 1. Others follow their parent.
    /// </param>
    /// <param name="capacity">Traces that may wait, above 0.</param>
    public TraceQueue(double sampleRatio, int capacity)
    {
        SampleRatio = Math.Clamp(sampleRatio, 0, 1);
        _traces = Channel.CreateBounded<RequestTrace>(
            new BoundedChannelOptions(capacity) { SingleReader = true });
    }

    public double SampleRatio { get; }

    public ChannelReader<RequestTrace> Reader => _traces.Reader;

    /// <summary>Traces that were lost here.</summary>
    public long Dropped => Volatile.Read(ref _dropped);

    /// <summary>No more traces will come.</summary>
    public void Complete() => _traces.Writer.TryComplete();

    internal void Add(RequestTrace trace)
    {
        if (!_traces.Writer.TryWrite(trace))
        {
            Interlocked.Increment(ref _dropped);
        }
    }
}
