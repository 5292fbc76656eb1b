using System.Security.Cryptography;
using System.Text;

namespace Tessera.Proxy.Access;

/// <summary>How a password was hashed.</summary>
internal enum PasswordScheme : byte
{
    Plain,
    Sha1,
    SaltedSha1,
    Md5Crypt,
    Md5UnixCrypt,
    Sha256Crypt,
    Sha512Crypt,
    Bcrypt,
}

/// <summary>
/// The hash of a password, in the forms that htpasswd and crypt(5) write. Comparisons take the same
/// time wherever they fail. Immutable.
/// </summary>
internal sealed class PasswordHash
{
    private readonly PasswordScheme _scheme;

    /// <summary>The text itself, or what hashing gives: bytes, or the text of crypt(3).</summary>
    private readonly byte[] _expected;

    private readonly byte[] _salt;
    private readonly int _cost;

    private PasswordHash(PasswordScheme scheme, byte[] expected, byte[] salt, int cost)
    {
        _scheme = scheme;
        _expected = expected;
        _salt = salt;
        _cost = cost;
    }

    /// <summary>Made to take long: not for a reactor.</summary>
    public bool IsSlow => _scheme >= PasswordScheme.Md5Crypt;

    /// <exception cref="FormatException">The form is not known, or broken.</exception>
    public static PasswordHash Parse(string text)
    {
        if (TryCut(text, "{PLAIN}", out string rest))
        {
            return new PasswordHash(
                PasswordScheme.Plain, Encoding.UTF8.GetBytes(rest), [], 0);
        }

        if (TryCut(text, "{SHA}", out rest))
        {
            return new PasswordHash(
                PasswordScheme.Sha1, FromBase64(rest, b => b == SHA1.HashSizeInBytes), [], 0);
        }

        if (TryCut(text, "{SSHA}", out rest))
        {
            byte[] all = FromBase64(rest, b => b >= SHA1.HashSizeInBytes);
            return new PasswordHash(
                PasswordScheme.SaltedSha1,
                all[..SHA1.HashSizeInBytes],
                all[SHA1.HashSizeInBytes..],
                0);
        }

        if (TryCut(text, Md5Crypt.Prefix, out rest))
        {
            return ParseCrypt(PasswordScheme.Md5Crypt, rest, Md5Crypt.HashLength, 0);
        }

        if (TryCut(text, Md5Crypt.UnixPrefix, out rest))
        {
            return ParseCrypt(PasswordScheme.Md5UnixCrypt, rest, Md5Crypt.HashLength, 0);
        }

        if (TryCut(text, "$5$", out rest))
        {
            return ParseShaCrypt(PasswordScheme.Sha256Crypt, rest, ShaCrypt.Hash256Length);
        }

        if (TryCut(text, "$6$", out rest))
        {
            return ParseShaCrypt(PasswordScheme.Sha512Crypt, rest, ShaCrypt.Hash512Length);
        }

        if (TryCut(text, "$2y$", out rest) || TryCut(text, "$2b$", out rest)
            || TryCut(text, "$2a$", out rest))
        {
            byte[] hash = Bcrypt.Parse(rest, out byte[] salt, out int cost);
            return new PasswordHash(PasswordScheme.Bcrypt, hash, salt, cost);
        }

        throw new FormatException(
            "a password is written as {PLAIN}, {SHA}, {SSHA}, $apr1$, $5$, $6$ or $2y$");
    }

    /// <summary>Any thread; for long when <see cref="IsSlow"/>.</summary>
    public bool Verify(ReadOnlySpan<byte> password)
    {
        switch (_scheme)
        {
            case PasswordScheme.Plain:
                // Hashed, because comparing texts of other lengths would tell the length.
                return IsEqual(SHA256.HashData(password), SHA256.HashData(_expected));
            case PasswordScheme.Sha1:
            case PasswordScheme.SaltedSha1:
                // Weak, and what the files have that people bring along.
#pragma warning disable CA5350
                return IsEqual(SHA1.HashData([.. password, .. _salt]), _expected);
#pragma warning restore CA5350
            case PasswordScheme.Md5Crypt:
                return IsEqual(Md5Crypt.Hash(password, _salt), _expected);
            case PasswordScheme.Md5UnixCrypt:
                return IsEqual(Md5Crypt.Hash(password, _salt, isUnix: true), _expected);
            case PasswordScheme.Sha256Crypt:
                return IsEqual(
                    ShaCrypt.Hash(HashAlgorithmName.SHA256, password, _salt, _cost), _expected);
            case PasswordScheme.Sha512Crypt:
                return IsEqual(
                    ShaCrypt.Hash(HashAlgorithmName.SHA512, password, _salt, _cost), _expected);
            default:
                return IsEqual(Bcrypt.Hash(password, _salt, _cost), _expected);
        }
    }

    private static PasswordHash ParseShaCrypt(PasswordScheme scheme, string rest, int hashLength)
    {
        int rounds = ShaCrypt.DefaultRounds;
        if (TryCut(rest, "rounds=", out string count))
        {
            int end = count.IndexOf('$', StringComparison.Ordinal);
            if (end < 0 || !int.TryParse(count.AsSpan(0, end), out rounds)
                || rounds is < ShaCrypt.MinRounds or > ShaCrypt.MaxRounds)
            {
                throw new FormatException(
                    $"rounds are {ShaCrypt.MinRounds} to {ShaCrypt.MaxRounds}");
            }

            rest = count[(end + 1)..];
        }

        return ParseCrypt(scheme, rest, hashLength, rounds);
    }

    /// <summary>salt$hash; a salt has as many characters as the scheme looks at.</summary>
    private static PasswordHash ParseCrypt(
        PasswordScheme scheme, string rest, int hashLength, int cost)
    {
        int maxSalt = scheme <= PasswordScheme.Md5UnixCrypt ? 8 : 16;
        int end = rest.IndexOf('$', StringComparison.Ordinal);
        bool isWhole = end >= 0 && rest.Length - end - 1 == hashLength
            && CryptText.IsValid(rest.AsSpan(end + 1));
        if (!isWhole)
        {
            throw new FormatException("the hash is not complete");
        }

        byte[] salt = Encoding.UTF8.GetBytes(rest[..Math.Min(end, maxSalt)]);
        return new PasswordHash(scheme, Encoding.ASCII.GetBytes(rest[(end + 1)..]), salt, cost);
    }

    private static bool TryCut(string text, string prefix, out string rest)
    {
        bool isCut = text.StartsWith(prefix, StringComparison.Ordinal);
        rest = isCut ? text[prefix.Length..] : text;
        return isCut;
    }

    private static byte[] FromBase64(string text, Predicate<int> isLength)
    {
        byte[] bytes = new byte[text.Length];
        if (!Convert.TryFromBase64String(text, bytes, out int length) || !isLength(length))
        {
            throw new FormatException("the hash is not complete");
        }

        return bytes[..length];
    }

    private static bool IsEqual(ReadOnlySpan<byte> computed, ReadOnlySpan<byte> expected) =>
        CryptographicOperations.FixedTimeEquals(computed, expected);
}
