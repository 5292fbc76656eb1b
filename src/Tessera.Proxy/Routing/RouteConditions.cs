using System.Collections.Immutable;
using System.Text;
using Tessera.Proxy.Http;

namespace Tessera.Proxy.Routing;

/// <summary>What a request must be besides its host and path. Immutable.</summary>
internal sealed class RouteConditions
{
    /// <summary>Longer parameters are compared as if they ended here.</summary>
    private const int MaxValueBytes = 512;

    private readonly byte[][] _methods;
    private readonly Condition[] _headers;
    private readonly Condition[] _query;

    private RouteConditions(RouteConfig config)
    {
        _methods = [.. config.Methods.Select(Encoding.ASCII.GetBytes)];
        _headers = [.. config.Headers.Select(match => new Condition(match))];
        _query = [.. config.Query.Select(match => new Condition(match))];
        Methods = config.Methods;
    }

    public ImmutableArray<string> Methods { get; }

    /// <summary>More of them win over fewer.</summary>
    public int Count => _headers.Length + _query.Length + (_methods.Length > 0 ? 1 : 0);

    /// <summary>Null for a route without any.</summary>
    public static RouteConditions? Of(RouteConfig config) =>
        config.Methods.IsEmpty && config.Headers.IsEmpty && config.Query.IsEmpty
            ? null
            : new RouteConditions(config);

    public bool Hold(in RouteRequest request) =>
        HasMethod(request.Method) && HoldBesidesMethod(request);

    public bool HoldBesidesMethod(in RouteRequest request)
    {
        foreach (Condition header in _headers)
        {
            if (!HasField(request, header))
            {
                return false;
            }
        }

        foreach (Condition parameter in _query)
        {
            if (!HasParameter(request.Query, parameter))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>
    /// Methods are case-sensitive (RFC 9110 section 9.1). Who may GET may ask for the head alone.
    /// </summary>
    private bool HasMethod(ReadOnlySpan<byte> method)
    {
        foreach (byte[] allowed in _methods)
        {
            if (method.SequenceEqual(allowed)
                || (method.SequenceEqual("HEAD"u8) && allowed.AsSpan().SequenceEqual("GET"u8)))
            {
                return true;
            }
        }

        return _methods.Length == 0;
    }

    /// <summary>
    /// A field may stand on several lines: one that fits is enough. One with an underscore in its
    /// name is not passed on, and so decides nothing.
    /// </summary>
    private static bool HasField(in RouteRequest request, Condition condition)
    {
        RequestHead head = request.Head;
        foreach (ref readonly HeaderField field in head.Headers.AsSpan(0, head.HeaderCount))
        {
            if (field.NameLength == condition.Name.Length
                && field.Kind != HeaderKind.Underscored
                && Ascii.EqualsIgnoreCase(field.Name(request.Received), condition.Name)
                && condition.Accepts(field.Value(request.Received)))
            {
                return true;
            }
        }

        return false;
    }

    private static bool HasParameter(ReadOnlySpan<byte> query, Condition condition)
    {
        Span<byte> name = stackalloc byte[MaxValueBytes];
        Span<byte> value = stackalloc byte[MaxValueBytes];
        while (!query.IsEmpty)
        {
            int end = query.IndexOf((byte)'&');
            ReadOnlySpan<byte> pair = end < 0 ? query : query[..end];
            int equals = pair.IndexOf((byte)'=');
            ReadOnlySpan<byte> key = equals < 0 ? pair : pair[..equals];
            if (name[..UriText.Decode(key, name)].SequenceEqual(condition.Name)
                && condition.Accepts(value[..UriText.Decode(pair[(key.Length
                    + (equals < 0 ? 0 : 1))..], value)]))
            {
                return true;
            }

            query = end < 0 ? default : query[(end + 1)..];
        }

        return false;
    }

    private sealed class Condition
    {
        private readonly byte[]? _value;
        private readonly Pattern? _pattern;

        public Condition(ValueMatch match)
        {
            Name = Encoding.UTF8.GetBytes(match.Name);
            _value = match.Value is { } value ? Encoding.UTF8.GetBytes(value) : null;
            _pattern = match.Pattern is { } pattern ? Pattern.Of(pattern) : null;
        }

        public byte[] Name { get; }

        public bool Accepts(ReadOnlySpan<byte> value) =>
            (_value is null || value.SequenceEqual(_value))
            && (_pattern is null || _pattern.IsMatch(value));
    }
}
