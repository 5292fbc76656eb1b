using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Tessera.Proxy.Access;

/// <summary>
/// Remembers for a while which passwords were right, so that a slow hash is computed once and not
/// for each request. Kept is only a keyed hash of user, hash and password, under a secret of this
/// process; a user whose hash is changed is not found again. Bounded: a newer one takes the slot of
/// an older. Safe from any thread.
/// </summary>
internal static class VerifiedPasswords
{
    private const int Slots = 1_024;
    private const int LifeMs = 60_000;

    private static readonly byte[] Secret = RandomNumberGenerator.GetBytes(32);
    private static readonly Entry?[] Entries = new Entry?[Slots];

    public static bool Has(PasswordEntry user, ReadOnlySpan<byte> password)
    {
        Span<byte> code = stackalloc byte[HMACSHA256.HashSizeInBytes];
        Compute(user, password, code);
        return Volatile.Read(ref Entries[SlotOf(code)]) is { } entry
            && Environment.TickCount64 < entry.EndMs
            && CryptographicOperations.FixedTimeEquals(entry.Code, code);
    }

    public static void Add(PasswordEntry user, ReadOnlySpan<byte> password)
    {
        byte[] code = new byte[HMACSHA256.HashSizeInBytes];
        Compute(user, password, code);
        Volatile.Write(
            ref Entries[SlotOf(code)], new Entry(code, Environment.TickCount64 + LifeMs));
    }

    /// <summary>
    /// Each part is hashed by itself, so that nothing moves from one to the other.
    /// </summary>
    private static void Compute(
        PasswordEntry user, ReadOnlySpan<byte> password, Span<byte> code)
    {
        Span<byte> inner = stackalloc byte[HMACSHA256.HashSizeInBytes * 2];
        HMACSHA256.HashData(Secret, user.Line, inner);
        HMACSHA256.HashData(Secret, password, inner[HMACSHA256.HashSizeInBytes..]);
        HMACSHA256.HashData(Secret, inner, code);
    }

    private static int SlotOf(ReadOnlySpan<byte> code) =>
        (int)(BinaryPrimitives.ReadUInt32LittleEndian(code) % Slots);

    private sealed record Entry(byte[] Code, long EndMs);
}
