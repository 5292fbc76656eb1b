using System.Buffers;
using Tessera.Proxy.Forwarding;

namespace Tessera.Proxy.Variables;

/// <summary>
/// What a text is for one request, in a buffer that lives as long as this does. Lives on the stack.
/// </summary>
internal ref struct EvaluatedText
{
    /// <summary>Longer texts are cut.</summary>
    private const int MaxBytes = 1_024 * 1_024;

    private const int FirstBytes = 512;

    private byte[]? _rented;

    private EvaluatedText(byte[]? rented, ReadOnlySpan<byte> text)
    {
        _rented = rented;
        Text = text;
    }

    public ReadOnlySpan<byte> Text { get; }

    public static EvaluatedText Of(Template template, Exchange exchange)
    {
        // A text without variables is there already.
        if (template.VariableCount == 0)
        {
            return new EvaluatedText(
                null, template.IsEmpty ? default : template.Parts[0].Literal);
        }

        for (int size = FirstBytes; ; size *= 4)
        {
            byte[] rented = ArrayPool<byte>.Shared.Rent(size);
            var writer = new ByteWriter(rented);
            template.Write(ref writer, exchange);
            if (!writer.HasOverflowed || size >= MaxBytes)
            {
                return new EvaluatedText(rented, writer.Written);
            }

            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    public void Dispose()
    {
        if (_rented is not null)
        {
            ArrayPool<byte>.Shared.Return(_rented);
            _rented = null;
        }
    }
}
