using System.Buffers;

namespace Tessera.Proxy.Access;

/// <summary>
/// How crypt(3) writes bytes as text: six bits a character, the lowest first. Stateless.
/// </summary>
internal static class CryptText
{
    private const string Letters =
        "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    private static readonly SearchValues<char> Valid = SearchValues.Create(Letters);

    public static bool IsValid(ReadOnlySpan<char> text) => !text.ContainsAnyExcept(Valid);

    /// <summary>
    /// Writes <paramref name="count"/> characters of three bytes, the last of which is lowest.
    /// Returns how many.
    /// </summary>
    public static int Write(Span<byte> text, int count, int high, int middle, int low)
    {
        int bits = (high << 16) | (middle << 8) | low;
        for (int i = 0; i < count; i++)
        {
            text[i] = (byte)Letters[bits & 0x3F];
            bits >>= 6;
        }

        return count;
    }
}
