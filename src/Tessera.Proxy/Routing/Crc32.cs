namespace Tessera.Proxy.Routing;

/// <summary>
/// CRC-32 as zlib and nginx have it (ISO 3309, polynomial 0x04C11DB7 reflected), in pieces: the
/// runtime's own is the Castagnoli one. Stateless.
/// </summary>
internal static class Crc32
{
    public const uint Initial = uint.MaxValue;

    private static readonly uint[] Table = BuildTable();

    public static uint Of(ReadOnlySpan<byte> bytes) => Finish(Append(Initial, bytes));

    /// <summary>Goes on from <see cref="Initial"/> or from the result of the last call.</summary>
    public static uint Append(uint state, ReadOnlySpan<byte> bytes)
    {
        foreach (byte value in bytes)
        {
            state = Table[(byte)(state ^ value)] ^ (state >> 8);
        }

        return state;
    }

    public static uint Finish(uint state) => ~state;

    private static uint[] BuildTable()
    {
        var table = new uint[256];
        for (uint i = 0; i < table.Length; i++)
        {
            uint value = i;
            for (int bit = 0; bit < 8; bit++)
            {
                value = (value & 1) != 0 ? 0xEDB88320 ^ (value >> 1) : value >> 1;
            }

            table[i] = value;
        }

        return table;
    }
}
