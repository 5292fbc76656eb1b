using System.Text.RegularExpressions;
using Tessera.Proxy.Http;
using Tessera.Proxy.Routing;
using Tessera.Proxy.Variables;
using HttpMethod = Tessera.Proxy.Http.HttpMethod;

namespace Tessera.Proxy.Forwarding;

/// <summary>What a request is that is made anew for its backend.</summary>
internal sealed partial class Exchange
{
    /// <summary>Where the fields begin in <see cref="UpstreamTrailers"/>.</summary>
    public const int TrailersStart = 10;

    private byte[] _passUrl = [];
    private int _passUrlLength;
    private int _passHostStart;
    private int _passHostLength;
    private int _passUriStart;
    private int _leftWith;
    private bool _isElsewhere;
    private byte[] _trailers = [];
    private int _trailersLength;

    /// <summary>The groups of an expression that matched: $1 …</summary>
    public GroupCollection? Groups { get; internal set; }

    /// <summary>
    /// The whole body lies in <see cref="Stored"/>, without chunk framing and without what came
    /// with the head being elsewhere.
    /// </summary>
    public bool HasWholeBody { get; set; }

    /// <summary>The endpoint speaks HTTP/0.9: there is no head, for the client neither.</summary>
    public bool IsReplyBare { get; set; }

    /// <summary>
    /// The trailer section of the endpoint's answer as far as it has come, behind a line that
    /// stands for a status line; empty without one.
    /// </summary>
    public ReadOnlySpan<byte> UpstreamTrailers => _trailers.AsSpan(0, _trailersLength);

    /// <summary>Between two reads of the response's head.</summary>
    public int HeadTimeoutMs =>
        Limits.HeadTimeoutMs > 0 ? Limits.HeadTimeoutMs : Limits.ReadTimeoutMs;

    /// <summary>What its client is too slow for may wait in <see cref="Spool"/>.</summary>
    public bool MaySpool { get; set; }

    /// <summary>What came of the answer and has not left yet; null until something had to wait.
    /// </summary>
    public ReplySpool? Spool { get; set; }

    /// <summary>A copy of the answer that becomes a file; null for none.</summary>
    public ReplyStore? Store { get; set; }

    /// <summary>Someone wanted the body: until then nginx's $request_body is empty.</summary>
    public bool HasReadBody { get; set; }

    /// <summary>The client's body does not go to the endpoint.</summary>
    public bool SkipsBody { get; set; }

    /// <summary>
    /// The client asked for the protocol that the endpoint goes over to. Where the request is made
    /// anew, whoever wrote Upgrade into it meant it.
    /// </summary>
    public bool IsUpgradeAsked => Response.IsUpgrade
        && (Request.IsUpgrade
            || (Route?.Pass is not null
                && !FieldText.Find(Request, Received, "upgrade"u8).IsEmpty));

    /// <summary>The answer's body, which only its end delimits, goes on in chunks.</summary>
    public bool AddsChunks { get; set; }

    /// <summary>The bytes of the client's body that the endpoint gets; -1 when not known.</summary>
    public long PassedBodyLength =>
        HasWholeBody ? Stored!.Length
        : Request.IsChunked ? -1
        : Request.ContentLength;

    /// <summary>$proxy_host.</summary>
    public ReadOnlySpan<byte> PassHost => _passHostLength > 0
        ? _passUrl.AsSpan(_passHostStart, _passHostLength)
        : Route?.Pass is { } pass ? pass.Host : default;

    /// <summary>$proxy_port.</summary>
    public ReadOnlySpan<byte> PassPort
    {
        get
        {
            ReadOnlySpan<byte> host = PassHost;
            int colon = host.LastIndexOf((byte)':');
            return _passHostLength == 0 ? Route?.Pass is { } pass ? pass.Port : default
                : colon >= 0 && !host[colon..].Contains((byte)']') ? host[(colon + 1)..]
                : "80"u8;
        }
    }

