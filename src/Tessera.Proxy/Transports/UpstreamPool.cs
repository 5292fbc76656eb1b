namespace Tessera.Proxy.Transports;

/// <summary>
/// The idle connections of one reactor to one endpoint. The one that was used last is taken first:
/// it is warm, and those that are not needed grow old and end. Owned by one reactor.
/// </summary>
internal sealed class UpstreamPool
{
    private readonly int _limit;
    private UpstreamConnection? _newest;
    private UpstreamConnection? _oldest;
    private int _count;

    public UpstreamPool(int limit, int idleTimeoutMs)
    {
        _limit = limit;
        IdleTimeoutMs = idleTimeoutMs;
    }

    public int Count => _count;

    /// <summary>Of its connections; 0 is no limit.</summary>
    public int IdleTimeoutMs { get; }

    /// <summary>Of one connection; 0 is no limit.</summary>
    public int MaxRequests { get; init; }

    /// <summary>A request after it is its connection's last; 0 is no limit.</summary>
    public int MaxAgeMs { get; init; }

    /// <summary>An idle connection that nothing is known against, or null.</summary>
    public UpstreamConnection? TryTake()
    {
        UpstreamConnection? connection = _newest;
        if (connection is not null)
        {
            Unlink(connection);
            connection.EndSleep();
        }

        return connection;
    }

    /// <summary>Keeps a connection whose last response was read to its end, or closes it.</summary>
    public void Put(UpstreamConnection connection)
    {
        if (_limit <= 0
            || connection.Transport.HasPeerClosed
            || !connection.TrySleep())
        {
            connection.Close();
            return;
        }

        if (_count == _limit)
        {
            Evict(_oldest!);
        }

        Link(connection);
    }

    /// <summary>Closes all idle connections.</summary>
    public void Clear()
    {
        while (_newest is { } connection)
        {
            Evict(connection);
        }
    }

    internal void Evict(UpstreamConnection connection)
    {
        Unlink(connection);
        connection.Close();
    }

    private void Link(UpstreamConnection connection)
    {
        connection.Older = _newest;
        if (_newest is not null)
        {
            _newest.Newer = connection;
        }

        _newest = connection;
        _oldest ??= connection;
        _count++;
    }

    private void Unlink(UpstreamConnection connection)
    {
        if (connection.Newer is null)
        {
            _newest = connection.Older;
        }
        else
        {
            connection.Newer.Older = connection.Older;
        }

        if (connection.Older is null)
        {
            _oldest = connection.Newer;
        }
        else
        {
            connection.Older.Newer = connection.Newer;
        }

        connection.Newer = null;
        connection.Older = null;
        _count--;
    }
}
