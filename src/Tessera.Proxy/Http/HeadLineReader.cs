namespace Tessera.Proxy.Http;

/// <summary>
/// Takes CRLF-terminated lines from a span that grows from call to call, scanning each byte once.
/// Not thread-safe: part of one connection's parser.
/// </summary>
internal struct HeadLineReader
{
    private int _lineStart;
    private int _scanned;

    /// <summary>Why the last call returned <see cref="ParseStatus.Invalid"/>.</summary>
    public string ErrorReason { get; private set; }

    /// <summary>First byte behind the line that was taken last.</summary>
    public readonly int Taken => _lineStart;

    /// <summary>
    /// The next line as [<paramref name="start"/>, <paramref name="end"/>) without its CRLF. Lines
    /// end with CRLF and nothing else: what a bare LF or CR means differs between servers, which is
    /// what request smuggling lives on, though RFC 9112 section 2.2 lets a recipient accept LF.
    /// </summary>
    /// <param name="isTolerant">LF alone ends a line as well.</param>
    public ParseStatus Next(
        ReadOnlySpan<byte> bytes, bool isTolerant, out int start, out int end)
    {
        start = _lineStart;
        end = start;
        int at = ByteScan.IndexOfControl(bytes, _scanned);
        if (at < 0)
        {
            _scanned = bytes.Length;
            return ParseStatus.Incomplete;
        }

        byte control = bytes[at];
        if (control == '\n' && isTolerant)
        {
            end = at;
            _lineStart = at + 1;
            _scanned = at + 1;
            return ParseStatus.Complete;
        }

        if (control != '\r')
        {
            ErrorReason = control == '\n' ? "bare LF" : "control character";
            return ParseStatus.Invalid;
        }

        if (at + 1 >= bytes.Length)
        {
            _scanned = at;
            return ParseStatus.Incomplete;
        }

        if (bytes[at + 1] != '\n')
        {
            ErrorReason = "bare CR";
            return ParseStatus.Invalid;
        }

        end = at;
        _lineStart = at + 2;
        _scanned = at + 2;
        return ParseStatus.Complete;
    }
}
