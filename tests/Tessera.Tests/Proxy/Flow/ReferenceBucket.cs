using Tessera.Proxy.Flow;

namespace Tessera.Tests.Proxy.Flow;

/// <summary>
/// nginx's limit_req in the words of its documentation, with one bucket and no hurry: the excess
/// falls with time, a request adds one, and beyond the burst it is refused and leaves no trace.
/// </summary>
internal sealed class ReferenceBucket(long rate, long burst)
{
    private long _lastMs;
    private long? _excess;

    public bool TryCharge(long nowMs, out long excess)
    {
        if (_excess is not { } before)
        {
            _excess = excess = 0;
            _lastMs = nowMs;
            return true;
        }

        long elapsedMs = Math.Max(0, nowMs - _lastMs);
        excess = Math.Max(0, before - (rate * elapsedMs / 1_000) + RateZone.Request);
        if (excess > burst)
        {
            return false;
        }

        _excess = excess;
        _lastMs += elapsedMs;
        return true;
    }
}
