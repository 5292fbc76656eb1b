namespace Tessera.Proxy.Forwarding;

/// <summary>Counts the client connections of all reactors. Safe from any thread.</summary>
internal sealed class ConnectionLimit
{
    private readonly int _limit;
    private int _count;

    public ConnectionLimit(int limit) => _limit = limit;

    public int Count => Volatile.Read(ref _count);

    /// <summary>False when there is no room. <see cref="Leave"/> must follow a true.</summary>
    public bool TryEnter()
    {
        if (Interlocked.Increment(ref _count) <= _limit)
        {
            return true;
        }

        Leave();
        return false;
    }

    public void Leave() => Interlocked.Decrement(ref _count);
}
