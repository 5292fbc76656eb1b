using System.Buffers;
using System.Text;
using Tessera.Proxy.Compression;

namespace Tessera.Proxy.Answers;

/// <summary>
/// Writes one body, which comes in pieces, in another charset (ngx_http_charset_body_filter).
/// Owned by one reactor.
/// </summary>
internal sealed class Recoding(CharsetTable table) : BodyStep
{
    private const int MaxRuneBytes = 4;

    private readonly byte[] _kept = new byte[MaxRuneBytes];
    private int _keptLength;

    public override bool TryWrite(ReadOnlySpan<byte> data, bool isLast, Stream output)
    {
        if (table.IsFromUtf8)
        {
            data = WriteKept(data, isLast, output);
            WriteRunes(data, isLast, output);
            return true;
        }

        foreach (byte value in data)
        {
            output.Write(table.TextOf(value));
        }

        return true;
    }

    public override void Dispose()
    {
        // It holds nothing that has to be given back.
    }

    /// <summary>
    /// A character of which the last piece had the beginning. Returns what lies behind it.
    /// </summary>
    private ReadOnlySpan<byte> WriteKept(
        ReadOnlySpan<byte> data, bool isLast, Stream output)
    {
        while (_keptLength > 0 && !data.IsEmpty)
        {
            _kept[_keptLength++] = data[0];
            data = data[1..];
            ReadOnlySpan<byte> kept = _kept.AsSpan(0, _keptLength);
            OperationStatus status = Rune.DecodeFromUtf8(kept, out _, out int length);
            if (status == OperationStatus.NeedMoreData && !(isLast && data.IsEmpty))
            {
                continue;
            }

            // Of what was no character after all, the last byte may begin another one.
            _keptLength = 0;
            byte[] rest = kept[length..].ToArray();
            WriteRunes(kept[..length], isLast: true, output);
            WriteRunes(rest, isLast, output);
        }

        if (isLast && _keptLength > 0)
        {
            _keptLength = 0;
            output.WriteByte((byte)'?');
        }

        return data;
    }

    private void WriteRunes(ReadOnlySpan<byte> data, bool isLast, Stream output)
    {
        while (!data.IsEmpty)
        {
            int plain = data.IndexOfAnyExceptInRange((byte)0, (byte)0x7f);
            if (plain != 0)
            {
                output.Write(plain < 0 ? data : data[..plain]);
                data = plain < 0 ? default : data[plain..];
                continue;
            }

            OperationStatus status = Rune.DecodeFromUtf8(data, out Rune rune, out int length);
            if (status == OperationStatus.Done)
            {
                table.Write(rune, output);
            }
            else if (status == OperationStatus.NeedMoreData && !isLast)
            {
                data.CopyTo(_kept);
                _keptLength = data.Length;
                return;
            }
            else
            {
                output.WriteByte((byte)'?');
            }

            data = data[length..];
        }
    }
}
