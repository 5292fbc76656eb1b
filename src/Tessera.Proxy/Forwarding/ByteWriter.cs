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

    /// <summary>In UTF-8; null is nothing.</summary>
    public void WriteText(string? text)
    {
        if (text is null)
        {
            return;
        }

        if (Encoding.UTF8.TryGetBytes(text, _destination[Length..], out int written))
        {
            Length += written;
        }
        else
        {
            HasOverflowed = true;
        }
    }

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

    /// <summary>
    /// Forgets what was written behind the first <paramref name="length"/> bytes.
    /// </summary>
    public void Rewind(int length)
    {
        Length = length;
        HasOverflowed = false;
    }

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
