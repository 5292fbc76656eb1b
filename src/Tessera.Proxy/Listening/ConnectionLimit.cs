namespace Tessera.Proxy.Listening;

/// <summary>Counts the client connections of all reactors. Safe from any thread.</summary>
internal sealed class ConnectionLimit
{
    /// <summary>Descriptors kept for listeners, logs and what else the process has open.</summary>
    private const int ReservedDescriptors = 512;

    private const int MinConnections = 16;

    private readonly int _limit;
    private int _count;

    public ConnectionLimit(int limit) => _limit = limit;

    public int Count => Volatile.Read(ref _count);

    /// <summary>
    /// What is left of <paramref name="wanted"/> when the process may open so many files: a quarter
    /// of them stays for upstream connections, because most clients are idle at any moment.
    /// </summary>
    public static int Within(int wanted, long openFiles) => (int)Math.Min(
        wanted, Math.Max(MinConnections, (openFiles - ReservedDescriptors) * 3 / 4));

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
