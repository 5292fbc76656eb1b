using System.Buffers;
using System.Text;
using System.Text.Unicode;
using Tessera.Proxy.Forwarding;

namespace Tessera.Proxy.Telemetry;

/// <summary>
/// Makes what clients and servers sent harmless in a log: nothing they choose ends a line or a
/// quoted text. Stateless.
/// </summary>
internal static class LogEscape
{
    /// <summary>
    /// Of a value that others control, where the line has no limit of its own for them; each byte
    /// may take six.
    /// </summary>
    public const int MaxValueBytes = 4 * 1_024;

    /// <summary>Of a value in a line of the error log.</summary>
    private const int MaxTextBytes = 200;

    /// <summary>
    /// What nginx leaves as it is; it writes quotes, backslashes, controls and everything beyond
    /// ASCII as \xHH.
    /// </summary>
    private static readonly SearchValues<byte> Plain = CreatePlain(0x7F);

    /// <summary>As <see cref="Plain"/>, with what UTF-8 consists of.</summary>
    private static readonly SearchValues<byte> PlainJson = CreatePlain(0x100);

    /// <summary>For the error log: nothing for nothing, and what is long is cut.</summary>
    public static string ToText(ReadOnlySpan<byte> text)
    {
        Span<byte> escaped = stackalloc byte[MaxTextBytes * 4];
        var writer = new ByteWriter(escaped);
        if (!text.IsEmpty)
        {
            WriteText(ref writer, text[..Math.Min(text.Length, MaxTextBytes)]);
        }

        return Encoding.ASCII.GetString(writer.Written);
    }

    /// <summary>As nginx's log_format escape=default: "-" for nothing.</summary>
    public static void WriteText(
        ref ByteWriter writer, scoped ReadOnlySpan<byte> text, int maxBytes = MaxValueBytes)
    {
        text = text[..Math.Min(text.Length, maxBytes)];
        if (text.IsEmpty)
        {
            writer.Write((byte)'-');
        }

        while (!text.IsEmpty)
        {
            int plain = text.IndexOfAnyExcept(Plain);
            if (plain < 0)
            {
                writer.Write(text);
                return;
            }

            writer.Write(text[..plain]);
            writer.Write("\\x"u8);
            WriteHex(ref writer, text[plain]);
            text = text[(plain + 1)..];
        }
    }

    /// <summary>
    /// As nginx's escape=json, and always valid: bytes that are no UTF-8 stand as the characters of
    /// the same number.
    /// </summary>
    public static void WriteJson(ref ByteWriter writer, scoped ReadOnlySpan<byte> text)
    {
        SearchValues<byte> plainBytes = Utf8.IsValid(text) ? PlainJson : Plain;
        while (!text.IsEmpty)
        {
            int plain = text.IndexOfAnyExcept(plainBytes);
            if (plain < 0)
            {
                writer.Write(text);
                return;
            }

            writer.Write(text[..plain]);
            byte special = text[plain];
            if (special is (byte)'"' or (byte)'\\')
            {
                writer.Write((byte)'\\');
                writer.Write(special);
            }
            else
            {
                writer.Write("\\u00"u8);
                WriteHex(ref writer, special);
            }

            text = text[(plain + 1)..];
        }
    }

    /// <summary>
    /// True when a value needs no escaping, whichever it is: most values of most requests.
    /// </summary>
    public static bool IsPlain(ReadOnlySpan<byte> text) => text.IndexOfAnyExcept(Plain) < 0;

    private static void WriteHex(ref ByteWriter writer, byte value)
    {
        writer.Write("0123456789ABCDEF"u8[value >> 4]);
        writer.Write("0123456789ABCDEF"u8[value & 0xF]);
    }

    private static SearchValues<byte> CreatePlain(int end) => SearchValues.Create(
        [.. Enumerable.Range(0x20, end - 0x20)
            .Where(b => b is not ('"' or '\\' or 0x7F))
            .Select(b => (byte)b)]);
}
