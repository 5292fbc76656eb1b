namespace Tessera.Proxy.Listening;

/// <summary>Counts the client connections of all reactors. Safe from any thread.</summary>
internal sealed class ConnectionLimit
{
    /// <summary>Descriptors kept for listeners, logs and what else the process has open.</summary>
    private const int ReservedDescriptors = 512;

    private const int MinConnections = 16;

    /// <summary>Connections beyond the limit that are told so at a time.</summary>
    private const int MaxBeyond = 256;

    private readonly int _limit;
    private int _count;
    private int _beyond;

    public ConnectionLimit(int limit) => _limit = limit;

    /// <summary>Those that are turned away included.</summary>
    public int Count => Volatile.Read(ref _count) + Volatile.Read(ref _beyond);

    /// <summary>
    /// What is left of <paramref name="wanted"/> when the process may open so many files: a quarter
    /// of them stays for upstream connections, because most clients are idle at any moment.
    /// </summary>
    public static int Within(int wanted, long openFiles) => (int)Math.Min(
        wanted, Math.Max(MinConnections, (openFiles - ReservedDescriptors) * 3 / 4));

    /// <summary>False when there is no room. <see cref="Leave"/> must follow a true.</summary>
    public bool TryEnter() => TryEnter(ref _count, _limit);

    public void Leave() => Interlocked.Decrement(ref _count);

    /// <summary>
    /// For a connection that is turned away, which takes no room from those that come next.
    /// <see cref="LeaveBeyond"/> must follow a true.
    /// </summary>
    public bool TryEnterBeyond() => TryEnter(ref _beyond, MaxBeyond);

    public void LeaveBeyond() => Interlocked.Decrement(ref _beyond);

    private static bool TryEnter(ref int count, int limit)
    {
        if (Interlocked.Increment(ref count) <= limit)
        {
            return true;
        }

        Interlocked.Decrement(ref count);
        return false;
    }
}
