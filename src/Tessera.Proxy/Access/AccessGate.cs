using System.Text;
using Tessera.Linux.Net;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Http;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Access;

/// <summary>What a gate says of a request.</summary>
internal enum GateVerdict : byte
{
    Pass,

    /// <summary>403.</summary>
    Forbidden,

    /// <summary>401, with a challenge.</summary>
    Unauthorized,

    /// <summary>500: who may is not to be learnt.</summary>
    Broken,

    /// <summary>The password has to be checked elsewhere, because that takes long.</summary>
    Undecided,
}

/// <summary>Decides who may use a route. Immutable.</summary>
internal sealed class AccessGate
{
    private readonly AddressRules _addresses;
    private readonly PasswordList? _passwords;
    private readonly PasswordFiles? _files;
    private readonly bool _isAnyEnough;
    private readonly byte[] _challenge;
    private readonly Template? _realm;
    private readonly bool _isUnreadable;

    /// <exception cref="FormatException">A user's line cannot be understood.</exception>
    public AccessGate(AccessConfig config)
    {
        _addresses = new AddressRules(config.Addresses);
        _passwords = config.BasicAuth is { } auth ? new PasswordList(auth.Users) : null;
        _isAnyEnough = config.IsAnyEnough;
        string realm = config.BasicAuth?.Realm ?? "";
        _realm = config.BasicAuth is { HasVariables: true } ? Template.Parse(realm) : null;
        _files = config.BasicAuth is { File: { } file } named
            ? new PasswordFiles(Template.Parse(file), named.Folder)
            : null;
        _isUnreadable = config.BasicAuth is { IsUnreadable: true };
        _challenge = Encoding.UTF8.GetBytes(
            $"Basic realm=\"{Quote(realm)}\", charset=\"UTF-8\"");
    }

    /// <summary>Value of WWW-Authenticate (RFC 7617 section 2).</summary>
    public void WriteChallenge(ref ByteWriter writer, Exchange exchange)
    {
        if (_realm is null)
        {
            writer.Write(_challenge);
            return;
        }

        writer.Write("Basic realm=\""u8);
        _realm.Write(ref writer, exchange);
        writer.Write((byte)'"');
    }

    public GateVerdict Check(Exchange exchange)
    {
        GateVerdict verdict = CheckAddress(exchange.Peer, out bool needsPassword);
        if (!needsPassword || IsOff(exchange))
        {
            return verdict;
        }

        ReadOnlySpan<byte> credentials = Credentials(exchange);
        return !_isUnreadable && _files is null ? _passwords!.Check(credentials)
            : !PasswordList.HasCredentials(credentials) ? GateVerdict.Unauthorized
            : ListOf(exchange, out bool isThere)?.Check(credentials)
                ?? (isThere ? GateVerdict.Broken : GateVerdict.Forbidden);
    }

    /// <summary>Null when it cannot be read.</summary>
    private PasswordList? ListOf(Exchange exchange, out bool isThere)
    {
        isThere = false;
        return _isUnreadable ? null
            : _files is null ? _passwords
            : _files.Find(exchange, out isThere);
    }

    private bool IsOff(Exchange exchange)
    {
        if (_realm is null)
        {
            return false;
        }

        using var realm = EvaluatedText.Of(_realm, exchange);
        return realm.Text.SequenceEqual("off"u8);
    }

    /// <summary>
    /// Checks the password of a request that was <see cref="GateVerdict.Undecided"/> on another
    /// thread. False when too many are being checked already.
    /// </summary>
    public bool TryBeginCheck(Exchange exchange, PasswordCheck check) =>
        ListOf(exchange, out _)?.TryBeginCheck(Credentials(exchange), check) ?? false;

    /// <summary>
    /// The request came with a name and a password, right or wrong. For gates with passwords.
    /// </summary>
    public bool HasCredentials(Exchange exchange) =>
        PasswordList.HasCredentials(Credentials(exchange));

    /// <summary>
    /// Why those are not enough, for the log alone: the client must not learn which names exist.
    /// </summary>
    public string DescribeRefusal(Exchange exchange) =>
        ListOf(exchange, out _)?.DescribeRefusal(Credentials(exchange))
            ?? "the list of users cannot be read";

    /// <summary>
    /// With a password to ask for, the address alone decides only where it must be right as well
    /// and is wrong, or where it is enough and is right.
    /// </summary>
    internal GateVerdict CheckAddress(in InternetAddress peer, out bool needsPassword)
    {
        bool? isAllowed = _addresses.Find(peer);
        needsPassword = _passwords is not null
            && (_isAnyEnough ? isAllowed != true : isAllowed != false);
        return isAllowed == false ? GateVerdict.Forbidden : GateVerdict.Pass;
    }

    /// <summary>The value of Authorization; empty when there is none.</summary>
    private static ReadOnlySpan<byte> Credentials(Exchange exchange)
    {
        RequestHead head = exchange.Request;
        foreach (ref readonly HeaderField field in head.Headers.AsSpan(0, head.HeaderCount))
        {
            if (field.Kind == HeaderKind.Authorization)
            {
                return field.Value(exchange.Received);
            }
        }

        return default;
    }

    /// <summary>
    /// quoted-string (RFC 9110 section 5.6.4), without what has no place in a head.
    /// </summary>
    private static string Quote(string text)
    {
        var quoted = new StringBuilder();
        foreach (char c in text.Where(c => !char.IsControl(c)))
        {
            quoted.Append(c is '"' or '\\' ? "\\" : "").Append(c);
        }

        return quoted.ToString();
    }
}
