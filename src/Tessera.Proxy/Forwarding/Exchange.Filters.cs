using Tessera.Proxy.Answers;
using Tessera.Proxy.Compression;
using Tessera.Proxy.Variables;
using HttpMethod = Tessera.Proxy.Http.HttpMethod;

namespace Tessera.Proxy.Forwarding;

/// <summary>What is done to the body of an answer on its way: nginx's body filters.</summary>
internal sealed partial class Exchange
{
    /// <summary>Of all trailers together; those that find no room are left out.</summary>
    private const int MaxTrailerBytes = 16 * 1_024;

    private Substitution? _substitution;
    private CharsetTable? _charset;
    private byte[] _sentTrailers = [];
    private int _sentTrailersLength;
    private byte[] _askedCharset = [];
    private bool _inflates;

    /// <summary>The client may get it in another coding, and is told so.</summary>
    public bool Varies { get; set; }

    /// <summary>Last-Modified and ETag no longer hold.</summary>
    public bool LosesValidators { get; private set; }

    /// <summary>The route has a Last-Modified of its own, or wants none.</summary>
    public bool ReplacesLastModified { get; set; }

    public bool ReplacesETag { get; set; }

    /// <summary>The bytes that leave are compressed, by whomever.</summary>
    public bool IsCoded { get; private set; }

    /// <summary>Fields follow behind the last chunk.</summary>
    public bool HasTrailers { get; private set; }

    /// <summary>The body passes through steps on its way.</summary>
    public bool IsFiltered => ReplyCoding != ContentCoding.Identity || HasTrailers || _inflates
        || _substitution is not null || _charset is not null;

    /// <summary>What was known of the body's length and ranges holds no more.</summary>
    public bool LosesLength => IsUnsized || IsReworked || HasTrailers
        || _charset is { KeepsLength: false };

    /// <summary>The body is made as it goes: nobody knows how long it will be.</summary>
    public bool IsUnsized { get; set; }

    /// <summary>The body means the same, but has other bytes: strong tags become weak.</summary>
    public bool IsReworked => ReplyCoding != ContentCoding.Identity || _inflates
        || _substitution is not null;

    /// <summary>Parts of the body cannot be told from where they lie in the file.</summary>
    public bool HasNoParts => IsReworked || _charset is { KeepsLength: false };

    /// <summary>Of several parts each would have to pass the steps on its own.</summary>
    public bool HasOnePart => _charset is not null;

    /// <summary>
    /// The body is empty, and still something is to be sent of it: gzip's frame, trailers.
    /// </summary>
    public bool FiltersNothing => LosesLength && Route?.Pass is not null && SendsBody
        && ReplyBody.Framing == Http.BodyFraming.None;

    /// <summary>Nothing follows what was sent of the response.</summary>
    public bool IsReplyDone => IsReplyComplete && !FiltersNothing;

    /// <summary>The body is compressed here, or decompressed.</summary>
    public bool HasNewCoding => ReplyCoding != ContentCoding.Identity || _inflates;

    /// <summary>The body is decompressed: its coding is not the client's business.</summary>
    public bool Inflates => _inflates;

    /// <summary>A body of unknown length goes in chunks, else until the connection ends.</summary>
    public bool TakesChunks => Request is { MinorVersion: 1, IsSimple: false }
        && ClientRules is not { SendsChunks: false };

    /// <summary>What an endpoint wants the charset to be (X-Accel-Charset).</summary>
    public ReadOnlySpan<byte> AskedCharset => _askedCharset;

    /// <summary>What was sent behind the last chunk, each line behind the end of one.</summary>
    public ReadOnlySpan<byte> SentTrailers => _sentTrailers.AsSpan(0, _sentTrailersLength);

    /// <summary>How hard bodies are compressed: 1 to 9.</summary>
    private int CompressionLevel => Route?.Gzip?.Level ?? Route?.Compression?.Level ?? 1;

    /// <summary>What an answer in this style is to be in.</summary>
    public void AskCharset(ReadOnlySpan<byte> name) =>
        _askedCharset = name.Length <= CharsetRule.MaxNameBytes ? name.ToArray() : [];

