using System.Buffers.Text;

namespace Tessera.Proxy.Http;

/// <summary>
/// Incremental parser of an HTTP/1.x response head (RFC 9112 section 4), and what it found, as
/// offsets into the receive buffer. Lenient in what carries no meaning (a missing reason phrase),
/// strict in everything that frames the message. One per connection, used again for each response;
/// it allocates nothing after construction. Not thread-safe: owned by its connection's reactor.
/// </summary>
public sealed class ResponseHead
{
    /// <summary>"HTTP/1.1 200", the shortest status line.</summary>
    private const int MinStatusLineLength = 12;

    private const string StatusLineFault = "invalid status line";

    private readonly FieldSection _fields;
    private HeadLineReader _lines;
    private bool _hasStatusLine;

    /// <param name="maxHeaders">Field lines of one head, 1 or more; one more is invalid.</param>
    public ResponseHead(int maxHeaders) => _fields = new FieldSection(maxHeaders, isRequest: false);

    /// <summary>Kept from one head to the next.</summary>
    internal HeadRules Rules { get; set; } = HeadRules.Strict;

    /// <summary>Why the head is invalid, for the error log; empty while it is not.</summary>
    public string ErrorReason { get; private set; } = "";

    /// <summary>Bytes of the head with its last CRLF.</summary>
    public int Length { get; private set; }

    /// <summary>100 to 999; tolerant rules take 0 to 99, and give them no meaning.</summary>
    public int StatusCode { get; private set; }

    /// <summary>0 or 1.</summary>
    public int MinorVersion { get; private set; }

    public int ReasonStart { get; private set; }

    /// <summary>0 when the server sent none.</summary>
    public int ReasonLength { get; private set; }

    /// <summary>The first <see cref="HeaderCount"/> entries are valid.</summary>
    public HeaderField[] Headers => _fields.Fields;

    public int HeaderCount => _fields.Count;

    /// <summary>-1 when absent.</summary>
    public long ContentLength => _fields.ContentLength;

    public bool IsChunked => _fields.IsChunked;

    /// <summary>
    /// True when the server keeps the connection open (RFC 9112 section 9.3). It still is of no
    /// further use when the body is framed by its close.
    /// </summary>
    public bool KeepAlive => !_fields.HasClose && (MinorVersion == 1 || _fields.HasKeepAlive);

    /// <summary>
    /// True when the server lets the connection become a tunnel (RFC 9110 section 15.2.2).
    /// </summary>
    public bool IsUpgrade =>
        StatusCode == 101 && _fields.HasUpgradeOption && _fields.HasUpgrade && MinorVersion == 1;

    /// <summary>True when the field is for this hop only (RFC 9110 section 7.6.1).</summary>
    public bool IsHopByHop(int index) => _fields.Fields[index].IsHopByHop;

    /// <summary>
    /// How the body ends, which the request's method takes part in (RFC 9112 section 6.3).
    /// </summary>
    public BodyFraming BodyFor(HttpMethod requestMethod)
    {
        if (requestMethod == HttpMethod.Head || StatusCode is (>= 100 and < 200) or 204 or 304)
        {
            return BodyFraming.None;
        }

        return IsChunked ? BodyFraming.Chunked
            : ContentLength < 0 ? BodyFraming.UntilClose
            : ContentLength > 0 ? BodyFraming.Length
            : BodyFraming.None;
    }

    /// <summary>
    /// Goes on where the last call stopped; <paramref name="received"/> starts at the same byte
    /// each time and only grows. After any other result than <see cref="ParseStatus.Incomplete"/>,
    /// call <see cref="Reset"/> before the next head.
    /// </summary>
    /// <param name="maxHeadBytes">Longest head that is taken, in bytes.</param>
    public ParseStatus Parse(ReadOnlySpan<byte> received, int maxHeadBytes)
    {
        ReadOnlySpan<byte> bytes =
            received.Length > maxHeadBytes ? received[..maxHeadBytes] : received;
        while (true)
        {
            ParseStatus line = _lines.Next(
                bytes, Rules.IsTolerant, out int start, out int end);
            if (line != ParseStatus.Complete)
            {
                return line == ParseStatus.Invalid ? Fail(_lines.ErrorReason)
                    : bytes.Length < maxHeadBytes ? ParseStatus.Incomplete
                    : Fail("response head too large");
            }

            if (!_hasStatusLine)
            {
                if (!ParseStatusLine(bytes, start, end))
                {
                    return Fail(StatusLineFault);
                }

                _hasStatusLine = true;
            }
            else if (end == start)
            {
                Length = _lines.Taken;
                return Complete(bytes);
            }
            else if (!_fields.TryAdd(bytes, start, end, _lines.Taken, Rules))
            {
                return Fail(_fields.ErrorReason);
            }
        }
    }

