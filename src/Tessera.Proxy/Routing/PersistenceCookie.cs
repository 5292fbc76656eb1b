using System.Globalization;
using System.Text;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Routing;

/// <summary>Writes the cookie that names a client's endpoint. Immutable.</summary>
internal sealed class PersistenceCookie
{
    /// <summary>Of a whole field; a longer one is not sent.</summary>
    private const int MaxFieldBytes = 1_024;

    private const int MaxAttributeBytes = 256;

    private readonly PersistenceCookieConfig _config;
    private readonly byte[] _name;
    private readonly byte[] _path;
    private readonly Template? _domain;
    private readonly Template? _sameSite;

    public PersistenceCookie(PersistenceCookieConfig config)
    {
        _config = config;
        _name = Encoding.UTF8.GetBytes(config.Name);
        _path = Encoding.UTF8.GetBytes(config.Path ?? "");
        _domain = config.Domain is null ? null : Template.Parse(config.Domain);
        _sameSite = config.SameSite is null ? null : Template.Parse(config.SameSite);
    }

    private bool IsForEver =>
        _config.LifetimeSeconds == PersistenceCookieConfig.MaxLifetimeSeconds;

    public void AddTo(Exchange exchange, ReadOnlySpan<byte> value)
    {
        var field = new ByteWriter(stackalloc byte[MaxFieldBytes]);
        field.Write(_name);
        field.Write((byte)'=');
        field.Write(value);
        WriteLifetime(ref field, exchange);
        Span<byte> scratch = stackalloc byte[MaxAttributeBytes];
        WriteAttribute(ref field, "; domain="u8, TextOf(_domain, exchange, scratch));
        WriteAttribute(ref field, "; httponly"u8, default, _config.IsHttpOnly);
        WriteAttribute(ref field, "; path="u8, _path);
        WriteAttribute(
            ref field, "; samesite="u8, SameSiteOf(TextOf(_sameSite, exchange, scratch)));
        WriteAttribute(ref field, "; secure"u8, default, _config.IsSecure);
        if (!field.HasOverflowed)
        {
            exchange.TryAddField("Set-Cookie"u8, field.Written);
        }
    }

    private static void WriteAttribute(
        ref ByteWriter field, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value,
        bool isFlag = false)
    {
        if (isFlag || !value.IsEmpty)
        {
            field.Write(name);
            field.Write(value);
        }
    }

    private static ReadOnlySpan<byte> TextOf(
        Template? template, Exchange exchange, Span<byte> scratch)
    {
        var text = new ByteWriter(scratch);
        template?.Write(ref text, exchange);
        return text.HasOverflowed ? default : scratch[..text.Length];
    }

    private static ReadOnlySpan<byte> SameSiteOf(ReadOnlySpan<byte> text) =>
        text.IsEmpty ? default
        : text.SequenceEqual("lax"u8) ? "lax"u8
        : text.SequenceEqual("none"u8) ? "none"u8
        : "strict"u8;

    /// <summary>In both forms, the older one in its older date (ngx_http_cookie_time).</summary>
    private void WriteLifetime(ref ByteWriter field, Exchange exchange)
    {
        if (_config.LifetimeSeconds == 0)
        {
            return;
        }

        field.Write("; expires="u8);
        if (IsForEver)
        {
            field.Write("Thu, 31-Dec-37 23:55:55 GMT"u8);
        }
        else
        {
            Shard shard = exchange.Client.Shard;
            DateTimeOffset expires = DateTimeOffset.FromUnixTimeMilliseconds(
                shard.Clock.ToUnixMs(shard.Reactor.NowMs)).AddSeconds(_config.LifetimeSeconds);
            Span<byte> date = stackalloc byte[64];
            expires.TryFormat(
                date,
                out int length,
                "ddd, dd-MMM-yy HH:mm:ss 'GMT'",
                CultureInfo.InvariantCulture);
            field.Write(date[..length]);
        }

        field.Write("; max-age="u8);
        field.WriteNumber(_config.LifetimeSeconds);
    }
}
