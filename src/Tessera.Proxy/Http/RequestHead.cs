using System.Buffers;
using System.Text;

namespace Tessera.Proxy.Http;

/// <summary>
/// Strict, incremental parser of an HTTP/1.x request head (RFC 9112 sections 2, 3 and 5), and what
/// it found, as offsets into the receive buffer. One per connection, used again for each request;
/// it allocates nothing after construction. Not thread-safe: owned by its connection's reactor.
/// </summary>
public sealed class RequestHead
{
    /// <summary>
    /// Leading empty lines that are skipped; some clients send one after a POST body.
    /// </summary>
    private const int MaxEmptyLines = 4;

    /// <summary>Longer methods get 501 (RFC 9112 section 3).</summary>
    private const int MaxMethodLength = 32;

    /// <summary>" HTTP/1.1", the end of every request line.</summary>
    private const int VersionSuffixLength = 9;

    private static readonly SearchValues<byte> TolerantMethod =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZ_-"u8);

    private readonly FieldSection _fields;
    private HeadLineReader _lines;
    private bool _hasRequestLine;
    private int _emptyLines;
    private int _authorityStart;
    private int _authorityLength;

    /// <param name="maxHeaders">Field lines of one head, 1 or more; one more gets 431.</param>
    public RequestHead(int maxHeaders) => _fields = new FieldSection(maxHeaders, isRequest: true);

    /// <summary>Kept from one head to the next.</summary>
    internal HeadRules Rules { get; set; } = HeadRules.Strict;

    /// <summary>
    /// 400, 414, 431, 501 or 505 after <see cref="ParseStatus.Invalid"/>, else 0.
    /// </summary>
    public int ErrorStatus { get; private set; }

    /// <summary>Why the head is invalid, for the error log; empty while it is not.</summary>
    public string ErrorReason { get; private set; } = "";

    /// <summary>Bytes up to the end of the head, leading empty lines included.</summary>
    public int Length { get; private set; }

    /// <summary>
    /// Of a head with a broken line, the bytes up to it, or behind it where only its value is
    /// wrong; else 0.
    /// </summary>
    public int ReadLength { get; private set; }

    /// <summary>First byte of the request line.</summary>
    public int Start { get; private set; }

    public HttpMethod Method { get; private set; }

    public int MethodStart { get; private set; }

    public int MethodLength { get; private set; }

    /// <summary>The request target as it was sent.</summary>
    public int TargetStart { get; private set; }

    public int TargetLength { get; private set; }

    /// <summary>True for "http://host/path" (RFC 9112 section 3.2.2).</summary>
    public bool IsAbsoluteForm { get; private set; }

    /// <summary>
    /// Path and query as they go to an origin server: the target without scheme and authority, or
    /// "*". In absolute form it may lack its path ("http://host", "http://host?q"): then
    /// <see cref="PathLength"/> is 0 and a "/" is to be sent before it.
    /// </summary>
    public int OriginFormStart { get; private set; }

    public int OriginFormLength { get; private set; }

    /// <summary>
    /// The path alone, up to "?"; length 0 for "*" and for an absolute form without path.
    /// </summary>
    public int PathStart { get; private set; }

    public int PathLength { get; private set; }

    /// <summary>
    /// Host with port as sent: the authority of an absolute target, which wins over the Host field
    /// (RFC 9112 section 3.2.2), else the value of Host. Length 0 when an HTTP/1.0 request has
    /// none.
    /// </summary>
    public int HostStart { get; private set; }

    public int HostLength { get; private set; }

    /// <summary>0 or 1.</summary>
    public int MinorVersion { get; private set; }

    /// <summary>
    /// "GET /path" and no more, which HTTP/0.9 was: the answer is the body alone. Only tolerant
    /// rules take it.
    /// </summary>
    public bool IsSimple { get; private set; }

    /// <summary>The first <see cref="HeaderCount"/> entries are valid.</summary>
    public HeaderField[] Headers => _fields.Fields;

    public int HeaderCount => _fields.Count;

    /// <summary>-1 when absent.</summary>
    public long ContentLength => _fields.ContentLength;

    public bool IsChunked => _fields.IsChunked;

