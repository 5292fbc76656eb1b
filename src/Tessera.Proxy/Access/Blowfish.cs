using System.Buffers.Binary;
using System.Numerics;

namespace Tessera.Proxy.Access;

/// <summary>
/// The Blowfish cipher with the key schedule of bcrypt. Not thread-safe: one for each hash.
/// </summary>
internal sealed class Blowfish
{
    private const int Rounds = 16;
    private const int Subkeys = Rounds + 2;
    private const int Boxes = 4;
    private const int BoxLength = 256;
    private const int Words = Subkeys + (Boxes * BoxLength);

    private static readonly Lazy<uint[]> InitialState = new(ComputeInitialState);

    /// <summary>The subkeys, then the boxes.</summary>
    private readonly uint[] _state = [.. InitialState.Value];

    /// <summary>
    /// Mixes a key into the subkeys, then replaces subkeys and boxes by what the cipher makes of
    /// <paramref name="salt"/>, or of zeros when that is empty.
    /// </summary>
    /// <param name="key">1 byte or more, repeated as needed.</param>
    /// <param name="salt">16 bytes, or none.</param>
    public void Expand(ReadOnlySpan<byte> key, ReadOnlySpan<byte> salt)
    {
        int next = 0;
        for (int i = 0; i < Subkeys; i++)
        {
            uint word = 0;
            for (int b = 0; b < 4; b++)
            {
                word = (word << 8) | key[next];
                next = next + 1 == key.Length ? 0 : next + 1;
            }

            _state[i] ^= word;
        }

        uint left = 0;
        uint right = 0;
        for (int i = 0; i < Words; i += 2)
        {
            if (!salt.IsEmpty)
            {
                ReadOnlySpan<byte> half = salt[(i % 4 * 4)..];
                left ^= BinaryPrimitives.ReadUInt32BigEndian(half);
                right ^= BinaryPrimitives.ReadUInt32BigEndian(half[4..]);
            }

            Encrypt(ref left, ref right);
            _state[i] = left;
            _state[i + 1] = right;
        }
    }

    /// <summary>One block of 64 bits.</summary>
    public void Encrypt(ref uint left, ref uint right)
    {
        ReadOnlySpan<uint> state = _state.AsSpan(0, Words);
        uint l = left;
        uint r = right;
        for (int i = 0; i < Rounds; i += 2)
        {
            l ^= state[i];
            r ^= Mix(state, l);
            r ^= state[i + 1];
            l ^= Mix(state, r);
        }

        left = r ^ state[Rounds + 1];
        right = l ^ state[Rounds];
    }

    private static uint Mix(ReadOnlySpan<uint> state, uint word)
    {
        uint mixed = state[Subkeys + (int)(word >> 24)]
            + state[Subkeys + BoxLength + (int)(word >> 16 & 0xFF)];
        mixed ^= state[Subkeys + (2 * BoxLength) + (int)(word >> 8 & 0xFF)];
        return mixed + state[Subkeys + (3 * BoxLength) + (int)(word & 0xFF)];
    }

    /// <summary>
    /// The state begins as the first 33,344 binary digits of pi behind the point. They are computed
    /// (Machin's formula, 1706) rather than written down: a table of a thousand numbers can hide a
    /// mistake, this cannot. Takes some 50 ms, once.
    /// </summary>
    private static uint[] ComputeInitialState()
    {
        const int Digits = Words * 32;
        const int Guard = 64;
        BigInteger one = BigInteger.One << (Digits + Guard);
        BigInteger pi = 4 * ((4 * ArcTangent(one, 5)) - ArcTangent(one, 239));
        BigInteger fraction = (pi - (3 * one)) >> Guard;
        byte[] bytes = fraction.ToByteArray(isUnsigned: true, isBigEndian: true);
        byte[] all = new byte[Words * 4];
        bytes.CopyTo(all.AsSpan(all.Length - bytes.Length));
        uint[] state = new uint[Words];
        for (int i = 0; i < Words; i++)
        {
            state[i] = BinaryPrimitives.ReadUInt32BigEndian(all.AsSpan(i * 4));
        }

        return state;
    }

    /// <summary>arctan(1/n) in units of 1/one: 1/n - 1/3n³ + 1/5n⁵ - …</summary>
    private static BigInteger ArcTangent(BigInteger one, int n)
    {
        BigInteger power = one / n;
        BigInteger sum = power;
        for (int k = 3; !power.IsZero; k += 2)
        {
            power /= -(n * n);
            sum += power / k;
        }

        return sum;
    }
}