    /// <summary>Decides what happens to the body, in the order of nginx's filters.</summary>
    /// <param name="type">With or without charset.</param>
    /// <param name="length">-1 when it is not known.</param>
    /// <param name="coding">What it is compressed by already; empty for nothing.</param>
    public void PrepareFilters(
        int status, ReadOnlySpan<byte> type, long length, ReadOnlySpan<byte> coding,
        in ProxiedFacts facts)
    {
        IsCoded = !coding.IsEmpty;
        if (StyleRoute is not { } route || status is 204 or 304 or < 200)
        {
            return;
        }

        if (IsCoded && route.Gzip is { Inflates: true } && IsGzipLast(coding))
        {
            Varies = route.Gzip.SaysVary;
            _inflates = Client.Shard.Compressors.HasRoom && !route.Gzip.IsTakenBy(this, facts);
            IsCoded = !_inflates || coding.Contains((byte)',');
            length = _inflates ? -1 : length;
        }

        if (route.Substitution is { } rule && length != 0 && rule.Covers(type))
        {
            _substitution = rule.Begin(this);
            LosesValidators = _substitution is not null && !rule.KeepsLastModified;
            length = _substitution is null ? length : -1;
        }

        if (route.Style is { Charset.Recodes: true } style)
        {
            var name = new ByteWriter(stackalloc byte[CharsetRule.MaxNameBytes]);
            style.Charset.TryChoose(this, type, IsCoded, ref name, out _, out _charset);
            length = _charset is { KeepsLength: false } ? -1 : length;
        }

        if (route.Gzip is { } gzip && !IsCoded && gzip.Covers(status, type, length))
        {
            Varies = gzip.SaysVary;
            bool isTaken = Client.Shard.Compressors.HasRoom && gzip.IsTakenBy(this, facts);
            ReplyCoding = isTaken ? ContentCoding.Gzip : ContentCoding.Identity;
        }

        HasTrailers = route.Style is { Trailers.Length: > 0 } && SendsBody && TakesChunks
            && route.Style.SendsTrailers(status);
    }

    /// <summary>A part of the body is sent: nothing follows behind it.</summary>
    public void LeaveTrailers() => HasTrailers = false;

    /// <summary>What <see cref="PrepareFilters"/> has decided, ready to begin.</summary>
    public BodyCompressor BeginFilter() => Client.Shard.Compressors.Rent(new BodySteps
    {
        Inflates = _inflates,
        Substitution = _substitution,
        Recoding = _charset is null ? null : new Recoding(_charset),
        Coding = ReplyCoding,
        Level = CompressionLevel,
    });

    /// <summary>
    /// What is ready of the body, framed for the client, with its trailers behind the last of it.
    /// </summary>
    public byte[] TakeChunk(
        CompressedOutput output, bool isLast, out int start, out int length)
    {
        if (isLast && HasTrailers)
        {
            WriteTrailers(Style!.Trailers);
        }

        bool isChunked = LosesLength && TakesChunks;
        return output.TakeChunk(
            isLast, out start, out length, isChunked,
            isLast && HasTrailers ? SentTrailers : default);
    }

    /// <summary>The line of ETag, weak where the body is not the same bytes any more.</summary>
    public void WriteETag(ref ByteWriter writer, scoped ReadOnlySpan<byte> etag)
    {
        if (etag.IsEmpty || LosesValidators || ReplacesETag)
        {
            return;
        }

        writer.Write("ETag: "u8);
        writer.Write(IsReworked && etag[0] == '"' ? "W/"u8 : default);
        writer.Write(etag);
        writer.Write("\r\n"u8);
    }

    /// <summary>There is a body to be sent, whatever becomes of it.</summary>
    public bool SendsBody => Request.Method != HttpMethod.Head && Status is not (204 or 304);

    /// <summary>
    /// Of codings in the order in which they were applied, the last is gzip (RFC 9110 section 8.4).
    /// </summary>
    private static bool IsGzipLast(ReadOnlySpan<byte> coding) =>
        System.Text.Ascii.EqualsIgnoreCase(
            coding[(coding.LastIndexOf((byte)',') + 1)..].Trim(" \t"u8), "gzip"u8);

    private void WriteTrailers(TrailerField[] trailers)
    {
        if (_sentTrailers.Length == 0)
        {
            _sentTrailers = new byte[MaxTrailerBytes];
        }

        _sentTrailersLength = 0;
        foreach (TrailerField trailer in trailers)
        {
            if (!trailer.IsAlways && !AnswerStyle.IsGood(Status))
            {
                continue;
            }

            // A variable may name a trailer that stands before it.
            using var value = EvaluatedText.Of(trailer.Value, this);
            var writer = new ByteWriter(_sentTrailers.AsSpan(_sentTrailersLength));
            writer.Write(trailer.Name);
            writer.Write(": "u8);
            int start = writer.Length;
            writer.Write(value.Text);
            writer.RemoveControls(start);
            bool isEmpty = writer.Length == start;
            writer.Write("\r\n"u8);
            _sentTrailersLength += isEmpty || writer.HasOverflowed ? 0 : writer.Length;
        }
    }

    private void ResetFilters()
    {
        _substitution = null;
        _charset = null;
        _inflates = false;
        _askedCharset = [];
        _sentTrailers = [];
        _sentTrailersLength = 0;
        IsCoded = false;
        HasTrailers = false;
        IsUnsized = false;
        Varies = false;
        LosesValidators = false;
        ReplacesLastModified = false;
        ReplacesETag = false;
    }
}
