using System.Text.RegularExpressions;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Forwarding;

/// <summary>What a request is that is made anew for its backend.</summary>
internal sealed partial class Exchange
{
    private byte[] _passUrl = [];
    private int _passUrlLength;
    private int _passHostStart;
    private int _passHostLength;
    private int _passUriStart;

    /// <summary>The groups of an expression that matched: $1 …</summary>
    public GroupCollection? Groups { get; internal set; }

    /// <summary>
    /// The whole body lies in <see cref="Stored"/>, without chunk framing and without what came
    /// with the head being elsewhere.
    /// </summary>
    public bool HasWholeBody { get; set; }

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
    public ReadOnlySpan<byte> PassUri => _passUrl.AsSpan(_passUriStart, _passUrlLength - _passUriStart);

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
            StartMs = nowMs,
            ConnectedMs = -1,
            HeadMs = -1,
            EndMs = nowMs,
            Status = error.Status,
        };
    }

    private void ResetPass()
    {
        _passUrl = _passUrl.Length > MaxSpareBytes ? [] : _passUrl;
        _passUrlLength = 0;
        _passHostStart = 0;
        _passHostLength = 0;
        _passUriStart = 0;
        HasWholeBody = false;
        SkipsBody = false;
        AddsChunks = false;
    }
}
