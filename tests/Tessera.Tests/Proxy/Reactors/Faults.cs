namespace Tessera.Tests.Proxy.Reactor;

/// <summary>How often things go wrong, of a thousand operations each.</summary>
internal sealed record Faults(int Seed)
{
    /// <summary>A receive gets fewer bytes than there are.</summary>
    public int ShortReads { get; init; }

    /// <summary>A send takes fewer bytes than it was given; the rest has to wait.</summary>
    public int ShortWrites { get; init; }

    /// <summary>
    /// An operation that could finish at once has to wait, and for some turns more.
    /// </summary>
    public int Delays { get; init; }

    /// <summary>
    /// An operation that could finish at once says EAGAIN, and many times again.
    /// </summary>
    public int Storms { get; init; }

    /// <summary>Of the turns: a socket is said to be ready that may not be.</summary>
    public int SpuriousEvents { get; init; }

    /// <summary>Of the turns: the wait ends although nothing happened.</summary>
    public int SpuriousWakes { get; init; }

    /// <summary>An operation fails as if the peer had reset the connection.</summary>
    public int Resets { get; init; }

    /// <summary>An accept fails because no descriptor is left.</summary>
    public int TooManyFiles { get; init; }

    /// <summary>Null leaves everything to chance.</summary>
    public FaultPoint? Point { get; init; }
}

/// <summary>
/// One fault at one very point, moved on by a test that tries them all. Set by the test while
/// nothing is under way, read by the reactor.
/// </summary>
internal sealed class FaultPoint
{
    private int _step;
    private int _cutAt;
    private int _resetAt;
    private int _transfers;

    /// <summary>Changes with each point.</summary>
    public int Step => Volatile.Read(ref _step);

    /// <summary>
    /// Each stream is cut behind so many bytes since the step began: no read and no write goes
    /// across. 0 cuts none.
    /// </summary>
    public int CutAt => Volatile.Read(ref _cutAt);

    /// <summary>Receives and sends since the step began.</summary>
    public int Transfers => Volatile.Read(ref _transfers);

    public void Begin(int cutAt = 0, int resetAt = 0)
    {
        Volatile.Write(ref _cutAt, cutAt);
        Volatile.Write(ref _resetAt, resetAt);
        Volatile.Write(ref _transfers, 0);
        Interlocked.Increment(ref _step);
    }

    /// <summary>Counts a transfer; true for the one that is to be reset.</summary>
    public bool IsResetNext() =>
        Interlocked.Increment(ref _transfers) == Volatile.Read(ref _resetAt);
}