    /// <summary>
    /// How the body ends; a request without length has no body (RFC 9112 section 6.3).
    /// </summary>
    public BodyFraming Body =>
        IsChunked ? BodyFraming.Chunked
        : ContentLength > 0 ? BodyFraming.Length
        : BodyFraming.None;

    /// <summary>
    /// True when the client expects the connection to stay open (RFC 9112 section 9.3).
    /// </summary>
    public bool KeepAlive =>
        !_fields.HasClose && (MinorVersion == 1 || _fields.HasKeepAlive);

    /// <summary>
    /// The client waits for 100 before its body; an HTTP/1.0 client cannot (RFC 9110 section
    /// 10.1.1).
    /// </summary>
    public bool ExpectsContinue => _fields.ExpectsContinue && MinorVersion == 1;

    /// <summary>
    /// Connection: upgrade with a protocol in Upgrade that may be tunnelled; never h2c, and never
    /// in HTTP/1.0 (RFC 9110 section 7.8).
    /// </summary>
    public bool IsUpgrade =>
        _fields.HasUpgradeOption && _fields.HasUpgrade && MinorVersion == 1;

    /// <summary>
    /// True when the field is for this hop only: known as such, or named in Connection (RFC 9110
    /// section 7.6.1), or with an underscore in its name (<see cref="HeaderKind.Underscored"/>).
    /// </summary>
    public bool IsHopByHop(int index) => _fields.Fields[index].IsHopByHop;

    /// <summary>
    /// Goes on where the last call stopped; <paramref name="received"/> starts at the same byte
    /// each time and only grows. After any other result than <see cref="ParseStatus.Incomplete"/>,
    /// call <see cref="Reset"/> before the next head.
    /// </summary>
    /// <param name="maxHeadBytes">Longest head that is taken, in bytes.</param>
    public ParseStatus Parse(ReadOnlySpan<byte> received, int maxHeadBytes)
    {
        // Nothing behind the limit is looked at, so that the outcome does not depend on how much
        // happened to arrive at once.
        ReadOnlySpan<byte> bytes =
            received.Length > maxHeadBytes ? received[..maxHeadBytes] : received;
        while (true)
        {
            ParseStatus line = _lines.Next(
                bytes, Rules.IsTolerant, out int start, out int end);
            if (line != ParseStatus.Complete)
            {
                if (bytes.Length - _lines.Taken > Rules.MaxLineBytes)
                {
                    ReadLength = _hasRequestLine ? _lines.Taken - Start : 0;
                    return FailLine();
                }

                return line == ParseStatus.Invalid ? Fail(400, _lines.ErrorReason)
                    : bytes.Length < maxHeadBytes ? ParseStatus.Incomplete
                    : _hasRequestLine ? Fail(431, "request head too large")
                    : Fail(414, "request line too long");
            }

            if (_lines.Taken - start > Rules.MaxLineBytes)
            {
                ReadLength = _hasRequestLine ? start - Start : 0;
                return FailLine();
            }

            if (_hasRequestLine)
            {
                if (end == start)
                {
                    Length = _lines.Taken;
                    return Complete(bytes) ? ParseStatus.Complete : ParseStatus.Invalid;
                }

                int count = _fields.Count;
                if (!_fields.TryAdd(bytes, start, end, _lines.Taken, Rules))
                {
                    ReadLength = (_fields.Count > count ? _lines.Taken : start) - Start;
                    return Fail(_fields.ErrorStatus, _fields.ErrorReason);
                }
            }
            else if (end > start)
            {
                if (!ParseRequestLine(bytes, start, end))
                {
                    return ParseStatus.Invalid;
                }

                _hasRequestLine = true;
                if (IsSimple)
                {
                    Length = _lines.Taken;
                    return ParseStatus.Complete;
                }
            }
            else if (++_emptyLines > MaxEmptyLines && !Rules.IsTolerant)
            {
                return Fail(400, "empty lines instead of a request");
            }
        }
    }

    /// <summary>The request is served as a GET from now on, whatever was sent.</summary>
    public void TurnToGet() => Method = HttpMethod.Get;

