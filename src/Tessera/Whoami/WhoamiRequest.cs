using System.Buffers.Text;
using System.Text;

namespace Tessera.Whoami;

/// <summary>What <see cref="WhoamiConnection"/> must know of a request's head.</summary>
internal readonly record struct WhoamiRequest(
    bool IsHead, bool IsKeptAlive, bool IsChunked, long ContentLength, bool ExpectsContinue)
{
    /// <summary>Null when the head is not one, or the end of its body is not certain.</summary>
    /// <param name="head">With the empty line at its end.</param>
    public static WhoamiRequest? Parse(ReadOnlySpan<byte> head)
    {
        if (head.Contains((byte)0))
        {
            return null;
        }

        bool isFirst = true;
        WhoamiRequest request = default;
        long? contentLength = null;
        foreach (Range range in Lines(head))
        {
            ReadOnlySpan<byte> line = head[range];
            if (isFirst)
            {
                isFirst = false;
                if (!TryParseRequestLine(line, ref request))
                {
                    return null;
                }
            }
            else if (!TryParseHeader(line, ref request, ref contentLength))
            {
                return null;
            }
        }

        // RFC 9112 6.3: both lengths at once are an attack on somebody.
        return isFirst || (request.IsChunked && contentLength is not null)
            ? null
            : request with { ContentLength = contentLength ?? 0 };
    }

    /// <summary>The lines of a head without their line ends and without the empty one.</summary>
    public static LineRanges Lines(ReadOnlySpan<byte> head) => new(head);

    private static bool TryParseRequestLine(ReadOnlySpan<byte> line, ref WhoamiRequest request)
    {
        int methodEnd = line.IndexOf((byte)' ');
        int targetEnd = line.LastIndexOf((byte)' ');
        if (methodEnd <= 0 || targetEnd <= methodEnd + 1)
        {
            return false;
        }

        ReadOnlySpan<byte> target = line[(methodEnd + 1)..targetEnd];
        ReadOnlySpan<byte> version = line[(targetEnd + 1)..];
        bool isVersion11 = version.SequenceEqual("HTTP/1.1"u8);
        request = request with
        {
            IsHead = line[..methodEnd].SequenceEqual("HEAD"u8),
            IsKeptAlive = isVersion11,
        };
        return !target.Contains((byte)' ')
            && line[..methodEnd].IndexOfAnyExceptInRange((byte)'!', (byte)'~') < 0
            && (isVersion11 || version.SequenceEqual("HTTP/1.0"u8));
    }

    private static bool TryParseHeader(
        ReadOnlySpan<byte> line, ref WhoamiRequest request, ref long? contentLength)
    {
        int colon = line.IndexOf((byte)':');
        if (colon <= 0 || line[..colon].IndexOfAny((byte)' ', (byte)'\t') >= 0)
        {
            return false;
        }

        ReadOnlySpan<byte> name = line[..colon];
        ReadOnlySpan<byte> value = line[(colon + 1)..].Trim((byte)' ').Trim((byte)'\t');
        if (Ascii.EqualsIgnoreCase(name, "Content-Length"u8))
        {
            bool isNumber = Utf8Parser.TryParse(value, out long length, out int digits)
                && digits == value.Length && value[0] is >= (byte)'0' and <= (byte)'9';
            bool isRepeated = contentLength is not null;
            contentLength = length;
            return isNumber && !isRepeated;
        }

        if (Ascii.EqualsIgnoreCase(name, "Transfer-Encoding"u8))
        {
            request = request with { IsChunked = true };
            return Ascii.EqualsIgnoreCase(value, "chunked"u8);
        }

        if (Ascii.EqualsIgnoreCase(name, "Connection"u8))
        {
            request = Ascii.EqualsIgnoreCase(value, "close"u8)
                ? request with { IsKeptAlive = false }
                : Ascii.EqualsIgnoreCase(value, "keep-alive"u8)
                    ? request with { IsKeptAlive = true }
                    : request;
        }
        else if (Ascii.EqualsIgnoreCase(name, "Expect"u8))
        {
            request = request with
            {
                ExpectsContinue = Ascii.EqualsIgnoreCase(value, "100-continue"u8),
            };
        }

        return true;
    }

    /// <summary>Splits at CRLF, without allocation.</summary>
    public ref struct LineRanges(ReadOnlySpan<byte> head)
    {
        private readonly ReadOnlySpan<byte> _head = head;
        private int _next;

        public Range Current { get; private set; }

        public readonly LineRanges GetEnumerator() => this;

        public bool MoveNext()
        {
            int length = _head[_next..].IndexOf("\r\n"u8);
            if (length <= 0)
            {
                return false;
            }

            Current = _next..(_next + length);
            _next += length + 2;
            return true;
        }
    }
}
