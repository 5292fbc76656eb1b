using System.Text;
using Tessera.Linux.Net;
using Tessera.Proxy.Health;
using Tessera.Proxy.Transports;

namespace Tessera.Proxy.Routing;

/// <summary>
/// One address that serves a backend, with what it carries. Lives as long as its id stays in the
/// configuration, and until its last request has ended. Counters and state are shared by all
/// reactors and atomic; each reactor has a pool of its own.
/// </summary>
internal sealed class Endpoint
{
    private readonly UpstreamPool[] _pools;
    private int _state;
    private int _weight;
    private int _inFlight;
    private long _requests;
    private long _failures;
    private TaskCompletionSource? _drained;

    /// <param name="pools">One for each reactor, by its number.</param>
    public Endpoint(EndpointConfig config, UpstreamPool[] pools)
    {
        _pools = pools;
        Id = config.Id;
        Address = new InternetAddress(config.Address);
        AddressText = Encoding.ASCII.GetBytes(config.Address.ToString());
        _weight = Math.Max(config.Weight, 0);
        _state = (int)config.State;
    }

    public string Id { get; }

    public InternetAddress Address { get; }

    /// <summary>"address:port" as the access log has it.</summary>
    public byte[] AddressText { get; }

    public int Weight => Volatile.Read(ref _weight);

    public EndpointHealth Health { get; } = new();

    public EndpointState State => (EndpointState)Volatile.Read(ref _state);

    public int InFlight => Volatile.Read(ref _inFlight);

    public long Requests => Volatile.Read(ref _requests);

    public long Failures => Volatile.Read(ref _failures);

    public UpstreamPool PoolOf(int reactor) => _pools[reactor];

    /// <summary>
    /// Counts a request in, unless the endpoint is not active: the count goes up before the state
    /// is read, and <see cref="Update"/> writes the state before a drain reads the count, so one of
    /// the two always sees the other. <see cref="End"/> must follow a true.
    /// </summary>
    public bool TryBegin()
    {
        Interlocked.Increment(ref _inFlight);
        if (State == EndpointState.Active)
        {
            Interlocked.Increment(ref _requests);
            return true;
        }

        End();
        return false;
    }

    /// <summary>Counts a request out, and tells who waits for the last one.</summary>
    public void End()
    {
        if (Interlocked.Decrement(ref _inFlight) == 0)
        {
            Volatile.Read(ref _drained)?.TrySetResult();
        }
    }

    /// <summary>A request failed here.</summary>
    public void CountFailure() => Interlocked.Increment(ref _failures);

    /// <summary>Something is held against it: others go first.</summary>
    public bool IsAvoided(long nowMs) => Health.IsAvoided(nowMs);

    /// <summary>When it returns, no reactor begins a request that the new state forbids.</summary>
    public void Update(EndpointState state, int weight)
    {
        Volatile.Write(ref _weight, Math.Max(weight, 0));
        Interlocked.Exchange(ref _state, (int)state);
    }

    /// <summary>
    /// Waits until nothing is in flight; returns what still is when the time is over.
    /// </summary>
    public async Task<int> DrainAsync(TimeSpan timeout, CancellationToken cancellation)
    {
        // The source is published before the count is read, and End reads it after it counted: no
        // end of a request falls between the two.
        TaskCompletionSource drained = ArmDrained();
        if (InFlight > 0)
        {
            try
            {
                await drained.Task.WaitAsync(timeout, cancellation);
            }
            catch (TimeoutException)
            {
                return InFlight;
            }
        }

        return InFlight;
    }

    private TaskCompletionSource ArmDrained()
    {
        while (true)
        {
            TaskCompletionSource? current = Volatile.Read(ref _drained);
            if (current is { Task.IsCompleted: false })
            {
                return current;
            }

            var fresh = new TaskCompletionSource(
                TaskCreationOptions.RunContinuationsAsynchronously);
            if (Interlocked.CompareExchange(ref _drained, fresh, current) == current)
            {
                return fresh;
            }
        }
    }
}