    /// <summary>Of a head that broke behind its Host, what that says.</summary>
    internal void NoteHost(ReadOnlySpan<byte> bytes)
    {
        if (HostLength > 0 || _fields.HostIndex < 0)
        {
            return;
        }

        ref readonly HeaderField host = ref _fields.Fields[_fields.HostIndex];
        if (HostSyntax.IsTolerable(host.Value(bytes)))
        {
            HostStart = host.ValueStart;
            HostLength = host.ValueLength;
        }
    }

    /// <summary>As if there had been none.</summary>
    internal void ForgetFields()
    {
        _fields.Reset();
        HostLength = 0;
    }

    /// <summary>Forgets the head, so that the next one can be parsed.</summary>
    public void Reset()
    {
        _fields.Reset();
        _lines = default;
        _hasRequestLine = false;
        _emptyLines = 0;
        _authorityStart = 0;
        _authorityLength = 0;
        ErrorStatus = 0;
        ErrorReason = "";
        Length = 0;
        ReadLength = 0;
        Start = 0;
        Method = HttpMethod.Other;
        MethodStart = 0;
        MethodLength = 0;
        TargetStart = 0;
        TargetLength = 0;
        IsAbsoluteForm = false;
        OriginFormStart = 0;
        OriginFormLength = 0;
        PathStart = 0;
        PathLength = 0;
        HostStart = 0;
        HostLength = 0;
        MinorVersion = 0;
        IsSimple = false;
    }

    /// <summary>
    /// method SP request-target SP HTTP-version, with single spaces (RFC 9112 section 3).
    /// </summary>
    private bool ParseRequestLine(ReadOnlySpan<byte> bytes, int start, int end)
    {
        ReadOnlySpan<byte> line = bytes[start..end];
        int methodLength = line.IndexOfAnyExcept(ByteScan.Token);
        if (methodLength <= 0 || line[methodLength] != ' ')
        {
            return Reject(400, "invalid method");
        }

        if (methodLength > MaxMethodLength)
        {
            return Reject(501, "method too long");
        }

        if (Rules.IsTolerant && line[..methodLength].ContainsAnyExcept(TolerantMethod))
        {
            return Reject(400, "method not in capitals");
        }

        int targetLength = line.Length - methodLength - 1 - VersionSuffixLength;
        IsSimple = Rules.IsTolerant && line[..methodLength].SequenceEqual("GET"u8)
            && !line[(methodLength + 1)..].Contains((byte)' ');
        targetLength = IsSimple ? line.Length - methodLength - 1 : targetLength;
        if (targetLength <= 0 || (!IsSimple && !ParseVersion(line[^VersionSuffixLength..])))
        {
            return ErrorStatus == 505 ? false : Reject(400, "invalid request line");
        }

        Start = start;
        MethodStart = start;
        MethodLength = methodLength;
        Method = HttpMethods.Parse(line[..methodLength]);
        TargetStart = start + methodLength + 1;
        TargetLength = targetLength;
        ReadOnlySpan<byte> target = bytes.Slice(TargetStart, TargetLength);
        if (target.ContainsAny(ByteScan.NotInTarget))
        {
            return Reject(400, "invalid character in request target");
        }

        return ParseTarget(target);
    }

    /// <summary>
    /// A line longer than one buffer: nginx's large_client_header_buffers tells the two apart.
    /// </summary>
    private ParseStatus FailLine() => _hasRequestLine
        ? Fail(431, "header field too long")
        : Fail(414, "request line too long");

    private bool ParseVersion(ReadOnlySpan<byte> suffix)
    {
        if (suffix.SequenceEqual(" HTTP/1.1"u8))
        {
            MinorVersion = 1;
            return true;
        }

        // A later minor version means what the last known one means (RFC 9110 section 2.5).
        if (suffix.StartsWith(" HTTP/1."u8) && char.IsAsciiDigit((char)suffix[8]))
        {
            MinorVersion = suffix[8] == '0' ? 0 : 1;
            return true;
        }

        bool isOtherVersion = suffix.StartsWith(" HTTP/"u8)
            && char.IsAsciiDigit((char)suffix[6])
            && suffix[7] == '.'
            && char.IsAsciiDigit((char)suffix[8]);
        return isOtherVersion && Reject(505, "HTTP version not supported");
    }

