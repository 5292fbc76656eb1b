namespace Tessera.Proxy.Forwarding;

/// <summary>
/// Where an exchange is in its server, and what it has become on the way there: all that is another
/// request's where a question is put to another location. Saved, replaced and given back as a
/// whole. Owned by one reactor.
/// </summary>
internal struct Visit
{
    /// <summary>Larger buffers are not kept for the next request.</summary>
    private const int MaxSpareBytes = 1_024;

    public Visit()
    {
    }

    /// <summary>The first <see cref="PathLength"/> bytes are the path.</summary>
    public byte[] Path = [];

    /// <summary>-1 while it is the client's.</summary>
    public int PathLength = -1;

    public byte[] Query = [];

    /// <summary>-1 while it is the client's.</summary>
    public int QueryLength = -1;

    /// <summary>The empty query stands for none.</summary>
    public bool HasNoQuery;

    /// <summary>What the last expression has matched.</summary>
    public byte[] Captured = [];

    /// <summary>The groups within <see cref="Captured"/>.</summary>
    public (int Start, int Length)[] Captures = [];

    public int CaptureCount;

    /// <inheritdoc cref="Exchange.HasCaptured"/>
    public bool HasCaptured;

    /// <inheritdoc cref="Exchange.IsInternal"/>
    public bool IsInternal;

    /// <inheritdoc cref="Exchange.HasChangedUri"/>
    public bool HasChangedUri;

    /// <inheritdoc cref="Exchange.LeftLocation"/>
    public bool LeftLocation;

    /// <inheritdoc cref="Exchange.AddsPathToAlias"/>
    public bool AddsPathToAlias;

    /// <inheritdoc cref="Exchange.IsTurnedToGet"/>
    public bool IsTurnedToGet;

    /// <summary>An error's page was looked for, and no other is.</summary>
    public bool HasErrorPage;

    /// <inheritdoc cref="Exchange.StatusOverride"/>
    public int StatusOverride;

    /// <inheritdoc cref="Exchange.RateOverride"/>
    public long RateOverride = -1;

    /// <summary>How often it may still be sent elsewhere.</summary>
    public int ChangesLeft;

    /// <summary>The next request's, which takes over the buffers.</summary>
    public void Reset() => this = new Visit
    {
        Path = Path.Length > MaxSpareBytes ? [] : Path,
        Query = Query.Length > MaxSpareBytes ? [] : Query,
        Captured = Captured.Length > MaxSpareBytes ? [] : Captured,
        Captures = Captures,
    };
}
