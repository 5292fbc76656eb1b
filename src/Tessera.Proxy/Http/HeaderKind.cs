using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Text;

namespace Tessera.Proxy.Http;

/// <summary>Header names that the proxy knows, so that its hot path compares integers.</summary>
public enum HeaderKind : byte
{
    Other = 0,

    /// <summary>
    /// A request field whose name has an underscore. CGI and WSGI servers cannot tell X_Real_IP
    /// from X-Real-IP, so a client could forge what the proxy vouches for: such a field is not
    /// passed on.
    /// </summary>
    Underscored,

    Host,
    Connection,
    KeepAlive,
    ProxyConnection,
    TransferEncoding,
    ContentLength,
    TE,
    Trailer,
    Upgrade,
    Expect,
    XRealIp,
    XForwardedFor,
    XForwardedProto,
    XForwardedHost,
    XForwardedPort,
    Forwarded,
    Via,
    UserAgent,
    Referer,
    Date,
    Server,
    Location,
    ContentType,
    SetCookie,
    Cookie,
    Authorization,
    ProxyAuthenticate,
    ProxyAuthorization,
    TraceParent,
    Range,
    IfMatch,
    IfNoneMatch,
    IfModifiedSince,
    IfUnmodifiedSince,
    IfRange,
    AcceptEncoding,
    AcceptRanges,
    ContentEncoding,
    ContentRange,
    CacheControl,
    ETag,
    Vary,
}

/// <summary>Finds the kind of a header name (a token), in any case of letters.</summary>
internal static class HeaderKinds
{
    /// <summary>By length first: at most four comparisons follow, most often none or one.</summary>
    public static HeaderKind Find(ReadOnlySpan<byte> name) => name.Length switch
    {
        2 when Is(name, "te"u8) => HeaderKind.TE,
        3 when Is(name, "via"u8) => HeaderKind.Via,
        4 => Find4(name),
        5 when Is(name, "range"u8) => HeaderKind.Range,
        6 => Find6(name),
        7 => Find7(name),
        8 => Find8(name),
        9 when Is(name, "x-real-ip"u8) => HeaderKind.XRealIp,
        9 when Is(name, "forwarded"u8) => HeaderKind.Forwarded,
        10 => Find10(name),
        11 when Is(name, "traceparent"u8) => HeaderKind.TraceParent,
        12 when Is(name, "content-type"u8) => HeaderKind.ContentType,
        13 => Find13(name),
        14 when Is(name, "content-length"u8) => HeaderKind.ContentLength,
        15 when Is(name, "x-forwarded-for"u8) => HeaderKind.XForwardedFor,
        15 when Is(name, "accept-encoding"u8) => HeaderKind.AcceptEncoding,
        16 => Find16(name),
        17 => Find17(name),
        18 when Is(name, "proxy-authenticate"u8) => HeaderKind.ProxyAuthenticate,
        19 when Is(name, "proxy-authorization"u8) => HeaderKind.ProxyAuthorization,
        19 when Is(name, "if-unmodified-since"u8) => HeaderKind.IfUnmodifiedSince,
        _ => HeaderKind.Other,
    };

    /// <summary>
    /// Fields that never pass the proxy. Transfer-Encoding is among them because the framing of the
    /// next hop is the forwarder's to state; Trailer is not, since trailers are relayed.
    /// </summary>
    public static bool IsHopByHop(HeaderKind kind) => kind
        is HeaderKind.Connection or HeaderKind.KeepAlive or HeaderKind.ProxyConnection
        or HeaderKind.TE or HeaderKind.TransferEncoding or HeaderKind.Upgrade
        or HeaderKind.Underscored;

    private static HeaderKind Find4(ReadOnlySpan<byte> name) => (name[0] | 0x20) switch
    {
        'h' when Is(name, "host"u8) => HeaderKind.Host,
        'd' when Is(name, "date"u8) => HeaderKind.Date,
        'e' when Is(name, "etag"u8) => HeaderKind.ETag,
        'v' when Is(name, "vary"u8) => HeaderKind.Vary,
        _ => HeaderKind.Other,
    };

    private static HeaderKind Find6(ReadOnlySpan<byte> name) => (name[0] | 0x20) switch
    {
        's' when Is(name, "server"u8) => HeaderKind.Server,
        'c' when Is(name, "cookie"u8) => HeaderKind.Cookie,
        'e' when Is(name, "expect"u8) => HeaderKind.Expect,
        _ => HeaderKind.Other,
    };

