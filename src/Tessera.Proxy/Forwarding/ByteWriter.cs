using System.Buffers;
using System.Buffers.Text;
using System.Text;

namespace Tessera.Proxy.Forwarding;

/// <summary>
/// Writes text into a span, and stops at its end instead of throwing: <see cref="HasOverflowed"/>
/// tells. Lives on the stack.
/// </summary>
internal ref struct ByteWriter
{
    private readonly Span<byte> _destination;

    public ByteWriter(Span<byte> destination) => _destination = destination;

    public int Length { get; private set; }

    public bool HasOverflowed { get; private set; }

    public readonly ReadOnlySpan<byte> Written => _destination[..Length];

    /// <summary>All that it may write to.</summary>
    public readonly Span<byte> Buffer => _destination;

    public void Write(scoped ReadOnlySpan<byte> bytes)
    {
        if (bytes.TryCopyTo(_destination[Length..]))
        {
            Length += bytes.Length;
        }
        else
        {
            HasOverflowed = true;
        }
    }

    public void Write(byte value)
    {
        if (Length < _destination.Length)
        {
            _destination[Length++] = value;
        }
        else
        {
            HasOverflowed = true;
        }
    }

    /// <summary>As UTF-8.</summary>
    public void Write(scoped ReadOnlySpan<char> text)
    {
        if (Encoding.UTF8.TryGetBytes(text, _destination[Length..], out int written))
        {
            Length += written;
        }
        else
        {
            HasOverflowed = true;
        }
    }

    /// <summary>In UTF-8; null is nothing.</summary>
    public void WriteText(string? text) => Write(text.AsSpan());

    /// <summary>Sixteen hexadecimal digits in lower case.</summary>
    public void WriteHex(ulong value)
    {
        if (Utf8Formatter.TryFormat(
            value, _destination[Length..], out int written, new StandardFormat('x', 16)))
        {
            Length += written;
        }
        else
        {
            HasOverflowed = true;
        }
    }

    /// <summary>Takes back what was written behind <paramref name="length"/>.</summary>
    public void Truncate(int length) => Length = length;

    /// <summary>Puts a byte before what stands at <paramref name="index"/>.</summary>
    public void Insert(int index, byte value)
    {
        Write(value);
        if (index < Length - 1 && !HasOverflowed)
        {
            _destination[index..(Length - 1)].CopyTo(_destination[(index + 1)..]);
            _destination[index] = value;
        }
    }

    /// <summary>
    /// Takes control characters out of what was written from <paramref name="start"/> on. A line
    /// break in a value would begin another field (RFC 9110 section 5.5).
    /// </summary>
    public void RemoveControls(int start)
    {
        int kept = start;
        for (int i = start; i < Length; i++)
        {
            byte value = _destination[i];
            if (value is >= 0x20 and not 0x7f or (byte)'\t')
            {
                _destination[kept++] = value;
            }
        }

        Length = kept;
    }

    /// <summary>
    /// Writes spaces and control characters from <paramref name="start"/> on as their escapes: what
    /// a URI may be made of (RFC 3986 section 2.1), and what ends no line.
    /// </summary>
    public void EscapeControls(int start)
    {
        int count = 0;
        foreach (byte value in Written[start..])
        {
            count += IsForEscape(value) ? 1 : 0;
        }

        int to = Length + (count * 2);
        if (count == 0 || to > _destination.Length)
        {
            HasOverflowed |= count > 0;
            return;
        }

        // From the end, so that nothing is written over before it is read.
        int from = Length;
        Length = to;
        while (from < to)
        {
            byte value = _destination[--from];
            if (!IsForEscape(value))
            {
                _destination[--to] = value;
                continue;
            }

            _destination[--to] = "0123456789ABCDEF"u8[value & 0xF];
            _destination[--to] = "0123456789ABCDEF"u8[value >> 4];
            _destination[--to] = (byte)'%';
        }
    }

    private static bool IsForEscape(byte value) => value is <= 0x20 or 0x7f;

    public void WriteNumber(long value)
    {
        if (Utf8Formatter.TryFormat(value, _destination[Length..], out int written))
        {
            Length += written;
        }
        else
        {
            HasOverflowed = true;
        }
    }
}
