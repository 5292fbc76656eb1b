using System.Buffers;
using System.Globalization;
using System.Text;

namespace Tessera.Proxy.Answers;

/// <summary>
/// What characters of one charset are in another, made from a <see cref="CharsetMapConfig"/>.
/// Immutable.
/// </summary>
internal sealed class CharsetTable
{
    private readonly byte[][]? _texts;
    private readonly Dictionary<int, byte>? _bytes;

    private CharsetTable(byte[][] texts) => _texts = texts;

    private CharsetTable(Dictionary<int, byte> bytes) => _bytes = bytes;

    /// <summary>A body has as many bytes as before.</summary>
    public bool KeepsLength { get; private init; }

    /// <summary>What is read is UTF-8.</summary>
    public bool IsFromUtf8 => _bytes is not null;

    public static CharsetTable There(CharsetMapConfig map)
    {
        byte[][] texts = CreateIdentity();
        foreach (CharsetPair pair in map.Pairs)
        {
            texts[pair.Byte] = [.. pair.Text];
        }

        return new CharsetTable(texts) { KeepsLength = !map.IsToUtf8 };
    }

    public static CharsetTable Back(CharsetMapConfig map)
    {
        if (map.IsToUtf8)
        {
            var bytes = new Dictionary<int, byte>();
            foreach (CharsetPair pair in map.Pairs)
            {
                if (Rune.DecodeFromUtf8(pair.Text.AsSpan(), out Rune rune, out _)
                    == OperationStatus.Done)
                {
                    bytes[rune.Value] = pair.Byte;
                }
            }

            return new CharsetTable(bytes);
        }

        byte[][] texts = CreateIdentity();
        foreach (CharsetPair pair in map.Pairs)
        {
            texts[pair.Text[0]] = [pair.Byte];
        }

        return new CharsetTable(texts) { KeepsLength = true };
    }

    /// <summary>What a byte of a charset of one byte for each character becomes.</summary>
    public ReadOnlySpan<byte> TextOf(byte value) => _texts![value];

    /// <summary>
    /// Writes a character of UTF-8; one that the charset has not got is a reference of HTML, as
    /// with ngx_http_charset_recode_from_utf8.
    /// </summary>
    public void Write(Rune rune, Stream output)
    {
        if (_bytes!.TryGetValue(rune.Value, out byte value))
        {
            output.WriteByte(value);
            return;
        }

        Span<byte> reference = stackalloc byte[16];
        "&#"u8.CopyTo(reference);
        rune.Value.TryFormat(reference[2..], out int digits, default, CultureInfo.InvariantCulture);
        reference[digits + 2] = (byte)';';
        output.Write(reference[..(digits + 3)]);
    }

    /// <summary>ASCII is itself; what no map names is a question mark.</summary>
    private static byte[][] CreateIdentity() =>
    [
        .. Enumerable.Range(0, 256).Select(
            value => new[] { value < 128 ? (byte)value : (byte)'?' }),
    ];
}
