namespace Tessera.Proxy.Health;

/// <summary>
/// What real traffic shows of one endpoint: failures in a row, and their share in a window. Shared
/// by all reactors. The window tumbles: the one of them that notices its end empties it, and a
/// count that falls between the two steps is lost, which is nothing to a share.
/// </summary>
internal struct OutlierCount
{
    private int _consecutive;
    private long _windowStartMs;

    /// <summary>Requests in the upper half, failures in the lower.</summary>
    private long _window;

    public void AddSuccess(OutlierConfig config, long nowMs)
    {
        if (Volatile.Read(ref _consecutive) != 0)
        {
            Volatile.Write(ref _consecutive, 0);
        }

        if (config.FailurePercent > 0)
        {
            AddToWindow(config, nowMs, failures: 0);
        }
    }

    /// <summary>Returns why the endpoint is to be ejected, or null.</summary>
    public string? AddFailure(OutlierConfig config, long nowMs)
    {
        int consecutive = Interlocked.Increment(ref _consecutive);
        if (config.ConsecutiveFailures > 0 && consecutive >= config.ConsecutiveFailures)
        {
            return $"{consecutive} failures in a row";
        }

        if (config.FailurePercent <= 0)
        {
            return null;
        }

        long window = AddToWindow(config, nowMs, failures: 1);
        long requests = window >> 32;
        long failures = window & uint.MaxValue;
        return requests >= config.MinRequests
            && failures * 100 >= config.FailurePercent * requests
            ? $"{failures} of {requests} requests failed"
            : null;
    }

    public void Clear()
    {
        Volatile.Write(ref _consecutive, 0);
        Interlocked.Exchange(ref _window, 0);
    }

    private long AddToWindow(OutlierConfig config, long nowMs, long failures)
    {
        long startMs = Volatile.Read(ref _windowStartMs);
        if (nowMs - startMs >= config.WindowMs
            && Interlocked.CompareExchange(ref _windowStartMs, nowMs, startMs) == startMs)
        {
            Interlocked.Exchange(ref _window, 0);
        }

        return Interlocked.Add(ref _window, (1L << 32) | failures);
    }
}
