using Tessera.Proxy.Flow;

namespace Tessera.Proxy.Forwarding;

/// <summary>What the limits of a route and of the server have to do with an exchange.</summary>
internal sealed partial class Exchange
{
    private (ConnectionZone Zone, int Slot)[] _occupied = [];
    private int _occupiedCount;
    private bool _isPaced;
    private bool _isTooLarge;

    /// <summary>How slowly the body may come.</summary>
    public RateFloor BodyFloor;

    /// <summary>How quickly the response may leave.</summary>
    public Pacer Pacer;

    /// <summary>
    /// Of the body: what the head says, or of chunks what they have announced so far.
    /// </summary>
    public long AnnouncedBodyBytes =>
        Math.Max(Request.ContentLength, RequestBody.AnnouncedBytes);

    /// <summary>The body is larger than the route takes, as far as is known by now.</summary>
    public bool IsBodyTooLarge =>
        Route?.Config.Flow is { MaxBodyBytes: > 0 and long max } && AnnouncedBodyBytes > max;

    /// <summary>
    /// The head says so: nginx looks at it when it has found the location; of chunks it learns as
    /// it reads them.
    /// </summary>
    public bool IsLengthTooLarge =>
        Route?.Config.Flow is { MaxBodyBytes: > 0 and long max } && Request.ContentLength > max;

    /// <summary>True once, when it is: what is served instead has no body any more.</summary>
    public bool TryNoteTooLarge()
    {
        bool isNew = IsLengthTooLarge && !_isTooLarge && !IsAsking;
        _isTooLarge |= isNew;
        return isNew;
    }

    /// <summary>The slot of a connection limit is its own until it ends.</summary>
    public void Occupy(ConnectionZone zone, int slot)
    {
        if (_occupiedCount == _occupied.Length)
        {
            Array.Resize(ref _occupied, _occupiedCount + 1);
        }

        _occupied[_occupiedCount++] = (zone, slot);
    }

    /// <summary>
    /// What rate limits said of it. They are asked once, wherever the request goes on to.
    /// </summary>
    public LimitOutcome RateOutcome { get; set; }

    /// <summary>The same of limits of requests at once.</summary>
    public LimitOutcome CrowdOutcome { get; set; }

    /// <summary>The response rests to keep to its rate; it is counted once.</summary>
    public void NotePaced()
    {
        if (!_isPaced)
        {
            _isPaced = true;
            Counters.Add(LimitKind.BandwidthPaced);
        }
    }

    private void LeaveZones()
    {
        for (int i = 0; i < _occupiedCount; i++)
        {
            _occupied[i].Zone.Leave(_occupied[i].Slot);
        }

        // A zone that no route uses any more must not live on in an exchange.
        Array.Clear(_occupied, 0, _occupiedCount);
        _occupiedCount = 0;
    }

    private void ResetLimits()
    {
        LeaveZones();
        BodyFloor = default;
        Pacer = default;
        _isPaced = false;
        RateOutcome = LimitOutcome.None;
        CrowdOutcome = LimitOutcome.None;
        _isTooLarge = false;
    }
}
