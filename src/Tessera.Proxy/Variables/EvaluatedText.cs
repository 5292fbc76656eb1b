using System.Buffers;
using Tessera.Proxy.Forwarding;

namespace Tessera.Proxy.Variables;

/// <summary>Puts what a text is for one request into the writer.</summary>
internal delegate void TextWriting(Template template, ref ByteWriter writer, Exchange exchange);

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

    public static EvaluatedText Of(Template template, Exchange exchange) =>
        Of(template, exchange, WritePlain);

    /// <param name="write">For who writes the parts of a text differently.</param>
    public static EvaluatedText Of(Template template, Exchange exchange, TextWriting write)
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
            write(template, ref writer, exchange);
            if (!writer.HasOverflowed || size >= MaxBytes)
            {
                return new EvaluatedText(rented, writer.Written);
            }

            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    private static void WritePlain(
        Template template, ref ByteWriter writer, Exchange exchange) =>
        template.Write(ref writer, exchange);

    public void Dispose()
    {
        if (_rented is not null)
        {
            ArrayPool<byte>.Shared.Return(_rented);
            _rented = null;
        }
    }
}
