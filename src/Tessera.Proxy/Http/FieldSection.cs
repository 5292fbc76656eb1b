using System.Text;

namespace Tessera.Proxy.Http;

/// <summary>
/// The header fields of one head and what they say about framing and the connection. Shared by the
/// request and the response parser, which differ in what they make of it. Not thread-safe: owned by
/// one connection.
/// </summary>
internal sealed class FieldSection
{
    /// <summary>Options in Connection; far above real use, so that marking stays cheap.</summary>
    private const int MaxConnectionOptions = 32;

    private readonly bool _isRequest;
    private int _connectionOptions;
    private bool _hasNominations;
    private bool _offersUpgrade;
    private bool _offersHttp2;
    private bool _isTolerant;
    private ulong _once;

    public FieldSection(int maxHeaders, bool isRequest)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxHeaders, 1);
        Fields = new HeaderField[maxHeaders];
        _isRequest = isRequest;
        Reset();
    }

    public HeaderField[] Fields { get; }

    public int Count { get; private set; }

    /// <summary>Status to answer with after <see cref="TryAdd"/> returned false.</summary>
    public int ErrorStatus { get; private set; }

    public string ErrorReason { get; private set; } = "";

    /// <summary>-1 when absent.</summary>
    public long ContentLength { get; private set; }

    public bool IsChunked { get; private set; }

    /// <summary>The body is in a coding that nobody here knows: 501.</summary>
    public bool HasUnknownCoding { get; private set; }

    /// <summary>Index of the Host field, -1 when absent.</summary>
    public int HostIndex { get; private set; }

    public bool HasClose { get; private set; }

    public bool HasKeepAlive { get; private set; }

    public bool HasUpgradeOption { get; private set; }

    /// <summary>True when Upgrade names protocols that may be tunnelled.</summary>
    public bool HasUpgrade => _offersUpgrade && !_offersHttp2;

    public bool ExpectsContinue { get; private set; }

    public void Reset()
    {
        Count = 0;
        ContentLength = -1;
        HostIndex = -1;
        _connectionOptions = 0;
        _hasNominations = false;
        IsChunked = false;
        HasUnknownCoding = false;
        HasClose = false;
        HasKeepAlive = false;
        HasUpgradeOption = false;
        _offersUpgrade = false;
        _offersHttp2 = false;
        ExpectsContinue = false;
        ErrorStatus = 0;
        ErrorReason = "";
        _once = 0;
    }

    /// <summary>
    /// Adds the field line at [<paramref name="start"/>, <paramref name="end"/>), which holds no
    /// control characters. False when it is invalid: see <see cref="ErrorReason"/>.
    /// </summary>
    /// <param name="next">Where the next line begins.</param>
    public bool TryAdd(ReadOnlySpan<byte> bytes, int start, int end, int next, HeadRules rules)
    {
        ReadOnlySpan<byte> line = bytes[start..end];
        _isTolerant = rules.IsTolerant;
        if (_isTolerant && IsIgnored(line, rules))
        {
            return ErrorStatus == 0;
        }

        // The name runs up to the colon without any whitespace (RFC 9112 section 5.1). A line that
        // starts with whitespace would be obs-fold (section 5.2), which ends up here as well.
        int nameLength = line.IndexOfAnyExcept(ByteScan.Token);
        if (nameLength <= 0 || line[nameLength] != ':')
        {
            return Fail(400, DescribeBadName(line, nameLength));
        }

        if (Count == Fields.Length)
        {
            return Fail(431, "too many header fields");
        }

        int valueStart = start + nameLength + 1;
        int valueEnd = end;
        while (valueStart < valueEnd && ByteScan.IsBlank(bytes[valueStart]))
        {
            valueStart++;
        }

        while (valueEnd > valueStart && ByteScan.IsBlank(bytes[valueEnd - 1]))
        {
            valueEnd--;
        }

        ReadOnlySpan<byte> name = line[..nameLength];
        HeaderKind kind = HeaderKinds.Find(name);
        if (kind == HeaderKind.Other && _isRequest && !rules.IsTolerant
            && name.Contains((byte)'_'))
        {
            kind = HeaderKind.Underscored;
        }

        ref HeaderField field = ref Fields[Count++];
        field.Start = start;
        field.NameLength = nameLength;
        field.ValueStart = valueStart;
        field.ValueLength = valueEnd - valueStart;
        field.End = next;
        field.Kind = kind;
        field.IsHopByHop = HeaderKinds.IsHopByHop(kind);
        return kind == HeaderKind.Other
            || Note(kind, bytes[valueStart..valueEnd], line[nameLength..]);
    }

    /// <summary>
    /// Marks the fields that Connection names as hop-by-hop; call it once the section is complete.
    /// Host and Content-Length stay whatever Connection says: without them the next hop would read
    /// another message than this one did.
    /// </summary>
    public bool TryComplete(ReadOnlySpan<byte> bytes)
    {
        if (_connectionOptions > MaxConnectionOptions)
        {
            return Fail(400, "too many options in Connection");
        }

        if (!_hasNominations)
        {
            return true;
        }

        for (int i = 0; i < Count; i++)
        {
            if (Fields[i].Kind != HeaderKind.Connection)
            {
                continue;
            }

            ReadOnlySpan<byte> rest = Fields[i].Value(bytes);
            while (TakeElement(ref rest, out ReadOnlySpan<byte> option))
            {
                MarkNominated(bytes, option);
            }
        }

        return true;
    }

    /// <summary>
    /// Fields whose names nginx calls invalid are left out; white space in a name, or before it,
    /// is an error for nginx too.
    /// </summary>
    private bool IsIgnored(ReadOnlySpan<byte> line, HeadRules rules)
    {
        int colon = line.IndexOf((byte)':');
        ReadOnlySpan<byte> name = colon < 0 ? line : line[..colon];
        if (name.IsEmpty || name.ContainsAny(" \t"u8))
        {
            return !Fail(400, DescribeBadName(line, line.IndexOfAnyExcept(ByteScan.Token)));
        }

        bool isUnderscored = _isRequest && !rules.AllowsUnderscores && name.Contains((byte)'_');
        return colon < 0
            || (isUnderscored && rules.IgnoresInvalidNames)
            || name.ContainsAnyExcept(ByteScan.Token);
    }

    private static string DescribeBadName(ReadOnlySpan<byte> line, int nameLength)
    {
        if (nameLength < 0)
        {
            return "header without colon";
        }

        return line[nameLength] switch
        {
            (byte)' ' or (byte)'\t' when nameLength == 0 => "whitespace before header name",
            (byte)' ' or (byte)'\t' => "whitespace in header name",
            (byte)':' => "empty header name",
            _ => "invalid character in header name",
        };
    }

    private bool Note(HeaderKind kind, ReadOnlySpan<byte> value, ReadOnlySpan<byte> colonAndValue)
    {
        switch (kind)
        {
            case HeaderKind.Host:
                return NoteHost();
            case HeaderKind.ContentLength:
                return NoteContentLength(value, colonAndValue);
            case HeaderKind.TransferEncoding:
                return NoteTransferEncoding(value, colonAndValue);
            case HeaderKind.Connection:
                NoteConnection(value);
                return true;
            case HeaderKind.Upgrade:
                NoteUpgrade(value);
                return true;
            case HeaderKind.IfModifiedSince or HeaderKind.IfUnmodifiedSince
                or HeaderKind.IfMatch or HeaderKind.IfNoneMatch or HeaderKind.IfRange
                or HeaderKind.ContentRange or HeaderKind.Authorization:
                return NoteOnce(kind);
            case HeaderKind.Expect:
                ExpectsContinue |= Ascii.EqualsIgnoreCase(value, "100-continue"u8);
                return NoteOnce(kind);
            default:
                return true;
        }
    }

    /// <summary>
    /// What nginx takes only once (ngx_http_process_unique_header_line); strict rules leave it to
    /// who reads the field.
    /// </summary>
    private bool NoteOnce(HeaderKind kind)
    {
        ulong bit = 1UL << (int)kind;
        bool isSecond = (_once & bit) != 0;
        _once |= bit;
        return !isSecond || !_isTolerant || !_isRequest || Fail(400, "duplicate header field");
    }

    private bool NoteHost()
    {
        if (HostIndex >= 0 && _isRequest)
        {
            return Fail(400, "several Host fields");
        }

        HostIndex = Count - 1;
        return true;
    }

    /// <summary>
    /// 1*DIGIT, once. RFC 9112 section 6.3 would let a recipient merge equal values; refusing them
    /// costs nothing and leaves no room for two readings.
    /// </summary>
    private bool NoteContentLength(ReadOnlySpan<byte> value, ReadOnlySpan<byte> colonAndValue)
    {
        if (ContentLength >= 0)
        {
            return Fail(400, "several Content-Length fields");
        }

        if (value.IsEmpty || (colonAndValue.Contains((byte)'\t') && !_isTolerant))
        {
            return Fail(400, "invalid Content-Length");
        }

        long length = 0;
        foreach (byte digit in value)
        {
            if (!char.IsAsciiDigit((char)digit))
            {
                return Fail(400, "invalid Content-Length");
            }

            int units = digit - '0';
            if (length > (long.MaxValue - units) / 10)
            {
                return Fail(400, "Content-Length out of range");
            }

            length = (length * 10) + units;
        }

        ContentLength = length;
        return IsChunked ? Fail(400, "both Transfer-Encoding and Content-Length") : true;
    }

    /// <summary>
    /// "chunked", once: no other coding is in use on the wire (RFC 9112 section 6.1), and servers
    /// differ in what they make of lists and of unknown codings.
    /// </summary>
    private bool NoteTransferEncoding(ReadOnlySpan<byte> value, ReadOnlySpan<byte> colonAndValue)
    {
        if (IsChunked || HasUnknownCoding)
        {
            return Fail(400, "several Transfer-Encoding fields");
        }

        if (!Ascii.EqualsIgnoreCase(value, "chunked"u8)
            || (colonAndValue.Contains((byte)'\t') && !_isTolerant))
        {
            // nginx says that it does not know the coding (RFC 9112 section 6.1), once it has seen
            // that there is no other one.
            HasUnknownCoding = _isTolerant;
            return _isTolerant || Fail(400, "Transfer-Encoding other than chunked");
        }

        IsChunked = true;
        return ContentLength >= 0 ? Fail(400, "both Transfer-Encoding and Content-Length") : true;
    }

    private void NoteConnection(ReadOnlySpan<byte> value)
    {
        while (TakeElement(ref value, out ReadOnlySpan<byte> option))
        {
            _connectionOptions++;
            if (Ascii.EqualsIgnoreCase(option, "keep-alive"u8))
            {
                HasKeepAlive = true;
            }
            else if (Ascii.EqualsIgnoreCase(option, "close"u8))
            {
                HasClose = true;
            }
            else if (Ascii.EqualsIgnoreCase(option, "upgrade"u8))
            {
                HasUpgradeOption = true;
            }
            else
            {
                _hasNominations = true;
            }
        }
    }

    /// <summary>
    /// h2c is not offered on: a server that took it would speak HTTP/2 through a tunnel whose
    /// requests nobody here reads. RFC 9110 section 7.8 lets a recipient ignore Upgrade.
    /// </summary>
    private void NoteUpgrade(ReadOnlySpan<byte> value)
    {
        while (TakeElement(ref value, out ReadOnlySpan<byte> protocol))
        {
            _offersUpgrade = true;
            _offersHttp2 |= Ascii.EqualsIgnoreCase(protocol, "h2c"u8);
        }
    }

    private void MarkNominated(ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> option)
    {
        for (int i = 0; i < Count; i++)
        {
            ref HeaderField field = ref Fields[i];
            if (field.Kind is not (HeaderKind.Host or HeaderKind.ContentLength)
                && Ascii.EqualsIgnoreCase(field.Name(bytes), option))
            {
                field.IsHopByHop = true;
            }
        }
    }

    /// <summary>
    /// Takes the next element of a comma-separated list, empty ones skipped (RFC 9110 section
    /// 5.6.1).
    /// </summary>
    private static bool TakeElement(ref ReadOnlySpan<byte> list, out ReadOnlySpan<byte> element)
    {
        while (!list.IsEmpty)
        {
            int comma = list.IndexOf((byte)',');
            element = (comma < 0 ? list : list[..comma]).Trim(" \t"u8);
            list = comma < 0 ? default : list[(comma + 1)..];
            if (!element.IsEmpty)
            {
                return true;
            }
        }

        element = default;
        return false;
    }

    private bool Fail(int status, string reason)
    {
        ErrorStatus = status;
        ErrorReason = reason;
        return false;
    }
}
