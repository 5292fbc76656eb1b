using System.Text;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Routing;

/// <summary>Which attributes a cookie gets or loses.</summary>
[Flags]
internal enum CookieFlagBits
{
    None = 0,
    Secure = 1,
    NoSecure = 2,
    HttpOnly = 4,
    NoHttpOnly = 8,
    SameSiteStrict = 16,
    SameSiteLax = 32,
    SameSiteNone = 64,
    NoSameSite = 128,
    AnySameSite = SameSiteStrict | SameSiteLax | SameSiteNone | NoSameSite,
}

/// <summary>One line of proxy_cookie_flags, made ready. Immutable.</summary>
internal sealed class CookieFlagRule
{
    private readonly Template? _name;
    private readonly Expression? _expression;
    private readonly Template[] _flags;

    /// <exception cref="FormatException">A text names no variable.</exception>
    /// <exception cref="ArgumentException">The expression is none.</exception>
    public CookieFlagRule(CookieFlags config)
    {
        if (config.Cookie.StartsWith('~'))
        {
            _expression = new Expression(
                config.Cookie[1..], ignoresCase: true, VariableScope.Current);
        }
        else
        {
            _name = Template.Parse(config.Cookie);
        }

        _flags = [.. config.Flags.Select(Template.Parse)];
    }

    public static CookieFlagBits Parse(ReadOnlySpan<byte> flag) =>
        Is(flag, "secure"u8) ? CookieFlagBits.Secure
        : Is(flag, "nosecure"u8) ? CookieFlagBits.NoSecure
        : Is(flag, "httponly"u8) ? CookieFlagBits.HttpOnly
        : Is(flag, "nohttponly"u8) ? CookieFlagBits.NoHttpOnly
        : Is(flag, "samesite=strict"u8) ? CookieFlagBits.SameSiteStrict
        : Is(flag, "samesite=lax"u8) ? CookieFlagBits.SameSiteLax
        : Is(flag, "samesite=none"u8) ? CookieFlagBits.SameSiteNone
        : Is(flag, "nosamesite"u8) ? CookieFlagBits.NoSameSite
        : CookieFlagBits.None;

    /// <summary>None where the cookie is another.</summary>
    public CookieFlagBits Find(Exchange exchange, ReadOnlySpan<byte> cookie, out bool fits)
    {
        Span<byte> buffer = stackalloc byte[256];
        fits = _expression?.Match(cookie, exchange) == MatchOutcome.Match;
        if (_name is not null)
        {
            var name = new ByteWriter(buffer);
            _name.Write(ref name, exchange);
            fits = Ascii.EqualsIgnoreCase(name.Written, cookie);
        }

        var bits = CookieFlagBits.None;
        for (int i = 0; fits && i < _flags.Length; i++)
        {
            var flag = new ByteWriter(buffer);
            _flags[i].Write(ref flag, exchange);
            bits |= Parse(flag.Written);
        }

        return bits;
    }

    private static bool Is(ReadOnlySpan<byte> flag, ReadOnlySpan<byte> name) =>
        Ascii.EqualsIgnoreCase(flag, name);
}
