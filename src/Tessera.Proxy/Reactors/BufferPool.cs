namespace Tessera.Proxy.Reactors;

/// <summary>
/// Buffers of three sizes, last returned first rented: what is rented next is still in the
/// processor's cache. They never move in memory. Bounded in what it keeps, not in what it lends:
/// that is bounded by the connections. Owned by one reactor.
/// </summary>
internal sealed class BufferPool
{
    /// <summary>Holds most heads.</summary>
    public const int SmallBytes = 4 * 1_024;

    private const int MaxSmall = 2_048;
    private const int MaxHead = 64;
    private const int MaxRelay = 32;

    /// <summary>Relay buffers in use beyond which further bodies get smaller ones.</summary>
    private const int ManyRelays = 64;

    private readonly Stack<byte[]> _small = new(MaxSmall);
    private readonly Stack<byte[]> _head = new(MaxHead);
    private readonly Stack<byte[]> _relay = new(MaxRelay);
    private int _relaysLent;

    /// <param name="headBytes">Holds the largest head.</param>
    /// <param name="relayBytes">Relays bodies.</param>
    public BufferPool(int headBytes, int relayBytes)
    {
        HeadBytes = Math.Max(headBytes, SmallBytes * 2);
        RelayBytes = Math.Max(relayBytes, HeadBytes * 2);
    }

    public int HeadBytes { get; }

    public int RelayBytes { get; }

    /// <summary>
    /// What to receive of a body at once: many slow receivers must not each hold a large buffer.
    /// </summary>
    public int RelayLength => _relaysLent < ManyRelays ? RelayBytes : HeadBytes;

    /// <summary>
    /// A buffer of the smallest size that has room for <paramref name="bytes"/>, at most
    /// <see cref="RelayBytes"/>.
    /// </summary>
    public byte[] Rent(int bytes)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, RelayBytes);
        if (bytes <= SmallBytes)
        {
            return Rent(_small, SmallBytes);
        }

        if (bytes <= HeadBytes)
        {
            return Rent(_head, HeadBytes);
        }

        _relaysLent++;
        return Rent(_relay, RelayBytes);
    }

    /// <summary>
    /// As <see cref="Rent(int)"/>, of any size: what is too large for the pool is made for this use
    /// alone.
    /// </summary>
    public byte[] RentAny(int bytes) => bytes <= RelayBytes
        ? Rent(bytes)
        : GC.AllocateUninitializedArray<byte>(bytes, pinned: true);

    public void Return(byte[] buffer)
    {
        if (buffer.Length == SmallBytes)
        {
            Return(_small, buffer, MaxSmall);
        }
        else if (buffer.Length == HeadBytes)
        {
            Return(_head, buffer, MaxHead);
        }
        else if (buffer.Length == RelayBytes)
        {
            _relaysLent--;
            Return(_relay, buffer, MaxRelay);
        }
    }

    private static byte[] Rent(Stack<byte[]> free, int bytes) =>
        free.TryPop(out byte[]? buffer)
            ? buffer
            : GC.AllocateUninitializedArray<byte>(bytes, pinned: true);

    private static void Return(Stack<byte[]> free, byte[] buffer, int limit)
    {
        if (free.Count < limit)
        {
            free.Push(buffer);
        }
    }
}
