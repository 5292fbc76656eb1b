using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Tessera.Proxy.Routing;

/// <summary>
/// The cookies that bind clients to endpoints. A value is the HMAC-SHA256 of the endpoint's id
/// under a secret key, cut to 128 bits: nobody can make one, and it tells nothing about the
/// endpoint. All are made once, so that a request costs a comparison. Immutable.
/// </summary>
internal sealed class StickyCookies
{
    public const int MinKeyBytes = 16;

    private const int TagBytes = 16;

    private readonly Endpoint[] _endpoints;
    private readonly byte[][] _values;
    private readonly byte[][] _fields;

    public StickyCookies(StickyConfig config, Endpoint[] endpoints)
    {
        Name = Encoding.ASCII.GetBytes(config.Name);
        _endpoints = endpoints;
        _values = Array.ConvertAll(endpoints, e => ValueOf(config, e));
        _fields = Array.ConvertAll(_values, value => FieldOf(config, value));
    }

    public byte[] Name { get; }

    /// <summary>The endpoint that a value names; null for one that is not ours.</summary>
    public Endpoint? Find(ReadOnlySpan<byte> value)
    {
        Endpoint? found = null;
        for (int i = 0; i < _values.Length && found is null && !value.IsEmpty; i++)
        {
            found = CryptographicOperations.FixedTimeEquals(value, _values[i])
                ? _endpoints[i]
                : null;
        }

        return found;
    }

    /// <summary>Value of the Set-Cookie field that binds a client (RFC 6265 section 4.1).</summary>
    public byte[] FieldOf(Endpoint endpoint) => _fields[Array.IndexOf(_endpoints, endpoint)];

    private static byte[] ValueOf(StickyConfig config, Endpoint endpoint)
    {
        byte[] tag = HMACSHA256.HashData(
            config.Key.AsSpan(), Encoding.UTF8.GetBytes(endpoint.Id));
        return Encoding.ASCII.GetBytes(Base64Url.EncodeToString(tag.AsSpan(0, TagBytes)));
    }

    private static byte[] FieldOf(StickyConfig config, byte[] value)
    {
        var text = new StringBuilder();
        text.Append(config.Name).Append('=').Append(Encoding.ASCII.GetString(value));
        text.Append(config.Path.Length > 0 ? "; Path=" : "").Append(config.Path);
        text.Append(config.Domain is null ? "" : "; Domain=").Append(config.Domain);
        if (config.LifetimeSeconds > 0)
        {
            text.Append(CultureInfo.InvariantCulture, $"; Max-Age={config.LifetimeSeconds}");
        }

        text.Append(config.IsHttpOnly ? "; HttpOnly" : "");
        text.Append(config.IsSecure ? "; Secure" : "");
        text.Append(config.SameSite is null ? "" : "; SameSite=").Append(config.SameSite);
        return Encoding.ASCII.GetBytes(text.ToString());
    }
}
