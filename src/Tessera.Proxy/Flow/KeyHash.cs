using System.Buffers.Binary;
using System.Numerics;
using System.Security.Cryptography;

namespace Tessera.Proxy.Flow;

/// <summary>
/// SipHash-2-4 of a key, under a secret of this process: who does not know it cannot choose keys
/// that fall together. Stateless.
/// </summary>
internal static class KeyHash
{
    private static readonly ulong Secret0 = NewSecret();
    private static readonly ulong Secret1 = NewSecret();

    /// <summary>Never 0, which stands for no key.</summary>
    public static ulong Of(ReadOnlySpan<byte> key) => Math.Max(1, Of(key, Secret0, Secret1));

    internal static ulong Of(ReadOnlySpan<byte> key, ulong secret0, ulong secret1)
    {
        // The letters of "somepseudorandomlygeneratedbytes", as the algorithm's authors chose them.
        ulong v0 = secret0 ^ 0x736F6D6570736575;
        ulong v1 = secret1 ^ 0x646F72616E646F6D;
        ulong v2 = secret0 ^ 0x6C7967656E657261;
        ulong v3 = secret1 ^ 0x7465646279746573;
        ulong last = (ulong)key.Length << 56;
        for (; key.Length >= 8; key = key[8..])
        {
            Absorb(ref v0, ref v1, ref v2, ref v3, BinaryPrimitives.ReadUInt64LittleEndian(key));
        }

        for (int i = 0; i < key.Length; i++)
        {
            last |= (ulong)key[i] << (8 * i);
        }

        Absorb(ref v0, ref v1, ref v2, ref v3, last);
        v2 ^= 0xFF;
        for (int i = 0; i < 4; i++)
        {
            Round(ref v0, ref v1, ref v2, ref v3);
        }

        return v0 ^ v1 ^ v2 ^ v3;
    }

    private static void Absorb(
        ref ulong v0, ref ulong v1, ref ulong v2, ref ulong v3, ulong word)
    {
        v3 ^= word;
        Round(ref v0, ref v1, ref v2, ref v3);
        Round(ref v0, ref v1, ref v2, ref v3);
        v0 ^= word;
    }

    private static void Round(ref ulong v0, ref ulong v1, ref ulong v2, ref ulong v3)
    {
        v0 += v1;
        v1 = BitOperations.RotateLeft(v1, 13) ^ v0;
        v0 = BitOperations.RotateLeft(v0, 32);
        v2 += v3;
        v3 = BitOperations.RotateLeft(v3, 16) ^ v2;
        v0 += v3;
        v3 = BitOperations.RotateLeft(v3, 21) ^ v0;
        v2 += v1;
        v1 = BitOperations.RotateLeft(v1, 17) ^ v2;
        v2 = BitOperations.RotateLeft(v2, 32);
    }

    private static ulong NewSecret()
    {
        Span<byte> bytes = stackalloc byte[8];
        RandomNumberGenerator.Fill(bytes);
        return BinaryPrimitives.ReadUInt64LittleEndian(bytes);
    }
}
