using System.Text;
using Tessera.Proxy.Answers;
using Tessera.Proxy.Http;
using Tessera.Proxy.Routing;

namespace Tessera.Proxy.Forwarding;

/// <summary>
/// What a backend's answer says that decides what its body passes through. Stateless.
/// </summary>
internal static class PassFilters
{
    public static void Prepare(Exchange exchange, PassRule rule, BodyFraming framing)
    {
        if (exchange.Route is not { } route || (route.Gzip is null && route.Substitution is null))
        {
            return;
        }

        ResponseHead head = exchange.Response;
        ReadOnlySpan<byte> reply = exchange.Reply.AsSpan(exchange.ReplyStart);
        ReadOnlySpan<byte> type = default;
        bool isCoded = false;
        var facts = default(ProxiedFacts);
        foreach (ref readonly HeaderField field in head.Headers.AsSpan(0, head.HeaderCount))
        {
            ReadOnlySpan<byte> value = field.Value(reply);
            switch (field.Kind)
            {
                case HeaderKind.ContentType:
                    type = value;
                    break;
                case HeaderKind.ContentEncoding:
                    isCoded |= !value.IsEmpty;
                    break;
                case HeaderKind.CacheControl:
                    facts = facts with
                    {
                        HasCacheControl = true,
                        IsNoCache = facts.IsNoCache || Names(value, "no-cache"u8),
                        IsNoStore = facts.IsNoStore || Names(value, "no-store"u8),
                        IsPrivate = facts.IsPrivate || Names(value, "private"u8),
                    };
                    break;
                case HeaderKind.ETag:
                    facts = facts with { HasETag = true };
                    break;
                default:
                    facts = NoteOther(field.Name(reply), value, facts, exchange);
                    break;
            }
        }

        long length = framing == BodyFraming.Length ? head.ContentLength : -1;
        exchange.PrepareFilters(head.StatusCode, type, length, isCoded, facts);
    }

    private static ProxiedFacts NoteOther(
        ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, ProxiedFacts facts, Exchange exchange)
    {
        if (Ascii.EqualsIgnoreCase(name, "Expires"u8))
        {
            ClientConnection client = exchange.Client;
            long nowMs = client.Shard.Clock.ToUnixMs(client.Shard.Reactor.NowMs);
            bool isExpired = !HttpDate.TryParse(value, out long expires)
                || expires < nowMs / 1_000;
            return facts with { HasExpires = true, IsExpired = isExpired };
        }

        return Ascii.EqualsIgnoreCase(name, "Last-Modified"u8)
            ? facts with { HasLastModified = true }
            : facts;
    }

    private static bool Names(ReadOnlySpan<byte> list, ReadOnlySpan<byte> option)
    {
        foreach (Range range in list.Split((byte)','))
        {
            if (Ascii.EqualsIgnoreCase(list[range].Trim((byte)' '), option))
            {
                return true;
            }
        }

        return false;
    }
}
