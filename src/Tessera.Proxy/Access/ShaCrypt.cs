using System.Security.Cryptography;

namespace Tessera.Proxy.Access;

/// <summary>
/// The SHA-256 and SHA-512 password hashes of glibc, $5$ and $6$, see crypt(5). Stateless.
/// </summary>
internal static class ShaCrypt
{
    public const int Hash256Length = 43;
    public const int Hash512Length = 86;

    public const int DefaultRounds = 5_000;
    public const int MinRounds = 1_000;

    /// <summary>About ten seconds; crypt(3) itself would take a hundred times as many.</summary>
    public const int MaxRounds = 10_000_000;

    /// <summary>The text behind the salt.</summary>
    /// <param name="salt">At most 16 bytes.</param>
    public static byte[] Hash(
        HashAlgorithmName algorithm, ReadOnlySpan<byte> password, ReadOnlySpan<byte> salt,
        int rounds)
    {
        using var sha = IncrementalHash.CreateHash(algorithm);
        byte[] digest = new byte[sha.HashLengthInBytes];

        // (1) Password, salt, password.
        sha.AppendData(password);
        sha.AppendData(salt);
        sha.AppendData(password);
        sha.GetHashAndReset(digest);

        // (2) Password and salt, that digest stretched to the password's length, and for each bit
        // of that length the digest or the password.
        sha.AppendData(password);
        sha.AppendData(salt);
        AppendStretched(sha, digest, password.Length);
        for (int bits = password.Length; bits > 0; bits >>= 1)
        {
            sha.AppendData((bits & 1) != 0 ? digest : password);
        }

        sha.GetHashAndReset(digest);

        // (3) Stand-ins for password and salt, of the same lengths.
        byte[] passwordBytes = Stretch(sha, password, password.Length, password.Length);
        byte[] saltBytes = Stretch(sha, salt, 16 + digest[0], salt.Length);

        // (4) What makes it slow.
        for (int round = 0; round < rounds; round++)
        {
            bool isOdd = (round & 1) != 0;
            sha.AppendData(isOdd ? passwordBytes : digest);
            sha.AppendData(round % 3 != 0 ? saltBytes : []);
            sha.AppendData(round % 7 != 0 ? passwordBytes : []);
            sha.AppendData(isOdd ? digest : passwordBytes);
            sha.GetHashAndReset(digest);
        }

        return digest.Length == SHA256.HashSizeInBytes ? Write256(digest) : Write512(digest);
    }

    /// <summary>
    /// The digest of <paramref name="times"/> repetitions, stretched to a length.
    /// </summary>
    private static byte[] Stretch(
        IncrementalHash sha, ReadOnlySpan<byte> text, int times, int length)
    {
        for (int i = 0; i < times; i++)
        {
            sha.AppendData(text);
        }

        byte[] digest = sha.GetHashAndReset();
        byte[] stretched = new byte[length];
        for (int i = 0; i < length; i++)
        {
            stretched[i] = digest[i % digest.Length];
        }

        return stretched;
    }

    private static void AppendStretched(IncrementalHash sha, ReadOnlySpan<byte> digest, int length)
    {
        for (int left = length; left > 0; left -= digest.Length)
        {
            sha.AppendData(digest[..Math.Min(left, digest.Length)]);
        }
    }

    /// <summary>Each triple is the one before, rotated, one further.</summary>
    private static byte[] Write256(ReadOnlySpan<byte> digest)
    {
        byte[] text = new byte[Hash256Length];
        int length = 0;
        (int high, int middle, int low) = (0, 10, 20);
        for (int i = 0; i < 10; i++)
        {
            length += CryptText.Write(
                text.AsSpan(length), 4, digest[high], digest[middle], digest[low]);
            (high, middle, low) = (low + 1, high + 1, middle + 1);
        }

        CryptText.Write(text.AsSpan(length), 3, 0, digest[31], digest[30]);
        return text;
    }

    private static byte[] Write512(ReadOnlySpan<byte> digest)
    {
        byte[] text = new byte[Hash512Length];
        int length = 0;
        (int high, int middle, int low) = (0, 21, 42);
        for (int i = 0; i < 21; i++)
        {
            length += CryptText.Write(
                text.AsSpan(length), 4, digest[high], digest[middle], digest[low]);
            (high, middle, low) = (middle + 1, low + 1, high + 1);
        }

        CryptText.Write(text.AsSpan(length), 2, 0, 0, digest[63]);
        return text;
    }
}
