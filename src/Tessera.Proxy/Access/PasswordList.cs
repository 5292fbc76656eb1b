using System.Buffers;
using System.Buffers.Text;
using System.Text;
using Tessera.Proxy.Telemetry;

namespace Tessera.Proxy.Access;

/// <summary>
/// The users of a route and their password hashes (RFC 7617). Immutable; what was verified lately
/// is remembered by <see cref="VerifiedPasswords"/>.
/// </summary>
internal sealed class PasswordList
{
    /// <summary>Name, colon and password; longer ones are wrong.</summary>
    private const int MaxCredentialBytes = 1_024;

    private readonly Dictionary<string, PasswordEntry> _users = new(StringComparer.Ordinal);
    private readonly Dictionary<string, PasswordEntry>.AlternateLookup<ReadOnlySpan<char>> _lookup;

    /// <summary>
    /// Checked in vain for a name that is unknown, so that the time an answer takes does not tell
    /// who exists.
    /// </summary>
    private readonly PasswordEntry? _decoy;

    /// <param name="lines">Of a name that comes twice the first counts, as with nginx.</param>
    /// <exception cref="FormatException">A line cannot be understood.</exception>
    public PasswordList(IEnumerable<string> lines)
    {
        foreach (string line in lines)
        {
            var entry = PasswordEntry.Parse(line);
            _users.TryAdd(entry.Name, entry);
            _decoy ??= entry;
        }

        _lookup = _users.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    /// <summary>
    /// Quick hashes, and those that were verified lately, are checked at once.
    /// </summary>
    /// <param name="authorization">Value of the field; empty when there is none.</param>
    public GateVerdict Check(ReadOnlySpan<byte> authorization)
    {
        Span<byte> decoded = stackalloc byte[MaxCredentialBytes];
        PasswordEntry? entry = Find(
            authorization, decoded, out ReadOnlySpan<byte> password, out bool isKnown);
        if (entry is null)
        {
            return GateVerdict.Unauthorized;
        }

        if (entry.Hash.IsSlow)
        {
            return isKnown && VerifiedPasswords.Has(entry, password)
                ? GateVerdict.Pass
                : GateVerdict.Undecided;
        }

        bool isRight = entry.Hash.Verify(password) && isKnown;
        return isRight ? GateVerdict.Pass : GateVerdict.Unauthorized;
    }

    /// <summary>
    /// Checks on another thread. False when too many are being checked already.
    /// </summary>
    public bool TryBeginCheck(ReadOnlySpan<byte> authorization, PasswordCheck check)
    {
        Span<byte> decoded = stackalloc byte[MaxCredentialBytes];
        PasswordEntry? entry = Find(
            authorization, decoded, out ReadOnlySpan<byte> password, out bool isKnown);
        return entry is not null && check.TryBegin(entry, isKnown, password);
    }

    public static bool HasCredentials(ReadOnlySpan<byte> authorization) =>
        TryDecode(authorization, stackalloc byte[MaxCredentialBytes], out _, out _);

    /// <summary>Of credentials that were not enough; for the log alone.</summary>
    public string DescribeRefusal(ReadOnlySpan<byte> authorization)
    {
        Span<byte> decoded = stackalloc byte[MaxCredentialBytes];
        if (!TryDecode(authorization, decoded, out ReadOnlySpan<byte> name, out _))
        {
            return "no name and password came along";
        }

        string user = LogEscape.ToText(name);
        return _users.ContainsKey(Encoding.UTF8.GetString(name))
            ? $"the password of user \"{user}\" is wrong"
            : $"there is no user \"{user}\"";
    }

    /// <summary>Null when the field has no credentials, or there are no users.</summary>
    private PasswordEntry? Find(
        ReadOnlySpan<byte> authorization,
        Span<byte> decoded,
        out ReadOnlySpan<byte> password,
        out bool isKnown)
    {
        isKnown = false;
        if (!TryDecode(authorization, decoded, out ReadOnlySpan<byte> user, out password))
        {
            return null;
        }

        Span<char> name = stackalloc char[MaxCredentialBytes];
        int nameLength = Encoding.UTF8.GetChars(user, name);
        isKnown = _lookup.TryGetValue(name[..nameLength], out PasswordEntry? entry);
        return isKnown ? entry : _decoy;
    }

    /// <summary>Basic credentials (RFC 7617 section 2); false when there are none.</summary>
    private static bool TryDecode(
        ReadOnlySpan<byte> authorization,
        Span<byte> decoded,
        out ReadOnlySpan<byte> name,
        out ReadOnlySpan<byte> password)
    {
        name = default;
        password = default;
        int space = authorization.IndexOf((byte)' ');
        if (space < 0 || !Ascii.EqualsIgnoreCase(authorization[..space], "basic"u8))
        {
            return false;
        }

        OperationStatus status = Base64.DecodeFromUtf8(
            authorization[(space + 1)..].Trim((byte)' '), decoded, out _, out int length);
        ReadOnlySpan<byte> credentials = decoded[..length];
        int colon = credentials.IndexOf((byte)':');
        if (status != OperationStatus.Done || colon < 0)
        {
            return false;
        }

        name = credentials[..colon];
        password = credentials[(colon + 1)..];
        return true;
    }
}

/// <summary>A user: a name, and what its password hashes to. Immutable.</summary>
internal sealed class PasswordEntry
{
    private PasswordEntry(string name, PasswordHash hash, byte[] line)
    {
        Name = name;
        Hash = hash;
        Line = line;
    }

    public string Name { get; }

    public PasswordHash Hash { get; }

    /// <summary>Name and hash as they were written.</summary>
    public byte[] Line { get; }

    /// <summary>
    /// A line of an htpasswd file: <c>name:hash</c>, and what follows a third colon is a remark.
    /// </summary>
    /// <exception cref="FormatException">It cannot be understood.</exception>
    public static PasswordEntry Parse(string line)
    {
        int colon = line.IndexOf(':', StringComparison.Ordinal);
        if (colon <= 0)
        {
            throw new FormatException("a user is written as name:hash");
        }

        string name = line[..colon];
        try
        {
            var hash = PasswordHash.Parse(line[(colon + 1)..]);
            return new PasswordEntry(name, hash, Encoding.UTF8.GetBytes(line));
        }
        catch (FormatException exception)
        {
            throw new FormatException($"user \"{name}\": {exception.Message}");
        }
    }

    /// <summary>
    /// A line of a file as far as it counts; null for remarks, and for a hash that no password has.
    /// </summary>
    public static string? KeepKnown(string line)
    {
        if (line.Length == 0 || line[0] == '#')
        {
            return null;
        }

        string[] parts = line.Split(':', 3);
        string kept = parts.Length > 1 ? $"{parts[0]}:{parts[1]}" : line;
        return FindFault(kept) is null ? kept : null;
    }

    /// <summary>Null when the line can be used. The words do not repeat the hash.</summary>
    public static string? FindFault(string line)
    {
        try
        {
            Parse(line);
            return null;
        }
        catch (FormatException exception)
        {
            return exception.Message;
        }
    }
}
