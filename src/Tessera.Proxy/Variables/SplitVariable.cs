using System.Buffers.Binary;
using System.Text;
using Tessera.Proxy.Forwarding;

namespace Tessera.Proxy.Variables;

/// <summary>
/// nginx's split_clients: the same text gets the same part, and the same one as with nginx.
/// Immutable once prepared.
/// </summary>
internal sealed class SplitVariable(SplitConfig config, int slot)
    : OwnVariable(config.Name, slot), IPreparedVariable
{
    private const uint AllParts = 10_000;

    private readonly List<(uint End, byte[] Value)> _parts = [];
    private Template _source = Template.Empty;

    public void Prepare(VariableScope scope)
    {
        _source = Template.Parse(config.Source);
        ulong sum = 0;
        foreach (SplitPart part in config.Parts)
        {
            sum += (ulong)part.HundredthPercent * uint.MaxValue / AllParts;
            _parts.Add((
                part.HundredthPercent == 0 ? 0 : (uint)sum, Encoding.UTF8.GetBytes(part.Value)));
        }
    }

    public override void Compute(ref ByteWriter writer, Exchange exchange)
    {
        using var source = EvaluatedText.Of(_source, exchange);
        uint hash = Murmur(source.Text);
        foreach ((uint end, byte[] value) in _parts)
        {
            if (hash < end || end == 0)
            {
                writer.Write(value);
                return;
            }
        }
    }

    /// <summary>MurmurHash2 with 0 as its seed.</summary>
    internal static uint Murmur(ReadOnlySpan<byte> text)
    {
        const uint Factor = 0x5BD1_E995;
        uint hash = (uint)text.Length;
        for (; text.Length >= 4; text = text[4..])
        {
            uint word = BinaryPrimitives.ReadUInt32LittleEndian(text) * Factor;
            word = (word ^ (word >> 24)) * Factor;
            hash = (hash * Factor) ^ word;
        }

        if (text.Length > 0)
        {
            for (int i = text.Length - 1; i >= 0; i--)
            {
                hash ^= (uint)text[i] << (8 * i);
            }

            hash *= Factor;
        }

        hash = (hash ^ (hash >> 13)) * Factor;
        return hash ^ (hash >> 15);
    }
}
