using System.Text;
using Tessera.Linux.Net;
using Tessera.Proxy.Health;
using Tessera.Proxy.Transports;

namespace Tessera.Proxy.Routing;

/// <summary>
/// One address that serves a backend, with what it carries. Lives as long as its id stays in the
/// configuration, and until its last request has ended. Counters are shared by all reactors and
/// atomic, its configuration is swapped as a whole; each reactor has a pool of its own.
/// </summary>
internal sealed class Endpoint
{
    /// <summary>
    /// What a weight of 1 counts for: a slow start begins with a thousandth of the weight.
    /// </summary>
    public const int WeightScale = 1_024;

    private readonly UpstreamPool[] _pools;
    private EndpointConfig _config;
    private Backend? _backend;
    private int _inFlight;
    private int _hasDrained;
    private long _requests;
    private long _failures;
    private long _activeSinceMs;
    private long _credit;
    private TaskCompletionSource? _drained;

    /// <param name="pools">One for each reactor, by its number.</param>
    /// <param name="nowMs">On the reactors' clock; its slow start begins then.</param>
    public Endpoint(EndpointConfig config, UpstreamPool[] pools, long nowMs = 0)
    {
        _config = config;
        _pools = pools;
        _activeSinceMs = nowMs;
        Id = config.Id;
        Address = new InternetAddress(config.Address);
        AddressText = Encoding.UTF8.GetBytes(
            config.UnixPath is { } path ? "unix:" + path : config.Address.ToString());
        UnixPath = config.UnixPath is null ? null : Encoding.UTF8.GetBytes(config.UnixPath);
    }

    public string Id { get; }

    public InternetAddress Address { get; }

    /// <summary>Of a socket in the file system; null for one of <see cref="Address"/>.</summary>
    public byte[]? UnixPath { get; }

    /// <summary>"address:port" as the access log has it.</summary>
    public byte[] AddressText { get; }

    public EndpointConfig Config => Volatile.Read(ref _config);

    public EndpointHealth Health { get; } = new();

    /// <summary>0 or more.</summary>
    public int Weight => Math.Max(Config.Weight, 0);

    public EndpointState State => Config.State;

    public int InFlight => Volatile.Read(ref _inFlight);

    public long Requests => Volatile.Read(ref _requests);

    public long Failures => Volatile.Read(ref _failures);

    /// <summary>How long its responses take; measured for the algorithms that ask.</summary>
    public ResponseTime ResponseTime { get; } = new();

    /// <summary>
    /// What it is owed in smooth weighted round robin: nginx's current_weight, times
    /// <see cref="WeightScale"/>.
    /// </summary>
    public long Credit => Volatile.Read(ref _credit);

    /// <summary>Active, and below its limit at this moment.</summary>
    public bool HasRoom
    {
        get
        {
            EndpointConfig config = Config;
            return config.State == EndpointState.Active
                && (config.MaxConnections <= 0 || InFlight < config.MaxConnections);
        }
    }

    public UpstreamPool PoolOf(int reactor) => _pools[reactor];

    /// <summary>
    /// Whether its state lets it take a request. While it drains it takes those of clients that are
    /// bound to it, until its drain has ended.
    /// </summary>
    public bool Takes(bool isBound) => State switch
    {
        EndpointState.Active => true,
        EndpointState.Draining => isBound && Volatile.Read(ref _hasDrained) == 0,
        _ => false,
    };

    /// <summary>
    /// Counts a request in, unless the state or the limit forbids it: the count goes up before the
    /// state is read, and <see cref="Update"/> writes the state before a drain reads the count, so
    /// one of the two always sees the other. <see cref="End"/> must follow a true.
    /// </summary>
    /// <param name="isBound">The client is bound to this endpoint by a cookie.</param>
    public bool TryBegin(bool isBound = false)
    {
        // Asked first as well: an attempt that must fail would look like the end of a request to
        // those who wait for room.
        int limit = Config.MaxConnections;
        if (!Takes(isBound))
        {
            return false;
        }

        if (limit <= 0)
        {
            Interlocked.Increment(ref _inFlight);
        }
        else if (!TryEnter(limit))
        {
            return false;
        }

        if (Takes(isBound))
        {
            Interlocked.Increment(ref _requests);
            return true;
        }

        End();
        return false;
    }