    /// <summary>
    /// What was received begins with no status line: a body alone, as HTTP/0.9 has it, to who takes
    /// it for one.
    /// </summary>
    /// <param name="received">As in the last call of <see cref="Parse"/>.</param>
    internal bool LacksStatusLine(ReadOnlySpan<byte> received)
    {
        ReadOnlySpan<byte> protocol = "HTTP/"u8;
        int length = Math.Min(received.Length, protocol.Length);
        return !_hasStatusLine
            && (ErrorReason == StatusLineFault
                || !received[..length].SequenceEqual(protocol[..length]));
    }

    /// <summary>It is the head of an HTTP/0.9 response: none, and a status of 200.</summary>
    internal void BecomeSimple()
    {
        Reset();
        StatusCode = 200;
    }

    /// <summary>Forgets the head, so that the next one can be parsed.</summary>
    public void Reset()
    {
        _fields.Reset();
        _lines = default;
        _hasStatusLine = false;
        ErrorReason = "";
        Length = 0;
        StatusCode = 0;
        MinorVersion = 0;
        ReasonStart = 0;
        ReasonLength = 0;
    }

    /// <summary>
    /// HTTP-version SP status-code SP [ reason-phrase ]; the last space is often missing with the
    /// phrase (RFC 9112 section 4).
    /// </summary>
    private bool ParseStatusLine(ReadOnlySpan<byte> bytes, int start, int end)
    {
        ReadOnlySpan<byte> line = bytes[start..end];
        if (Rules.IsTolerant)
        {
            return ParseTolerantly(line, start, end);
        }

        if (line.Length < MinStatusLineLength
            || !line.StartsWith("HTTP/1."u8)
            || line[7] is not ((byte)'0' or (byte)'1')
            || line[8] != ' '
            || line[9..12].ContainsAnyExceptInRange((byte)'0', (byte)'9')
            || line[9] == '0'
            || (line.Length > MinStatusLineLength && line[12] != ' '))
        {
            return false;
        }

        MinorVersion = line[7] - '0';
        StatusCode = ((line[9] - '0') * 100) + ((line[10] - '0') * 10) + (line[11] - '0');
        ReasonStart = Math.Min(start + MinStatusLineLength + 1, end);
        ReasonLength = end - ReasonStart;
        return true;
    }

    /// <summary>
    /// As nginx: any version, any spaces before the status, and any byte but a digit behind it
    /// (ngx_http_parse_status_line).
    /// </summary>
    private bool ParseTolerantly(ReadOnlySpan<byte> line, int start, int end)
    {
        if (!line.StartsWith("HTTP/"u8))
        {
            return false;
        }

        int space = line.IndexOf((byte)' ');
        int dot = line.IndexOf((byte)'.');
        if (space < 0 || dot < 0 || dot > space
            || !Utf8Parser.TryParse(line[5..dot], out ushort major, out int majorLength)
            || !Utf8Parser.TryParse(line[(dot + 1)..space], out ushort minor, out int minorLength)
            || majorLength != dot - 5 || minorLength != space - dot - 1
            || major is 0 or > 99 || minor > 99)
        {
            return false;
        }

        int status = space + line[space..].IndexOfAnyExcept((byte)' ');
        if (status < space || line.Length < status + 3
            || line[status..(status + 3)].ContainsAnyExceptInRange((byte)'0', (byte)'9')
            || (line.Length > status + 3 && line[status + 3] is not ((byte)' ' or (byte)'.')))
        {
            return false;
        }

        MinorVersion = major > 1 || minor > 0 ? 1 : 0;
        StatusCode = ((line[status] - '0') * 100) + ((line[status + 1] - '0') * 10)
            + (line[status + 2] - '0');
        ReasonStart = Math.Min(start + status + 4, end);
        ReasonLength = end - ReasonStart;
        return true;
    }

    /// <summary>
    /// A chunked HTTP/1.0 response has faulty framing (RFC 9112 section 6.1): what the server meant
    /// cannot be known.
    /// </summary>
    private ParseStatus Complete(ReadOnlySpan<byte> bytes)
    {
        if (!_fields.TryComplete(bytes))
        {
            return Fail(_fields.ErrorReason);
        }

        return IsChunked && MinorVersion == 0 && !Rules.IsTolerant
            ? Fail("Transfer-Encoding in HTTP/1.0")
            : ParseStatus.Complete;
    }

    private ParseStatus Fail(string reason)
    {
        ErrorReason = reason;
        return ParseStatus.Invalid;
    }
}
