namespace Tessera.Proxy.Http;

/// <summary>
/// Where one header field lies in the receive buffer. Offsets count from the first byte of the span
/// that was parsed. [Start, End) is the whole line with its CRLF, so it can be copied or cut out as
/// it is; the value is without the whitespace around it.
/// </summary>
public struct HeaderField
{
    /// <summary>First byte of the name.</summary>
    public int Start;

    public int NameLength;

    public int ValueStart;

    public int ValueLength;

    /// <summary>One past the line's CRLF.</summary>
    public int End;

    public HeaderKind Kind;

    /// <summary>
    /// True when the field ends here and is not passed on (RFC 9110 section 7.6.1).
    /// </summary>
    public bool IsHopByHop;

    public readonly ReadOnlySpan<byte> Name(ReadOnlySpan<byte> received) =>
        received.Slice(Start, NameLength);

    public readonly ReadOnlySpan<byte> Value(ReadOnlySpan<byte> received) =>
        received.Slice(ValueStart, ValueLength);
}
