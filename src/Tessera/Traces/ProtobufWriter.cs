using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace Tessera.Traces;

/// <summary>
/// Writes messages in Protocol Buffers' wire format: varints, fixed 64-bit numbers, and what has a
/// length. A nested message is written into place and its length put before it. Used by one thread.
/// </summary>
internal sealed class ProtobufWriter
{
    private const int Varint = 0;
    private const int Fixed64 = 1;
    private const int LengthDelimited = 2;

    private readonly ArrayBufferWriter<byte> _bytes = new();

    public ReadOnlyMemory<byte> Written => _bytes.WrittenMemory;

    public void Number(int field, ulong value)
    {
        Tag(field, Varint);
        Write(value);
    }

    public void Fixed(int field, ulong value)
    {
        Tag(field, Fixed64);
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        _bytes.Write(bytes);
    }

    public void Bytes(int field, ReadOnlySpan<byte> value)
    {
        Tag(field, LengthDelimited);
        Write((ulong)value.Length);
        _bytes.Write(value);
    }

    public void Text(int field, string value) => Bytes(field, Encoding.UTF8.GetBytes(value));

    /// <summary>A message within this one, which <paramref name="write"/> fills.</summary>
    public void Message<T>(int field, T state, Action<ProtobufWriter, T> write)
    {
        var inner = new ProtobufWriter();
        write(inner, state);
        Bytes(field, inner.Written.Span);
    }

    private void Tag(int field, int wireType) => Write((ulong)((field << 3) | wireType));

    private void Write(ulong value)
    {
        while (value >= 0x80)
        {
            _bytes.Write([(byte)(value | 0x80)]);
            value >>= 7;
        }

        _bytes.Write([(byte)value]);
    }
}
