using System.Text;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Routing;

namespace Tessera.Proxy.Variables;

/// <summary>
/// nginx's map: exact texts without regard to letter case, masks of host names, expressions in
/// their order, the default. Immutable once prepared.
/// </summary>
internal sealed class MapVariable(MapConfig config, int slot)
    : OwnVariable(config.Name, slot), IPreparedVariable
{
    /// <summary>Longer texts are held against expressions alone.</summary>
    private const int MaxKeyBytes = 4 * 1_024;

    private readonly Dictionary<string, Template> _exact = new(StringComparer.Ordinal);
    private readonly HostMasks<Template> _masks = new();
    private readonly List<(Expression Expression, Template Value)> _expressions = [];
    private Template _source = Template.Empty;
    private Template _default = Template.Empty;

    public override bool IsVolatile => config.IsVolatile;

    public void Prepare(VariableScope scope)
    {
        _source = Template.Parse(config.Source);
        _default = Template.Parse(config.Default);
        foreach (MapEntry entry in config.Entries)
        {
            var value = Template.Parse(entry.Value);
            string key = entry.Key;
            if (!entry.IsLiteral && key.StartsWith('~'))
            {
                bool ignoresCase = key.StartsWith("~*", StringComparison.Ordinal);
                _expressions.Add((
                    new Expression(key[(ignoresCase ? 2 : 1)..], ignoresCase, scope), value));
            }
            else if (!config.HasHostNames || !_masks.TryAdd(Lower(key), value))
            {
                _exact.TryAdd(Lower(key), value);
            }
        }
    }

    public override void Compute(ref ByteWriter writer, Exchange exchange)
    {
        using var source = EvaluatedText.Of(_source, exchange);
        (Find(source.Text, exchange) ?? _default).Write(ref writer, exchange);
    }

    private Template? Find(ReadOnlySpan<byte> text, Exchange exchange)
    {
        if (text.Length <= MaxKeyBytes)
        {
            ReadOnlySpan<byte> key = config.HasHostNames && text.EndsWith("."u8)
                ? text[..^1]
                : text;
            Span<char> lower = stackalloc char[key.Length];
            for (int i = 0; i < key.Length; i++)
            {
                lower[i] = char.IsAsciiLetterUpper((char)key[i])
                    ? (char)(key[i] | 0x20)
                    : (char)key[i];
            }

            if (_exact.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(
                    lower, out Template? value)
                || (config.HasHostNames && _masks.TryFind(lower, out value)))
            {
                return value;
            }
        }

        foreach ((Expression expression, Template value) in _expressions)
        {
            switch (expression.Match(text, exchange))
            {
                case MatchOutcome.Match:
                    return value;
                case MatchOutcome.Failed:
                    // nginx takes the default then (ngx_http_map_find).
                    return null;
            }
        }

        return null;
    }

    /// <summary>Each byte a character of its own, as what is looked up.</summary>
    private static string Lower(string text) =>
        Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(text)).ToLowerInvariant();
}
