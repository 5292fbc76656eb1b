using System.Text;
using System.Text.RegularExpressions;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Http;

namespace Tessera.Proxy.Answers;

/// <summary>
/// Which answers are compressed for whom (ngx_http_gzip_header_filter, ngx_http_gzip_ok).
/// Immutable.
/// </summary>
internal sealed class GzipRule
{
    private readonly GzipConfig _config;
    private readonly TypeSet _types;
    private readonly Regex[] _disabledAgents;

    /// <exception cref="ArgumentException">An expression is none.</exception>
    public GzipRule(GzipConfig config)
    {
        _config = config;
        _types = new TypeSet(config.Types);
        _disabledAgents =
        [
            .. config.DisabledAgents.Select(agent => new Regex(
                agent == "msie6" ? @"MSIE [4-6]\.(?!.*SV1)" : agent,
                RegexOptions.IgnoreCase | RegexOptions.CultureInvariant,
                TimeSpan.FromMilliseconds(50))),
        ];
        Level = config.Level;
    }

    public int Level { get; }

    public bool SaysVary => _config.SaysVary;

    public bool Inflates => _config.Inflates;

    /// <summary>An answer of this kind is compressed for whoever takes it.</summary>
    /// <param name="length">-1 when it is not known.</param>
    public bool Covers(int status, ReadOnlySpan<byte> type, long length) =>
        _config.IsOn && status is 200 or 403 or 404
        && (length < 0 || length >= _config.MinBytes)
        && _types.Contains(type);

    /// <summary>The client takes it.</summary>
    public bool IsTakenBy(Exchange exchange, in ProxiedFacts facts)
    {
        RequestHead head = exchange.Request;
        ReadOnlySpan<byte> received = exchange.Received;
        if (head.IsSimple || head.MinorVersion < _config.MinMinorVersion
            || !AcceptsGzip(head, received))
        {
            return false;
        }

        if (Has(head, received, "Via"u8, out _) && !MayPass(head, received, facts))
        {
            return false;
        }

        return _disabledAgents.Length == 0
            || !Has(head, received, "User-Agent"u8, out ReadOnlySpan<byte> agent)
            || !IsDisabled(Encoding.Latin1.GetString(agent));
    }

    private bool IsDisabled(string agent)
    {
        try
        {
            return Array.Exists(_disabledAgents, expression => expression.IsMatch(agent));
        }
        catch (RegexMatchTimeoutException)
        {
            // An agent that takes so long to be told apart gets what is the same for all.
            return true;
        }
    }

    private bool MayPass(RequestHead head, ReadOnlySpan<byte> received, in ProxiedFacts facts)
    {
        ProxiedAnswers allowed = _config.Proxied;
        if (allowed is ProxiedAnswers.None or ProxiedAnswers.Any)
        {
            return allowed == ProxiedAnswers.Any;
        }

        if (allowed.HasFlag(ProxiedAnswers.Any)
            || (allowed.HasFlag(ProxiedAnswers.Authorized)
                && Has(head, received, "Authorization"u8, out _)))
        {
            return true;
        }

        bool isNamed = (allowed.HasFlag(ProxiedAnswers.NoCache) && facts.IsNoCache)
            || (allowed.HasFlag(ProxiedAnswers.NoStore) && facts.IsNoStore)
            || (allowed.HasFlag(ProxiedAnswers.Private) && facts.IsPrivate);
        if (facts.HasExpires)
        {
            return allowed.HasFlag(ProxiedAnswers.Expired) && facts.IsExpired;
        }

        return facts.HasCacheControl
            ? isNamed
            : !(allowed.HasFlag(ProxiedAnswers.NoLastModified) && facts.HasLastModified)
                && !(allowed.HasFlag(ProxiedAnswers.NoETag) && facts.HasETag);
    }

    private static bool Has(
        RequestHead head, ReadOnlySpan<byte> received, ReadOnlySpan<byte> name,
        out ReadOnlySpan<byte> value)
    {
        foreach (ref readonly HeaderField line in head.Headers.AsSpan(0, head.HeaderCount))
        {
            if (line.NameLength == name.Length
                && Ascii.EqualsIgnoreCase(line.Name(received), name))
            {
                value = line.Value(received);
                return true;
            }
        }

        value = default;
        return false;
    }

    private static bool AcceptsGzip(RequestHead head, ReadOnlySpan<byte> received) =>
        Has(head, received, "Accept-Encoding"u8, out ReadOnlySpan<byte> field)
        && GzipAcceptance.IsTaken(field);
}

/// <summary>What an answer says of caches, for requests that came through one.</summary>
internal readonly record struct ProxiedFacts(
    bool HasExpires, bool IsExpired, bool HasCacheControl, bool IsNoCache, bool IsNoStore,
    bool IsPrivate, bool HasLastModified, bool HasETag);

/// <summary>Media types without their parameters. Immutable.</summary>
internal sealed class TypeSet
{
    private readonly byte[][] _types;
    private readonly bool _isAny;

    public TypeSet(IEnumerable<string> types)
    {
        _types = [.. types.Select(Encoding.ASCII.GetBytes)];
        _isAny = Array.Exists(_types, type => type is [(byte)'*']);
    }

    /// <param name="type">Perhaps with parameters, which do not count.</param>
    public bool Contains(ReadOnlySpan<byte> type)
    {
        int end = type.IndexOf((byte)';');
        type = (end < 0 ? type : type[..end]).TrimEnd((byte)' ');
        if (type.IsEmpty || _isAny)
        {
            return !type.IsEmpty;
        }

        foreach (byte[] known in _types)
        {
            if (known.Length == type.Length && Ascii.EqualsIgnoreCase(known, type))
            {
                return true;
            }
        }

        return false;
    }
}
