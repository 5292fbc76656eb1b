using System.Text;

namespace Tessera.Tests.Proxy.Http;

/// <summary>Wire bytes as test tables write them.</summary>
internal static class Bytes
{
    /// <summary>One byte a character, so that a table can hold any byte as \u00XX.</summary>
    public static byte[] Of(string text) => Encoding.Latin1.GetBytes(text);

    public static string Text(ReadOnlySpan<byte> bytes) => Encoding.Latin1.GetString(bytes);

    /// <summary>The text with its control characters made visible, for messages.</summary>
    public static string Show(ReadOnlySpan<byte> bytes)
    {
        var shown = new StringBuilder();
        foreach (byte value in bytes)
        {
            shown.Append(value switch
            {
                (byte)'\r' => "\\r",
                (byte)'\n' => "\\n",
                >= 0x20 and < 0x7F => ((char)value).ToString(),
                _ => $"\\x{value:x2}",
            });
        }

        return shown.ToString();
    }
}
