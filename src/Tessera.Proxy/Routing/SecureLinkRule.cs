using System.Buffers;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Routing;

/// <summary>nginx's secure_link, made ready once. Immutable.</summary>
internal sealed class SecureLinkRule
{
    // MD5 is what the links of nginx's users are made with.
#pragma warning disable CA5351

    /// <summary>16 bytes in base64.</summary>
    private const int MaxHashText = 24;

    private readonly Template _link;
    private readonly Template _text;
    private readonly byte[]? _secret;

    public SecureLinkRule(SecureLinkConfig config)
    {
        _link = Template.Parse(config.Link);
        _text = Template.Parse(config.Text);
        _secret = config.Secret is { } secret ? Encoding.UTF8.GetBytes(secret) : null;
    }

    /// <summary>$secure_link: nothing for a link that is not proven.</summary>
    public void Write(ref ByteWriter writer, Exchange exchange)
    {
        if (_secret is not null)
        {
            WriteNamed(ref writer, exchange, _secret);
            return;
        }

        using var link = EvaluatedText.Of(_link, exchange);
        if (!TrySplit(link.Text, out ReadOnlySpan<byte> hash, out long expires))
        {
            return;
        }

        using var text = EvaluatedText.Of(_text, exchange);
        if (IsHash(hash, text.Text))
        {
            Shard shard = exchange.Client.Shard;
            long now = shard.Clock.ToUnixMs(shard.Reactor.NowMs) / 1_000;
            writer.Write(expires != 0 && expires < now ? (byte)'0' : (byte)'1');
        }
    }

    /// <summary>$secure_link_expires: the time behind the hash.</summary>
    public void WriteExpires(ref ByteWriter writer, Exchange exchange)
    {
        if (_secret is not null)
        {
            return;
        }

        using var link = EvaluatedText.Of(_link, exchange);
        if (TrySplit(link.Text, out _, out long expires) && expires != 0)
        {
            writer.WriteNumber(expires);
        }
    }

    /// <summary>False for a time that is none.</summary>
    private static bool TrySplit(
        ReadOnlySpan<byte> link, out ReadOnlySpan<byte> hash, out long expires)
    {
        expires = 0;
        int comma = link.IndexOf((byte)',');
        hash = comma < 0 ? link : link[..comma];
        return comma < 0
            || (Utf8Parser.TryParse(link[(comma + 1)..], out expires, out int used)
                && used == link.Length - comma - 1 && expires > 0);
    }

    private static bool IsHash(ReadOnlySpan<byte> hash, ReadOnlySpan<byte> text)
    {
        Span<byte> expected = stackalloc byte[MD5.HashSizeInBytes];
        Span<byte> given = stackalloc byte[MaxHashText];
        return !hash.IsEmpty && hash.Length <= MaxHashText
            && Base64Url.DecodeFromUtf8(hash, given, out _, out int length) == OperationStatus.Done
            && MD5.HashData(text, expected) == length
            && CryptographicOperations.FixedTimeEquals(expected, given[..length]);
    }

    /// <summary>/prefix/hash/link, where the hash is that of link and secret.</summary>
    private static void WriteNamed(ref ByteWriter writer, Exchange exchange, byte[] secret)
    {
        ReadOnlySpan<byte> uri = exchange.Received.Slice(
            exchange.Request.OriginFormStart, exchange.Request.OriginFormLength);
        int start = uri.IsEmpty ? -1 : uri[1..].IndexOf((byte)'/') + 2;
        int length = start < 2 ? -1 : uri[start..].IndexOf((byte)'/');
        ReadOnlySpan<byte> link = length != 32 ? default : uri[(start + length + 1)..];
        if (link.IsEmpty)
        {
            return;
        }

        Span<byte> expected = stackalloc byte[MD5.HashSizeInBytes];
        Span<byte> given = stackalloc byte[MD5.HashSizeInBytes];
        MD5.HashData([.. link, .. secret], expected);
        bool isHash = Convert.FromHexString(uri.Slice(start, length), given, out _, out int bytes)
                == OperationStatus.Done
            && CryptographicOperations.FixedTimeEquals(expected, given[..bytes]);
        writer.Write(isHash ? link : default);
    }
#pragma warning restore CA5351
}
