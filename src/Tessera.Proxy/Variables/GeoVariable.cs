using System.Collections.Immutable;
using System.Text;
using Tessera.Proxy.Access;
using Tessera.Proxy.Forwarding;

namespace Tessera.Proxy.Variables;

/// <summary>
/// nginx's geo: the value of the narrowest range that an address is in. Immutable once prepared.
/// </summary>
internal sealed class GeoVariable : OwnVariable, IPreparedVariable
{
    private readonly GeoConfig _config;
    private readonly byte[] _default;
    private readonly AddressRules? _proxies;

    /// <summary>Where a value begins to hold, in ascending order; it holds up to the next.</summary>
    private readonly UInt128[] _starts;
    private readonly byte[][] _values;
    private Template? _source;

    public GeoVariable(GeoConfig config, int slot)
        : base(config.Name, slot)
    {
        _config = config;
        _default = Encoding.UTF8.GetBytes(config.Default);
        _proxies = config.Proxies.IsEmpty ? null : new AddressRules(config.Proxies);
        (_starts, _values) = Flatten(config.Ranges, _default);
    }

    public void Prepare(VariableScope scope) =>
        _source = _config.Source.Length == 0 ? null : Template.Parse(_config.Source);

    public override void Compute(ref ByteWriter writer, Exchange exchange)
    {
        UInt128 address;
        if (_source is not null)
        {
            using var text = EvaluatedText.Of(_source, exchange);
            if (!AddressText.TryParse(text.Text, out address))
            {
                writer.Write(_default);
                return;
            }
        }
        else
        {
            address = AddressText.Read(exchange.Peer.Host);
            if (_proxies is not null)
            {
                address = ForwardedChain.Find(
                    exchange, "x_forwarded_for"u8, _proxies, _config.IsRecursive, address);
            }
        }

        int index = Array.BinarySearch(_starts, address);
        index = index < 0 ? ~index - 1 : index;
        writer.Write(index < 0 ? _default : _values[index]);
    }

    /// <summary>
    /// Ranges that lie within each other, as ranges one behind the other, so that one search finds
    /// the narrowest.
    /// </summary>
    private static (UInt128[] Starts, byte[][] Values) Flatten(
        ImmutableArray<GeoRange> ranges, byte[] otherwise)
    {
        var starts = new List<UInt128>();
        var values = new List<byte[]>();
        var around = new Stack<(UInt128 Last, byte[] Value)>();
        var known = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        foreach (GeoRange range in ranges
            .OrderBy(range => range.First).ThenByDescending(range => range.Last))
        {
            while (around.TryPeek(out var above) && above.Last < range.First)
            {
                Close(above.Last);
            }

            if (!known.TryGetValue(range.Value, out byte[]? value))
            {
                known[range.Value] = value = Encoding.UTF8.GetBytes(range.Value);
            }

            Begin(range.First, value);
            around.Push((range.Last, value));
        }

        while (around.TryPeek(out var last))
        {
            Close(last.Last);
        }

        return ([.. starts], [.. values]);

        void Close(UInt128 last)
        {
            around.Pop();
            if (last != UInt128.MaxValue)
            {
                Begin(last + 1, around.TryPeek(out var outer) ? outer.Value : otherwise);
            }
        }

        void Begin(UInt128 start, byte[] value)
        {
            if (starts.Count > 0 && starts[^1] == start)
            {
                values[^1] = value;
                return;
            }

            starts.Add(start);
            values.Add(value);
        }
    }
}
