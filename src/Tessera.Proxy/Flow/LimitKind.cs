namespace Tessera.Proxy.Flow;

/// <summary>
/// What kept a request from being served, or from being served at once, as metrics count it. The
/// names become the metric's: <c>rate_refused</c> and so on.
/// </summary>
internal enum LimitKind : byte
{
    RateRefused,

    /// <summary>Beyond the rate and within the burst: it waited for its turn.</summary>
    RateDelayed,
    ConnectionsRefused,
    BodyTooLarge,
    HeadTooLarge,
    AddressDenied,

    /// <summary>No credentials came along, as with every browser's first request.</summary>
    PasswordMissing,
    PasswordWrong,

    /// <summary>Too many were being checked.</summary>
    PasswordUnchecked,

    /// <summary>The response rested at least once to keep to its rate.</summary>
    BandwidthPaced,
    HeadTimeout,
    BodyTimeout,

    /// <summary>The client did not take its response.</summary>
    SendTimeout,
}
