namespace Tessera.Proxy.Http;

/// <summary>Where a <see cref="ChunkedDecoder"/> stands.</summary>
public enum ChunkStatus
{
    /// <summary>No error yet, and no end yet: call again with the bytes that follow.</summary>
    NeedMore,

    /// <summary>The last chunk and the trailer section are over.</summary>
    Complete,

    /// <summary>The bytes are no chunked body, whatever follows.</summary>
    Invalid,
}

/// <summary>
/// Follows the framing of a chunked body (RFC 9112 section 7.1) over bytes that arrive in any
/// pieces, and buffers none of them: the raw bytes can be relayed as they are, or the data spans
/// alone. The default value is ready for a body. Not thread-safe: part of one connection's state.
/// </summary>
public struct ChunkedDecoder
{
    /// <summary>Hexadecimal digits of a size, leading zeros included.</summary>
    private const int MaxSizeDigits = 16;

    /// <summary>Bytes of chunk extensions after one size; they carry nothing for anyone.</summary>
    private const int MaxExtensionBytes = 256;

    /// <summary>
    /// Bytes of extensions that may be ahead of the data, each byte of which pays for one: without
    /// this limit a peer could have 270 bytes read for each that is of use.
    /// </summary>
    private const int MaxUnpaidExtensionBytes = 16 * 1_024;

    /// <summary>Bytes of the whole trailer section.</summary>
    private const int MaxTrailerBytes = 8 * 1_024;

    private State _state;
    private int _count;
    private int _extensionBytes;
    private long _remaining;

    /// <summary>First letter of the trailer's name, which tells the one it must not be.</summary>
    private byte _nameInitial;

    /// <summary>Characters of that name that were met so far; -1 when it is another name.</summary>
    private int _nameMatched;

    private enum State : byte
    {
        SizeStart,
        Size,
        Extension,
        SizeLF,
        Data,
        DataCR,
        DataLF,
        TrailerStart,
        TrailerName,
        TrailerValue,
        TrailerLF,
        EndLF,
        Complete,
        Invalid,
    }

    /// <summary>
    /// Takes what nginx takes: lines that end with LF alone, and spaces behind a size. Only for
    /// bodies that are not relayed as they are.
    /// </summary>
    public bool IsTolerant { get; set; }

    /// <summary>Something has come that only a tolerant reader takes.</summary>
    public bool HasOddities { get; private set; }

    public readonly bool IsComplete => _state == State.Complete;

    /// <summary>The last chunk is over, and the trailer section is not.</summary>
    public readonly bool IsInTrailers => _state is >= State.TrailerStart and < State.Complete;

    /// <summary>
    /// Data of all chunks that have begun, whether it has come yet or not; never more than
    /// <see cref="long.MaxValue"/>.
    /// </summary>
    public long AnnouncedBytes { get; private set; }

    /// <summary>
    /// Takes all of <paramref name="data"/> that belongs to this body. <paramref name="consumed"/>
    /// is its length: everything after <see cref="ChunkStatus.NeedMore"/>, up to the end of the
    /// body after <see cref="ChunkStatus.Complete"/>, and the valid bytes after
    /// <see cref="ChunkStatus.Invalid"/>.
    /// </summary>
    public ChunkStatus Advance(ReadOnlySpan<byte> data, out int consumed)
    {
        consumed = 0;
        while (consumed < data.Length && _state < State.Complete)
        {
            if (_state == State.Data)
            {
                consumed += TakeData(data.Length - consumed);
            }
            else if (Step(data[consumed]))
            {
                consumed++;
            }
        }

        return Status();
    }

    /// <summary>
    /// As <see cref="Advance"/>, but stops after each run of chunk data, which is
    /// <paramref name="dataLength"/> bytes from <paramref name="dataStart"/>, and before the
    /// trailer section. After
    /// <see cref="ChunkStatus.NeedMore"/> call it again with what follows
    /// <paramref name="consumed"/>, until nothing does.
    /// </summary>
    public ChunkStatus Next(
        ReadOnlySpan<byte> data, out int consumed, out int dataStart, out int dataLength)
    {
        consumed = 0;
        dataStart = 0;
        dataLength = 0;
        State end = _state < State.TrailerStart ? State.TrailerStart : State.Complete;
        while (consumed < data.Length && _state < end)
        {
            if (_state == State.Data)
            {
                dataStart = consumed;
                dataLength = TakeData(data.Length - consumed);
                consumed += dataLength;
                break;
            }

            if (Step(data[consumed]))
            {
                consumed++;
            }
        }

        return Status();
    }

    private readonly ChunkStatus Status() => _state switch
    {
        State.Complete => ChunkStatus.Complete,
        State.Invalid => ChunkStatus.Invalid,
        _ => ChunkStatus.NeedMore,
    };

    private int TakeData(int available)
    {
        int taken = (int)Math.Min(_remaining, available);
        _remaining -= taken;
        _extensionBytes = Math.Max(0, _extensionBytes - taken);
        if (_remaining == 0)
        {
            _state = State.DataCR;
        }

        return taken;
    }

