using System.Buffers.Text;

namespace Tessera.Proxy.Forwarding;

/// <summary>Sizes as nginx writes them: bytes, with k, m or g behind them. Stateless.</summary>
internal static class SizeText
{
    public static bool TryParse(ReadOnlySpan<byte> text, out long bytes)
    {
        if (!Utf8Parser.TryParse(text, out bytes, out int taken) || bytes < 0)
        {
            return false;
        }

        int shift = taken == text.Length ? 0 : (text[taken] | 0x20) switch
        {
            'k' => 10,
            'm' => 20,
            'g' => 30,
            _ => -1,
        };
        if (shift < 0 || text.Length > taken + 1 || bytes > long.MaxValue >> shift)
        {
            return false;
        }

        bytes <<= shift;
        return shift == 0 || text.Length == taken + 1;
    }
}