    private static HeaderKind Find7(ReadOnlySpan<byte> name) => (name[0] | 0x20) switch
    {
        'u' when Is(name, "upgrade"u8) => HeaderKind.Upgrade,
        'r' when Is(name, "referer"u8) => HeaderKind.Referer,
        't' when Is(name, "trailer"u8) => HeaderKind.Trailer,
        _ => HeaderKind.Other,
    };

    private static HeaderKind Find8(ReadOnlySpan<byte> name) => (name[^1] | 0x20) switch
    {
        'n' when Is(name, "location"u8) => HeaderKind.Location,
        'h' when Is(name, "if-match"u8) => HeaderKind.IfMatch,
        'e' when Is(name, "if-range"u8) => HeaderKind.IfRange,
        _ => HeaderKind.Other,
    };

    private static HeaderKind Find10(ReadOnlySpan<byte> name) => (name[0] | 0x20) switch
    {
        'c' when Is(name, "connection"u8) => HeaderKind.Connection,
        'u' when Is(name, "user-agent"u8) => HeaderKind.UserAgent,
        'k' when Is(name, "keep-alive"u8) => HeaderKind.KeepAlive,
        's' when Is(name, "set-cookie"u8) => HeaderKind.SetCookie,
        _ => HeaderKind.Other,
    };

    private static HeaderKind Find13(ReadOnlySpan<byte> name) => (name[^1] | 0x20) switch
    {
        'n' when Is(name, "authorization"u8) => HeaderKind.Authorization,
        'h' when Is(name, "if-none-match"u8) => HeaderKind.IfNoneMatch,
        'l' when Is(name, "cache-control"u8) => HeaderKind.CacheControl,
        's' when Is(name, "accept-ranges"u8) => HeaderKind.AcceptRanges,
        'e' when Is(name, "content-range"u8) => HeaderKind.ContentRange,
        _ => HeaderKind.Other,
    };

    private static HeaderKind Find16(ReadOnlySpan<byte> name) => (name[^1] | 0x20) switch
    {
        'g' when Is(name, "content-encoding"u8) => HeaderKind.ContentEncoding,
        'n' when Is(name, "proxy-connection"u8) => HeaderKind.ProxyConnection,
        't' when Is(name, "x-forwarded-host"u8) => HeaderKind.XForwardedHost,
        't' when Is(name, "x-forwarded-port"u8) => HeaderKind.XForwardedPort,
        _ => HeaderKind.Other,
    };

    private static HeaderKind Find17(ReadOnlySpan<byte> name) => (name[0] | 0x20) switch
    {
        'x' when Is(name, "x-forwarded-proto"u8) => HeaderKind.XForwardedProto,
        't' when Is(name, "transfer-encoding"u8) => HeaderKind.TransferEncoding,
        'i' when Is(name, "if-modified-since"u8) => HeaderKind.IfModifiedSince,
        _ => HeaderKind.Other,
    };

    /// <summary>
    /// Compares eight or four bytes at a time with bit 0x20 set, which makes letters lower case and
    /// leaves "-" and digits alone. Of the characters that names consist of, no other becomes one
    /// of these: a name must have been checked to be a token.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool Is(ReadOnlySpan<byte> name, ReadOnlySpan<byte> lowerCase)
    {
        int last = lowerCase.Length;
        if (last >= 8)
        {
            // The last word overlaps the one before it.
            return IsWord(name, lowerCase, 0)
                && (last <= 16 || IsWord(name, lowerCase, 8))
                && IsWord(name, lowerCase, last - 8);
        }

        return last >= 4
            ? IsHalfWord(name, lowerCase, 0) && IsHalfWord(name, lowerCase, last - 4)
            : Ascii.EqualsIgnoreCase(name, lowerCase);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsWord(ReadOnlySpan<byte> name, ReadOnlySpan<byte> lowerCase, int at) =>
        (BinaryPrimitives.ReadUInt64LittleEndian(name[at..]) | 0x2020202020202020)
        == BinaryPrimitives.ReadUInt64LittleEndian(lowerCase[at..]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsHalfWord(ReadOnlySpan<byte> name, ReadOnlySpan<byte> lowerCase, int at) =>
        (BinaryPrimitives.ReadUInt32LittleEndian(name[at..]) | 0x20202020)
        == BinaryPrimitives.ReadUInt32LittleEndian(lowerCase[at..]);
}
