using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Forwarding;

/// <summary>The field lines that the proxy adds to a response.</summary>
internal sealed partial class Exchange
{
    /// <summary>Of the field lines added to a response that passes as it is.</summary>
    private const int MaxAddedBytes = 4 * 1_024;

    /// <summary>The same where the head is made anew: half of the largest buffer.</summary>
    private const int MaxMadeBytes = 128 * 1_024;

    /// <summary>
    /// Field lines, each with its CRLF, that are added to the response whoever gives it.
    /// </summary>
    public ReadOnlySpan<byte> AddedFields => _addedFields.AsSpan(0, _addedLength);

    /// <summary>Lines of so many bytes together can still be added.</summary>
    public bool HasRoomForFields(int bytes) => _addedLength + bytes <= MaxAdded;

    /// <summary>
    /// A field of the answer as it was sent. Before that, what is known of it by then: fields that
    /// were added, those of the endpoint, and of which type it will be.
    /// </summary>
    /// <param name="name">With "_" for each "-".</param>
    public void WriteSentField(ref ByteWriter writer, ReadOnlySpan<byte> name)
    {
        if (!SentHead.IsEmpty || HasReachedClient)
        {
            FieldText.WriteAllOfHead(ref writer, SentHead, name);
            return;
        }

        if (IsDropped)
        {
            return;
        }

        int start = writer.Length;
        FieldText.WriteAll(ref writer, AddedFields, name);
        if (writer.Length == start)
        {
            FieldText.WriteAllOfHead(ref writer, UpstreamHead, name);
        }

        if (UpstreamHead.IsEmpty && Style is { } style && name.SequenceEqual("content_type"u8))
        {
            writer.Write(Status >= 300 ? "text/html"u8 : TypeIn(style));
        }
    }

    private int MaxAdded => Server is null ? MaxAddedBytes : MaxMadeBytes;

    /// <summary>
    /// Adds a line to the response: name, value without control characters. False when there is no
    /// room left for it.
    /// </summary>
    public bool TryAddField(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        int length = _addedLength + name.Length + value.Length + 4;
        if (length > MaxAdded)
        {
            return false;
        }

        if (length > _addedFields.Length)
        {
            Array.Resize(
                ref _addedFields,
                length <= MaxSpareBytes ? MaxSpareBytes : Math.Max(length, 4 * MaxSpareBytes));
        }

        var writer = new ByteWriter(_addedFields.AsSpan(_addedLength));
        writer.Write(name);
        writer.Write(": "u8);
        int start = writer.Length;
        writer.Write(value);
        writer.RemoveControls(start);
        writer.Write("\r\n"u8);
        _addedLength += writer.Length;
        return true;
    }
}
