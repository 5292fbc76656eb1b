using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Tessera.Proxy.Access;

/// <summary>
/// The Blowfish password hash of OpenBSD, $2y$ as Apache writes it, with $2a$ and $2b$, which mean
/// the same. Stateless.
/// </summary>
internal static class Bcrypt
{
    private const string Letters =
        "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

    private const int SaltBytes = 16;
    private const int SaltLength = 22;
    private const int HashBytes = 23;
    private const int HashLength = 31;
    private const int MinCost = 4;

    /// <summary>Some ten seconds; each one more takes twice as long.</summary>
    private const int MaxCost = 17;

    /// <summary>Longer passwords are cut, as everywhere.</summary>
    private const int MaxKeyBytes = 72;

    /// <summary>Reads <c>cost$salthash</c> and returns the hash.</summary>
    /// <exception cref="FormatException">It is broken.</exception>
    public static byte[] Parse(string text, out byte[] salt, out int cost)
    {
        bool isWhole = text.Length == 3 + SaltLength + HashLength && text[2] == '$';
        if (!isWhole
            || !int.TryParse(
                text.AsSpan(0, 2), NumberStyles.None, CultureInfo.InvariantCulture, out cost)
            || cost is < MinCost or > MaxCost)
        {
            throw new FormatException(
                $"the hash is not complete, or its cost is not {MinCost} to {MaxCost}");
        }

        salt = Read(text.AsSpan(3, SaltLength), SaltBytes);
        return Read(text.AsSpan(3 + SaltLength), HashBytes);
    }

    public static byte[] Hash(ReadOnlySpan<byte> password, ReadOnlySpan<byte> salt, int cost)
    {
        // The key ends with a NUL, which counts, and is repeated to the length that is needed.
        byte[] key = [.. password[..Math.Min(password.Length, MaxKeyBytes)], 0];
        key = key.Length > MaxKeyBytes ? key[..MaxKeyBytes] : key;
        var cipher = new Blowfish();
        cipher.Expand(key, salt);
        for (long i = 1L << cost; i > 0; i--)
        {
            cipher.Expand(key, default);
            cipher.Expand(salt, default);
        }

        byte[] text = Encoding.ASCII.GetBytes("OrpheanBeholderScryDoubt");
        for (int block = 0; block < text.Length; block += 8)
        {
            Span<byte> bytes = text.AsSpan(block, 8);
            uint left = BinaryPrimitives.ReadUInt32BigEndian(bytes);
            uint right = BinaryPrimitives.ReadUInt32BigEndian(bytes[4..]);
            for (int i = 0; i < 64; i++)
            {
                cipher.Encrypt(ref left, ref right);
            }

            BinaryPrimitives.WriteUInt32BigEndian(bytes, left);
            BinaryPrimitives.WriteUInt32BigEndian(bytes[4..], right);
        }

        return text[..HashBytes];
    }

    /// <summary>
    /// Six bits a character, the highest first, in an order of letters of its own.
    /// </summary>
    private static byte[] Read(ReadOnlySpan<char> text, int bytes)
    {
        byte[] result = new byte[bytes];
        int bits = 0;
        int count = 0;
        int length = 0;
        foreach (char c in text)
        {
            int value = Letters.IndexOf(c, StringComparison.Ordinal);
            if (value < 0)
            {
                throw new FormatException("the hash has a character that it cannot have");
            }

            bits = (bits << 6) | value;
            count += 6;
            if (count >= 8 && length < bytes)
            {
                count -= 8;
                result[length++] = (byte)(bits >> count);
            }

            bits &= 0xFFFF;
        }

        return result;
    }
}
