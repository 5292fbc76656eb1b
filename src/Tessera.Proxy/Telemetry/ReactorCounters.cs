namespace Tessera.Proxy.Telemetry;

/// <summary>
/// What one reactor counts beside requests. Written by it alone, read by any thread.
/// </summary>
internal sealed class ReactorCounters
{
    private long _accepted;
    private long _refused;
    private long _tunnels;
    private long _begun;
    private long _ended;

    public long Accepted => Volatile.Read(ref _accepted);

    public long Refused => Volatile.Read(ref _refused);

    public long Tunnels => Volatile.Read(ref _tunnels);

    /// <summary>Requests and tunnels so far.</summary>
    public long Begun => Volatile.Read(ref _begun);

    /// <summary>Requests and tunnels at this moment.</summary>
    public long Active => Volatile.Read(ref _begun) - Volatile.Read(ref _ended);

    public void CountAccepted() => _accepted++;

    public void CountRefused() => _refused++;

    public void CountTunnel() => _tunnels++;

    public void CountBegun() => _begun++;

    public void CountEnded() => _ended++;
}