    /// <summary>
    /// Counts a request out; tells who waits for the last one, and who waits for room.
    /// </summary>
    public void End()
    {
        if (Interlocked.Decrement(ref _inFlight) == 0)
        {
            Volatile.Read(ref _drained)?.TrySetResult();
        }

        if (Config.MaxConnections > 0)
        {
            Volatile.Read(ref _backend)?.ReleaseOne();
        }
    }

    /// <summary>As <see cref="End"/>, for a request that was counted in and never sent.</summary>
    public void GiveBack()
    {
        Interlocked.Decrement(ref _requests);
        End();
    }

    /// <summary>A request failed here.</summary>
    public void CountFailure() => Interlocked.Increment(ref _failures);

    /// <summary>Something is held against it: others go first.</summary>
    public bool IsAvoided(long nowMs) => Health.IsAvoided(nowMs);

    /// <summary>
    /// Its weight times <see cref="WeightScale"/>, less while it starts slowly: the weight grows
    /// with the time since it became active, or since it is no longer avoided. At least 1.
    /// </summary>
    public long WeightAt(long nowMs)
    {
        EndpointConfig config = Config;
        long full = Math.Max((long)config.Weight * WeightScale, 1);
        if (config.SlowStartMs <= 0)
        {
            return full;
        }

        long elapsedMs = nowMs - Math.Max(
            Volatile.Read(ref _activeSinceMs), Health.BackSinceMs);
        return elapsedMs >= config.SlowStartMs
            ? full
            : Math.Max(1, full * Math.Max(elapsedMs, 0) / config.SlowStartMs);
    }

    public void AddCredit(long amount) => Interlocked.Add(ref _credit, amount);

    /// <summary>The backend whose held requests wait for room here.</summary>
    public void BelongTo(Backend backend) => Volatile.Write(ref _backend, backend);

    /// <summary>When it returns, no reactor begins a request that the new state forbids.</summary>
    public void Update(EndpointConfig config, long nowMs)
    {
        bool wasActive = State == EndpointState.Active;
        bool isActive = config.State == EndpointState.Active;
        if (isActive && !wasActive)
        {
            Volatile.Write(ref _activeSinceMs, nowMs);
        }

        // Each drain ends by itself: the end of an earlier one says nothing about the next.
        if (isActive || wasActive)
        {
            Volatile.Write(ref _hasDrained, 0);
        }

        Interlocked.Exchange(ref _config, config);
    }

    /// <summary>
    /// Waits until nothing is in flight; returns what still is when the time is over. From then on
    /// clients that are bound to it get another endpoint.
    /// </summary>
    public async Task<int> DrainAsync(TimeSpan timeout, CancellationToken cancellation)
    {
        long start = TimeProvider.System.GetTimestamp();
        bool isIdle = await WaitUntilIdleAsync(timeout, cancellation);

        // As in TryBegin the flag is raised before the count is read: a bound client's request
        // either is counted now, and is the last, or sees the flag.
        Interlocked.Exchange(ref _hasDrained, 1);
        TimeSpan left = timeout - TimeProvider.System.GetElapsedTime(start);
        if (isIdle && InFlight > 0 && left > TimeSpan.Zero)
        {
            await WaitUntilIdleAsync(left, cancellation);
        }

        return InFlight;
    }

    /// <summary>Never more than the limit, not even for a moment.</summary>
    private bool TryEnter(int limit)
    {
        int inFlight = InFlight;
        while (inFlight < limit)
        {
            int before = Interlocked.CompareExchange(ref _inFlight, inFlight + 1, inFlight);
            if (before == inFlight)
            {
                return true;
            }

            inFlight = before;
        }

        return false;
    }

    private async Task<bool> WaitUntilIdleAsync(TimeSpan timeout, CancellationToken cancellation)
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
                return false;
            }
        }

        return true;
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
