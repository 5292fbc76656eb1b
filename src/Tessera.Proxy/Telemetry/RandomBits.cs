using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Tessera.Proxy.Telemetry;

/// <summary>
/// Random numbers that nobody can guess, taken from the kernel in bulk. Owned by one reactor.
/// </summary>
internal sealed class RandomBits
{
    private readonly byte[] _stock = new byte[1_024];
    private int _used;

    public RandomBits() => _used = _stock.Length;

    public ulong Next()
    {
        if (_used == _stock.Length)
        {
            RandomNumberGenerator.Fill(_stock);
            _used = 0;
        }

        ulong next = BinaryPrimitives.ReadUInt64LittleEndian(_stock.AsSpan(_used));
        _used += sizeof(ulong);
        return next;
    }

    /// <summary>Any but 0, which stands for no id.</summary>
    public ulong NextId() => Math.Max(Next(), 1);
}