    /// <summary>
    /// The four forms of RFC 9112 section 3.2, of which a reverse proxy serves three.
    /// </summary>
    private bool ParseTarget(ReadOnlySpan<byte> target)
    {
        // A server that answered CONNECT with 2xx would turn its connection into a tunnel, on which
        // the framing of everything that follows is the client's to choose.
        if (Method == HttpMethod.Connect)
        {
            return Reject(
                !Rules.IsTolerant ? 501 : target[0] == '/' ? 405 : 400, "CONNECT is not supported");
        }

        // TRACE would tell scripts what they must not read; nginx refuses it as well.
        if (Method == HttpMethod.Trace && Rules.IsTolerant)
        {
            return Reject(405, "client sent TRACE method");
        }

        if (target[0] == '/')
        {
            SetOriginForm(target, 0);
            return true;
        }

        if (target.Length == 1 && target[0] == '*')
        {
            SetOriginForm(target, 0);
            PathLength = 0;
            return Method == HttpMethod.Options || Reject(400, "request target * without OPTIONS");
        }

        return ParseAbsoluteForm(target);
    }

    private bool ParseAbsoluteForm(ReadOnlySpan<byte> target)
    {
        int authority =
            StartsWithIgnoreCase(target, "http://"u8) ? "http://".Length
            : StartsWithIgnoreCase(target, "https://"u8) ? "https://".Length
            : -1;
        if (authority < 0)
        {
            return Reject(400, "invalid request target");
        }

        int length = target[authority..].IndexOfAny((byte)'/', (byte)'?');
        int authorityEnd = length < 0 ? target.Length : authority + length;
        if (!HostSyntax.IsValid(target[authority..authorityEnd]))
        {
            return Reject(400, "invalid host in request target");
        }

        IsAbsoluteForm = true;
        _authorityStart = TargetStart + authority;
        _authorityLength = authorityEnd - authority;
        SetOriginForm(target, authorityEnd);
        return true;
    }

    private void SetOriginForm(ReadOnlySpan<byte> target, int from)
    {
        int query = target[from..].IndexOf((byte)'?');
        OriginFormStart = TargetStart + from;
        OriginFormLength = target.Length - from;
        PathStart = OriginFormStart;
        PathLength = query < 0 ? OriginFormLength : query;
    }

    /// <summary>The rules that need the whole head.</summary>
    private bool Complete(ReadOnlySpan<byte> bytes)
    {
        if (!_fields.TryComplete(bytes))
        {
            return Reject(_fields.ErrorStatus, _fields.ErrorReason);
        }

        // An HTTP/1.0 peer between here and the client may not know chunks, and would have seen
        // another message (RFC 9112 section 6.1).
        if (IsChunked && MinorVersion == 0)
        {
            return Reject(400, "Transfer-Encoding in HTTP/1.0");
        }

        if (_fields.HasUnknownCoding)
        {
            return Reject(501, "Transfer-Encoding other than chunked");
        }

        if (_fields.HostIndex >= 0)
        {
            ref readonly HeaderField host = ref _fields.Fields[_fields.HostIndex];
            HostStart = host.ValueStart;
            HostLength = host.ValueLength;
            ReadOnlySpan<byte> name = host.Value(bytes);
            if (!(Rules.IsTolerant ? HostSyntax.IsTolerable(name) : HostSyntax.IsValid(name)))
            {
                return Reject(400, "invalid Host");
            }
        }
        else if (MinorVersion == 1)
        {
            return Reject(400, "missing Host");
        }

        if (IsAbsoluteForm)
        {
            HostStart = _authorityStart;
            HostLength = _authorityLength;
        }

        return true;
    }

    private static bool StartsWithIgnoreCase(ReadOnlySpan<byte> text, ReadOnlySpan<byte> prefix) =>
        text.Length >= prefix.Length && Ascii.EqualsIgnoreCase(text[..prefix.Length], prefix);

    private bool Reject(int status, string reason)
    {
        ErrorStatus = status;
        ErrorReason = reason;
        return false;
    }

    private ParseStatus Fail(int status, string reason)
    {
        Reject(status, reason);
        return ParseStatus.Invalid;
    }
}
