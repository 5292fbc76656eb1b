using System.Text;
using Tessera.Linux.Net;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Http;

namespace Tessera.Proxy.Access;

/// <summary>What a gate says of a request.</summary>
internal enum GateVerdict : byte
{
    Pass,

    /// <summary>403.</summary>
    Forbidden,

    /// <summary>401, with a challenge.</summary>
    Unauthorized,

    /// <summary>The password has to be checked elsewhere, because that takes long.</summary>
    Undecided,
}

/// <summary>Decides who may use a route. Immutable.</summary>
internal sealed class AccessGate
{
    private readonly AddressRules _addresses;
    private readonly PasswordList? _passwords;
    private readonly bool _isAnyEnough;
    private readonly byte[] _challenge;

    /// <exception cref="FormatException">A user's line cannot be understood.</exception>
    public AccessGate(AccessConfig config)
    {
        _addresses = new AddressRules(config.Addresses);
        _passwords = config.BasicAuth is { } auth ? new PasswordList(auth.Users) : null;
        _isAnyEnough = config.IsAnyEnough;
        string realm = config.BasicAuth?.Realm ?? "";
        _challenge = Encoding.UTF8.GetBytes(
            $"Basic realm=\"{Quote(realm)}\", charset=\"UTF-8\"");
    }

    /// <summary>Value of WWW-Authenticate (RFC 7617 section 2).</summary>
    public ReadOnlySpan<byte> Challenge => _challenge;

    public GateVerdict Check(Exchange exchange)
    {
        GateVerdict verdict = CheckAddress(exchange.Peer, out bool needsPassword);
        return needsPassword ? _passwords!.Check(Credentials(exchange)) : verdict;
    }

    /// <summary>
    /// Checks the password of a request that was <see cref="GateVerdict.Undecided"/> on another
    /// thread. False when too many are being checked already.
    /// </summary>
    public bool TryBeginCheck(Exchange exchange, PasswordCheck check) =>
        _passwords!.TryBeginCheck(Credentials(exchange), check);

    /// <summary>
    /// The request came with a name and a password, right or wrong. For gates with passwords.
    /// </summary>
    public bool HasCredentials(Exchange exchange) =>
        PasswordList.HasCredentials(Credentials(exchange));

    /// <summary>
    /// Why those are not enough, for the log alone: the client must not learn which names exist.
    /// </summary>
    public string DescribeRefusal(Exchange exchange) =>
        _passwords!.DescribeRefusal(Credentials(exchange));

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