    /// <summary>One byte outside chunk data. False when it is invalid there.</summary>
    private bool Step(byte value)
    {
        State next = _state switch
        {
            State.SizeStart or State.Size => StepSize(value),
            State.Extension => StepExtension(value),
            State.SizeLF => value == '\n' ? AfterSize() : State.Invalid,
            State.DataCR => value == '\r' ? State.DataLF
                : IsBareEnd(value) ? State.SizeStart
                : State.Invalid,
            State.DataLF => value == '\n' ? State.SizeStart : State.Invalid,
            State.EndLF => value == '\n' ? State.Complete : State.Invalid,
            _ => StepTrailer(value),
        };
        HasOddities |= IsOdd(_state, value);
        _state = next;
        return next != State.Invalid;
    }

    private static bool IsOdd(State state, byte value) => state switch
    {
        State.Size => value is (byte)' ' or (byte)'\t' or (byte)'\n',
        State.Extension or State.DataCR or State.TrailerStart or State.TrailerValue =>
            value == '\n',
        _ => false,
    };

    /// <summary>
    /// 1*HEXDIG, then ";" or CRLF at once. No sign, no 0x and no spaces: where parsers differ in
    /// what they skip, they differ in where the body ends.
    /// </summary>
    private State StepSize(byte value)
    {
        if (_state == State.SizeStart)
        {
            _count = 0;
            _remaining = 0;
        }

        if (char.IsAsciiHexDigit((char)value))
        {
            int digit = value <= '9' ? value - '0' : (value | 0x20) - 'a' + 10;
            if (++_count > MaxSizeDigits || _remaining > long.MaxValue >> 4)
            {
                return State.Invalid;
            }

            _remaining = (_remaining << 4) | (long)digit;
            return State.Size;
        }

        if (_count == 0)
        {
            return State.Invalid;
        }

        _count = 0;
        return value switch
        {
            (byte)'\r' => State.SizeLF,
            (byte)';' => State.Extension,
            (byte)' ' or (byte)'\t' when IsTolerant => State.Extension,
            (byte)'\n' when IsTolerant => AfterSize(),
            _ => State.Invalid,
        };
    }

    private State AfterSize()
    {
        _count = 0;
        AnnouncedBytes += Math.Min(_remaining, long.MaxValue - AnnouncedBytes);
        return _remaining == 0 ? State.TrailerStart : State.Data;
    }

    /// <summary>chunk-ext is relayed unread (RFC 9112 section 7.1.1), within limits.</summary>
    private State StepExtension(byte value)
    {
        if (value == '\r')
        {
            return State.SizeLF;
        }

        if (IsBareEnd(value))
        {
            return AfterSize();
        }

        bool isWithinLimits =
            ++_count <= MaxExtensionBytes && ++_extensionBytes <= MaxUnpaidExtensionBytes;
        return isWithinLimits && !ByteScan.IsControl(value) ? State.Extension : State.Invalid;
    }

    /// <summary>
    /// The trailer section obeys the rules of a head's fields (RFC 9112 section 7.1.2) and holds
    /// none that say where a message ends or goes (RFC 9110 section 6.5.1): a server that merged
    /// them into the head would be told twice.
    /// </summary>
    private State StepTrailer(byte value)
    {
        if (++_count > MaxTrailerBytes)
        {
            return State.Invalid;
        }

        bool isToken = ByteScan.Token.Contains(value);
        MatchName(value);
        return _state switch
        {
            State.TrailerStart when value == '\r' => State.EndLF,
            State.TrailerStart when IsBareEnd(value) => State.Complete,
            State.TrailerStart => isToken ? State.TrailerName : State.Invalid,
            State.TrailerName when value == ':' =>
                IsForbiddenName() ? State.Invalid : State.TrailerValue,
            State.TrailerName => isToken ? State.TrailerName : State.Invalid,
            State.TrailerValue when value == '\r' => State.TrailerLF,
            State.TrailerValue when IsBareEnd(value) => State.TrailerStart,
            State.TrailerValue => ByteScan.IsControl(value) ? State.Invalid : State.TrailerValue,
            State.TrailerLF => value == '\n' ? State.TrailerStart : State.Invalid,
            _ => State.Invalid,
        };
    }

    private readonly bool IsBareEnd(byte value) => value == '\n' && IsTolerant;

    private void MatchName(byte value)
    {
        if (_state == State.TrailerStart)
        {
            _nameInitial = value;
            _nameMatched = 1;
        }
        else if (_state == State.TrailerName && value != ':' && _nameMatched > 0)
        {
            ReadOnlySpan<byte> forbidden = ForbiddenName(_nameInitial);
            bool isMatch =
                _nameMatched < forbidden.Length && (value | 0x20) == forbidden[_nameMatched];
            _nameMatched = isMatch ? _nameMatched + 1 : -1;
        }
    }

    private readonly bool IsForbiddenName() =>
        _nameMatched > 1 && _nameMatched == ForbiddenName(_nameInitial).Length;

    private static ReadOnlySpan<byte> ForbiddenName(byte initial) => (initial | 0x20) switch
    {
        'c' => "content-length"u8,
        't' => "transfer-encoding"u8,
        'h' => "host"u8,
        _ => default,
    };
}
