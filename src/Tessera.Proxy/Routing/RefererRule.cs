using System.Text;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Http;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Routing;

/// <summary>nginx's valid_referers, made ready once. Immutable.</summary>
internal sealed class RefererRule
{
    /// <summary>Longer hosts are nobody's.</summary>
    private const int MaxHostLength = 256;

    private readonly RefererConfig _config;

    /// <summary>Host names to what the path must begin with; empty for any.</summary>
    private readonly Dictionary<string, byte[]> _hosts = new(StringComparer.Ordinal);
    private readonly HostMasks<byte[]> _masks = new();
    private readonly List<Expression> _expressions = [];

    public RefererRule(RefererConfig config)
    {
        _config = config;
        foreach (string name in config.Names)
        {
            if (name.StartsWith('~'))
            {
                _expressions.Add(
                    new Expression(name[1..], ignoresCase: true, VariableScope.Current));
                continue;
            }

            int slash = name.IndexOf('/', StringComparison.Ordinal);
            string host = (slash < 0 ? name : name[..slash]).ToLowerInvariant();
            byte[] path = slash < 0 ? [] : Encoding.UTF8.GetBytes(name[slash..]);
            if (!_masks.TryAdd(host, path))
            {
                _hosts.TryAdd(host, path);
            }
        }
    }

    public bool IsInvalid(Exchange exchange)
    {
        ReadOnlySpan<byte> referer =
            FieldText.Find(exchange.Request, exchange.Received, "referer"u8);
        if (referer.IsEmpty && !HasField(exchange))
        {
            return !_config.AllowsNone;
        }

        int scheme = StartsWith(referer, "http://"u8) ? 7
            : StartsWith(referer, "https://"u8) ? 8
            : 0;
        return scheme == 0 || referer.Length < "http://i.ru".Length
            ? !_config.AllowsBlocked
            : !IsKnown(referer[scheme..], exchange);
    }

    private bool IsKnown(ReadOnlySpan<byte> referer, Exchange exchange)
    {
        int end = referer.IndexOfAny((byte)'/', (byte)':');
        ReadOnlySpan<byte> host = end < 0 ? referer : referer[..end];
        if (host.Length > MaxHostLength)
        {
            return false;
        }

        Span<char> lower = stackalloc char[host.Length];
        Ascii.ToLower(host, lower, out int length);
        ReadOnlySpan<char> name = lower[..length];
        if (_hosts.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(name, out byte[]? path)
            || _masks.TryFind(name, out path))
        {
            int slash = referer.IndexOf((byte)'/');
            return path.Length == 0 || (slash >= 0 && referer[slash..].StartsWith(path));
        }

        foreach (Expression expression in _expressions)
        {
            switch (expression.Match(referer, exchange))
            {
                case MatchOutcome.Match:
                    return true;
                case MatchOutcome.Failed:
                    return false;
            }
        }

        return false;
    }

    private static bool HasField(Exchange exchange)
    {
        RequestHead head = exchange.Request;
        foreach (ref readonly HeaderField field in head.Headers.AsSpan(0, head.HeaderCount))
        {
            if (Ascii.EqualsIgnoreCase(field.Name(exchange.Received), "referer"u8))
            {
                return true;
            }
        }

        return false;
    }

    private static bool StartsWith(ReadOnlySpan<byte> text, ReadOnlySpan<byte> prefix) =>
        text.Length >= prefix.Length && Ascii.EqualsIgnoreCase(text[..prefix.Length], prefix);
}
