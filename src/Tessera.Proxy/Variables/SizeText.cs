using System.Buffers.Text;

namespace Tessera.Proxy.Variables;

/// <summary>Sizes as configurations write them. Stateless.</summary>
internal static class SizeText
{
    /// <summary>Bytes, with k, m or g behind them.</summary>
    public static bool TryParse(ReadOnlySpan<byte> text, out long bytes)
    {
        bool isWhole = Utf8Parser.TryParse(text, out bytes, out int used) && bytes >= 0;
        int shift = text.Length == used ? 0
            : text.Length != used + 1 ? -1
            : (text[used] | 0x20) switch
            {
                'k' => 10,
                'm' => 20,
                'g' => 30,
                _ => -1,
            };
        if (!isWhole || shift < 0 || bytes > long.MaxValue >> shift)
        {
            return false;
        }

        bytes <<= shift;
        return true;
    }
}
