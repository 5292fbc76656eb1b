using System.Text;
using Tessera.Proxy.Routing;

namespace Tessera.Proxy.Forwarding;

/// <summary>
/// Fields of answers that name the backend, in the proxy's own name: proxy_redirect and
/// proxy_cookie_*. Each returns false, with nothing written, where the value stays. Stateless.
/// </summary>
internal static class ReplyRewrite
{
    public static bool TryRedirect(
        ref ByteWriter writer, Exchange exchange, PassRule rule, scoped ReadOnlySpan<byte> value)
    {
        foreach (TextRewrite redirect in rule.Redirects)
        {
            if (redirect.TryWrite(ref writer, exchange, value))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The address behind "url=" of a Refresh field.</summary>
    public static bool TryRefresh(
        ref ByteWriter writer, Exchange exchange, PassRule rule, scoped ReadOnlySpan<byte> value)
    {
        int url = IndexOfIgnoringCase(value, "url="u8);
        if (url < 0)
        {
            return false;
        }

        int start = writer.Length;
        writer.Write(value[..(url + 4)]);
        if (TryRedirect(ref writer, exchange, rule, value[(url + 4)..]))
        {
            return true;
        }

        writer.Truncate(start);
        return false;
    }

    /// <summary>Attribute by attribute (RFC 6265 section 5.2).</summary>
    public static bool TryCookie(
        ref ByteWriter writer, Exchange exchange, PassRule rule, scoped ReadOnlySpan<byte> value)
    {
        CookieFlagBits flags = FindFlags(exchange, rule, value);
        bool isFirst = true;
        foreach (Range range in value.Split((byte)';'))
        {
            ReadOnlySpan<byte> part = isFirst ? value[range] : value[range].Trim(" \t"u8);
            int equals = part.IndexOf((byte)'=');
            ReadOnlySpan<byte> name = (equals < 0 ? part : part[..equals]).Trim(" \t"u8);
            ReadOnlySpan<byte> text = equals < 0 ? default : part[(equals + 1)..].Trim(" \t"u8);
            if (!isFirst && IsReplaced(name, flags))
            {
                continue;
            }

            writer.Write(isFirst ? default : "; "u8);
            bool isRewritten = !isFirst && equals >= 0
                && TryAttribute(ref writer, exchange, rule, name, text);
            writer.Write(isRewritten ? default : part);
            isFirst = false;
        }

        WriteFlags(ref writer, flags);
        return true;
    }

    private static bool TryAttribute(
        ref ByteWriter writer, Exchange exchange, PassRule rule, scoped ReadOnlySpan<byte> name,
        scoped ReadOnlySpan<byte> text)
    {
        bool isDomain = Ascii.EqualsIgnoreCase(name, "domain"u8);
        if (!isDomain && !Ascii.EqualsIgnoreCase(name, "path"u8))
        {
            return false;
        }

        int start = writer.Length;
        writer.Write(name);
        writer.Write((byte)'=');
        foreach (TextRewrite rewrite in isDomain ? rule.CookieDomains : rule.CookiePaths)
        {
            if (isDomain
                ? rewrite.TryWriteDomain(ref writer, exchange, text)
                : rewrite.TryWrite(ref writer, exchange, text))
            {
                return true;
            }
        }

        writer.Truncate(start);
        return false;
    }

    private static CookieFlagBits FindFlags(
        Exchange exchange, PassRule rule, ReadOnlySpan<byte> value)
    {
        int end = value.IndexOfAny((byte)'=', (byte)';');
        ReadOnlySpan<byte> cookie = (end < 0 ? value : value[..end]).Trim(" \t"u8);
        foreach (CookieFlagRule one in rule.CookieFlags)
        {
            CookieFlagBits flags = one.Find(exchange, cookie, out bool fits);
            if (fits)
            {
                return flags;
            }
        }

        return CookieFlagBits.None;
    }

    /// <summary>An attribute that is set anew, or taken away.</summary>
    private static bool IsReplaced(ReadOnlySpan<byte> name, CookieFlagBits flags) =>
        ((flags & (CookieFlagBits.Secure | CookieFlagBits.NoSecure)) != 0
            && Ascii.EqualsIgnoreCase(name, "secure"u8))
        || ((flags & (CookieFlagBits.HttpOnly | CookieFlagBits.NoHttpOnly)) != 0
            && Ascii.EqualsIgnoreCase(name, "httponly"u8))
        || ((flags & CookieFlagBits.AnySameSite) != 0
            && Ascii.EqualsIgnoreCase(name, "samesite"u8));

    private static void WriteFlags(ref ByteWriter writer, CookieFlagBits flags)
    {
        writer.Write((flags & CookieFlagBits.Secure) != 0 ? "; Secure"u8 : default);
        writer.Write((flags & CookieFlagBits.HttpOnly) != 0 ? "; HttpOnly"u8 : default);
        writer.Write((flags & CookieFlagBits.SameSiteStrict) != 0 ? "; SameSite=Strict"u8
            : (flags & CookieFlagBits.SameSiteLax) != 0 ? "; SameSite=Lax"u8
            : (flags & CookieFlagBits.SameSiteNone) != 0 ? "; SameSite=None"u8
            : default);
    }

    private static int IndexOfIgnoringCase(ReadOnlySpan<byte> text, ReadOnlySpan<byte> wanted)
    {
        for (int i = 0; i + wanted.Length <= text.Length; i++)
        {
            if (Ascii.EqualsIgnoreCase(text.Slice(i, wanted.Length), wanted))
            {
                return i;
            }
        }

        return -1;
    }
}