    /// <summary>Path and query that a proxy_pass with variables gave; empty for none.</summary>
    public ReadOnlySpan<byte> PassUri =>
        _passUrl.AsSpan(_passUriStart, _passUrlLength - _passUriStart);

    /// <summary>
    /// Takes apart what a proxy_pass with variables came to. False for what is no address.
    /// </summary>
    public bool TryNotePassUrl(ReadOnlySpan<byte> url)
    {
        ReadOnlySpan<byte> scheme = "http://"u8;
        if (url.Length <= scheme.Length
            || !System.Text.Ascii.EqualsIgnoreCase(url[..scheme.Length], scheme))
        {
            return false;
        }

        _passUrl = _passUrl.Length < url.Length ? new byte[url.Length] : _passUrl;
        url.CopyTo(_passUrl);
        _passUrlLength = url.Length;
        _passHostStart = scheme.Length;
        ReadOnlySpan<byte> rest = url[scheme.Length..];
        int end = rest.StartsWith("unix:"u8)
            ? rest["unix:"u8.Length..].IndexOf((byte)':') is >= 0 and var colon ? colon + 5 : -1
            : rest.IndexOfAny((byte)'/', (byte)'?');
        _passHostLength = end < 0 ? rest.Length : end;
        _passUriStart = _passHostStart + _passHostLength;
        _passUriStart += _passUriStart < url.Length && url[_passUriStart] == ':' ? 1 : 0;
        return _passHostLength > 0;
    }

    /// <summary>A piece of the trailer section, in its order; it has a limit of its own.</summary>
    public void NoteTrailers(ReadOnlySpan<byte> piece)
    {
        ReadOnlySpan<byte> first = "trailers\r\n"u8;
        int start = Math.Max(_trailersLength, TrailersStart);
        if (_trailers.Length < start + piece.Length)
        {
            Array.Resize(ref _trailers, Math.Max(MaxSpareBytes, (start + piece.Length) * 2));
        }

        first.CopyTo(_trailers);
        piece.CopyTo(_trailers.AsSpan(start));
        _trailersLength = start + piece.Length;
    }

    /// <summary>
    /// $request_body: the data of the body, as far as it is in memory. Nothing of one that a file
    /// or an endpoint has.
    /// </summary>
    public void WriteBody(ref ByteWriter writer)
    {
        if (IsStreamed || !RequestBody.IsComplete || (Server is not null && !HasReadBody))
        {
            return;
        }

        if (!HasWholeBody)
        {
            WriteData(ref writer, Received.Slice(Request.Length, BodyInBuffer));
        }

        Stored?.Write(ref writer);
    }

    private void WriteData(ref ByteWriter writer, scoped ReadOnlySpan<byte> body)
    {
        var reader = new BodyReader(Request.Body, Request.ContentLength);
        while (!body.IsEmpty)
        {
            int taken = reader.TakeData(body, out int start, out int length);
            writer.Write(body.Slice(start, length));
            if (taken == 0)
            {
                return;
            }

            body = body[taken..];
        }
    }

    /// <summary>A try that found nobody.</summary>
    public void NoteNoneLive(long nowMs, ProxyError error)
    {
        if (TryCount == _tries.Length)
        {
            Array.Resize(ref _tries, TryCount * 2);
        }

        _tries[TryCount++] = new Try
        {
            AddressText = Backend.NameText,
            IsElsewhere = TakeElsewhere(),
            StartMs = nowMs,
            ConnectedMs = -1,
            HeadMs = -1,
            EndMs = nowMs,
            Status = error.Status,
        };
    }

    /// <summary>
    /// Of <see cref="AddedFields"/>, those that an answer left behind which sent the request
    /// elsewhere.
    /// </summary>
    public int CarriedBytes { get; private set; }

    /// <summary>It has come to a backend, and was not sent elsewhere since.</summary>
    public bool IsForwarded { get; private set; }

