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
        ResponseHead head = exchange.Response;
        ReadOnlySpan<byte> reply = exchange.Reply.AsSpan(exchange.ReplyStart);
        ReadOnlySpan<byte> type = default;
        ReadOnlySpan<byte> coding = default;
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
                    coding = value;
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
                    facts = NoteOther(field.Name(reply), value, facts, exchange, rule);
                    break;
            }
        }

        long length = framing is BodyFraming.Length or BodyFraming.None ? head.ContentLength : -1;
        exchange.PrepareFilters(exchange.Status, type, length, coding, facts);
    }

    private static ProxiedFacts NoteOther(
        ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, ProxiedFacts facts, Exchange exchange,
        PassRule rule)
    {
        if (name.Length == 15 && Ascii.EqualsIgnoreCase(name, "X-Accel-Charset"u8)
            && !rule.Ignores("X-Accel-Charset"))
        {
            exchange.AskCharset(value);
            return facts;
        }

        if (Ascii.EqualsIgnoreCase(name, "Expires"u8))
        {
            ClientConnection client = exchange.Client;
            long nowMs = client.Shard.Clock.ToUnixMs(client.Shard.Reactor.NowMs);
            bool isExpired = HttpDate.TryParse(value, out long expires)
                && expires < nowMs / 1_000;
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
