using System.Security.Cryptography;

namespace Tessera.Proxy.Access;

/// <summary>
/// Apache's MD5 password hash, $apr1$: a thousand rounds of MD5, as FreeBSD's $1$ under another
/// name; either of them. Stateless.
/// </summary>
internal static class Md5Crypt
{
    public const string Prefix = "$apr1$";
    public const string UnixPrefix = "$1$";
    public const int HashLength = 22;

    private const int Rounds = 1_000;

    /// <summary>The text behind the salt.</summary>
    /// <param name="salt">At most 8 bytes.</param>
    /// <param name="isUnix">$1$ in place of $apr1$.</param>
    public static byte[] Hash(
        ReadOnlySpan<byte> password, ReadOnlySpan<byte> salt, bool isUnix = false)
    {
        using var md5 = IncrementalHash.CreateHash(HashAlgorithmName.MD5);
        byte[] digest = new byte[MD5.HashSizeInBytes];

        // (1) Password, salt, password.
        md5.AppendData(password);
        md5.AppendData(salt);
        md5.AppendData(password);
        md5.GetHashAndReset(digest);

        // (2) The same with the name of the scheme, stretched to the password's length, and a byte
        // for each bit of that length.
        md5.AppendData(password);
        md5.AppendData(isUnix ? "$1$"u8 : "$apr1$"u8);
        md5.AppendData(salt);
        for (int left = password.Length; left > 0; left -= digest.Length)
        {
            md5.AppendData(digest.AsSpan(0, Math.Min(left, digest.Length)));
        }

        for (int bits = password.Length; bits > 0; bits >>= 1)
        {
            md5.AppendData((bits & 1) != 0 ? [0] : password[..1]);
        }

        md5.GetHashAndReset(digest);

        // (3) What makes it slow.
        for (int round = 0; round < Rounds; round++)
        {
            bool isOdd = (round & 1) != 0;
            md5.AppendData(isOdd ? password : digest);
            md5.AppendData(round % 3 != 0 ? salt : default);
            md5.AppendData(round % 7 != 0 ? password : default);
            md5.AppendData(isOdd ? digest : password);
            md5.GetHashAndReset(digest);
        }

        return Write(digest);
    }

    private static byte[] Write(ReadOnlySpan<byte> digest)
    {
        byte[] text = new byte[HashLength];
        int length = 0;
        for (int i = 0; i < 5; i++)
        {
            int last = i == 4 ? 5 : i + 12;
            length += CryptText.Write(
                text.AsSpan(length), 4, digest[i], digest[i + 6], digest[last]);
        }

        CryptText.Write(text.AsSpan(length), 2, 0, 0, digest[11]);
        return text;
    }
}