    /// <summary>It comes to a backend, perhaps after it has been to another.</summary>
    public void BeginForwarding()
    {
        IsForwarded = true;
        _isElsewhere = TryCount > 0;
        LastError = default;
        _passUrlLength = 0;
        _passHostLength = 0;
        _passUriStart = 0;
        _upstreamHeadLength = 0;
    }

    /// <summary>
    /// The answer is not the client's: error_page has another (proxy_intercept_errors), or it names
    /// a location that has (X-Accel-Redirect).
    /// </summary>
    public bool IsToLeave(PassRule rule, out ProxyErrorKind kind)
    {
        kind = ProxyErrorKind.None;
        int status = Response.StatusCode;
        ReadOnlySpan<byte> head = Reply.AsSpan(ReplyStart, Response.Length);
        if (rule.Config.InterceptsErrors && status >= 300
            && Route?.ErrorPages?.Find(status) is not null)
        {
            kind = ProxyErrorKind.Intercepted;
            _leftWith = status;
            if (status == 401)
            {
                CopyField(head, "WWW-Authenticate"u8, "www_authenticate"u8);
            }

            return true;
        }

        if (rule.Ignores("X-Accel-Redirect") || Server is null)
        {
            return false;
        }

        ReadOnlySpan<byte> location = FieldText.Find(head, "x_accel_redirect"u8);
        if (location.IsEmpty)
        {
            return false;
        }

        kind = ProxyErrorKind.RedirectedWithin;
        SetAway(location);
        CopyField(head, "Set-Cookie"u8, "set_cookie"u8);
        CopyField(head, "Content-Disposition"u8, "content_disposition"u8);
        CopyField(head, "Cache-Control"u8, "cache_control"u8);
        CopyField(head, "Expires"u8, "expires"u8);
        return true;
    }

    /// <summary>Goes where <see cref="IsToLeave"/> said, now that the try has ended.</summary>
    public ProxyError LeaveFor(ProxyError error)
    {
        if (error.Kind == ProxyErrorKind.Intercepted)
        {
            return TryIntercept(_leftWith) ? ProxyError.None : error;
        }

        if (error.Kind != ProxyErrorKind.RedirectedWithin)
        {
            return error;
        }

        if (Away[0] == '@')
        {
            GoTo(Away);
            return ProxyError.None;
        }

        if (Request.Method != HttpMethod.Head)
        {
            IsTurnedToGet = true;
            Request.TurnToGet();
        }

        int mark = Away.IndexOf((byte)'?');
        ReadOnlySpan<byte> path = mark < 0 ? Away : Away[..mark];
        byte[] normal = new byte[path.Length];
        if (!PathNormalizer.TryNormalize(path, normal, out int length))
        {
            return error;
        }

        RedirectInternally(
            normal.AsSpan(0, length), mark < 0 ? default : Away[(mark + 1)..]);
        return ProxyError.None;
    }

    private void CopyField(
        ReadOnlySpan<byte> head, ReadOnlySpan<byte> name, ReadOnlySpan<byte> wanted)
    {
        ReadOnlySpan<byte> value = FieldText.Find(head, wanted);
        if (!value.IsEmpty)
        {
            TryAddField(name, value);
            CarriedBytes = AddedFields.Length;
        }
    }

    private bool TakeElsewhere()
    {
        bool isElsewhere = _isElsewhere;
        _isElsewhere = false;
        return isElsewhere;
    }

    private void ResetPass()
    {
        _passUrl = _passUrl.Length > MaxSpareBytes ? [] : _passUrl;
        _passUrlLength = 0;
        _passHostStart = 0;
        _passHostLength = 0;
        _passUriStart = 0;
        CarriedBytes = 0;
        _isElsewhere = false;
        IsForwarded = false;
        HasWholeBody = false;
        HasReadBody = false;
        IsReplyBare = false;
        _trailers = _trailers.Length > MaxSpareBytes ? [] : _trailers;
        _trailersLength = 0;
        Store?.Abandon();
        Store = null;
        Spool?.Close();
        Spool = null;
        MaySpool = false;
        SkipsBody = false;
        AddsChunks = false;
    }
}
