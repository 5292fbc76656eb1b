using Shouldly;
using Tessera.Proxy.Http;
using Xunit;

namespace Tessera.Tests.Proxy.Http;

public class HeaderKindTests
{
    private static readonly Dictionary<HeaderKind, string> Names = new()
    {
        [HeaderKind.Host] = "Host",
        [HeaderKind.Connection] = "Connection",
        [HeaderKind.KeepAlive] = "Keep-Alive",
        [HeaderKind.ProxyConnection] = "Proxy-Connection",
        [HeaderKind.TransferEncoding] = "Transfer-Encoding",
        [HeaderKind.ContentLength] = "Content-Length",
        [HeaderKind.TE] = "TE",
        [HeaderKind.Trailer] = "Trailer",
        [HeaderKind.Upgrade] = "Upgrade",
        [HeaderKind.Expect] = "Expect",
        [HeaderKind.XRealIp] = "X-Real-IP",
        [HeaderKind.XForwardedFor] = "X-Forwarded-For",
        [HeaderKind.XForwardedProto] = "X-Forwarded-Proto",
        [HeaderKind.XForwardedHost] = "X-Forwarded-Host",
        [HeaderKind.XForwardedPort] = "X-Forwarded-Port",
        [HeaderKind.Forwarded] = "Forwarded",
        [HeaderKind.Via] = "Via",
        [HeaderKind.UserAgent] = "User-Agent",
        [HeaderKind.Referer] = "Referer",
        [HeaderKind.Date] = "Date",
        [HeaderKind.Server] = "Server",
        [HeaderKind.Location] = "Location",
        [HeaderKind.ContentType] = "Content-Type",
        [HeaderKind.SetCookie] = "Set-Cookie",
        [HeaderKind.Cookie] = "Cookie",
        [HeaderKind.Authorization] = "Authorization",
        [HeaderKind.ProxyAuthenticate] = "Proxy-Authenticate",
        [HeaderKind.ProxyAuthorization] = "Proxy-Authorization",
        [HeaderKind.TraceParent] = "traceparent",
        [HeaderKind.Range] = "Range",
        [HeaderKind.IfMatch] = "If-Match",
        [HeaderKind.IfNoneMatch] = "If-None-Match",
        [HeaderKind.IfModifiedSince] = "If-Modified-Since",
        [HeaderKind.IfUnmodifiedSince] = "If-Unmodified-Since",
        [HeaderKind.IfRange] = "If-Range",
        [HeaderKind.AcceptEncoding] = "Accept-Encoding",
        [HeaderKind.AcceptRanges] = "Accept-Ranges",
        [HeaderKind.ContentEncoding] = "Content-Encoding",
        [HeaderKind.ContentRange] = "Content-Range",
        [HeaderKind.CacheControl] = "Cache-Control",
        [HeaderKind.ETag] = "ETag",
        [HeaderKind.Vary] = "Vary",
    };

    [Fact]
    public void Finds_every_kind_by_its_name_in_any_case()
    {
        Names.Keys.ShouldBe(
            Enum.GetValues<HeaderKind>().Except([HeaderKind.Other, HeaderKind.Underscored]),
            ignoreOrder: true);
        foreach ((HeaderKind kind, string name) in Names)
        {
            HeaderKinds.Find(Bytes.Of(name)).ShouldBe(kind);
            HeaderKinds.Find(Bytes.Of(name.ToUpperInvariant())).ShouldBe(kind);
            HeaderKinds.Find(Bytes.Of(name.ToLowerInvariant())).ShouldBe(kind);
        }
    }

    [Fact]
    public void Takes_no_other_token_for_a_known_name()
    {
        const string tokens =
            "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        foreach ((HeaderKind kind, string name) in Names)
        {
            for (int i = 0; i < name.Length; i++)
            {
                foreach (char token in tokens)
                {
                    byte[] other = Bytes.Of(name);
                    other[i] = (byte)token;
                    bool isSame = char.ToLowerInvariant(token) == char.ToLowerInvariant(name[i]);
                    HeaderKind found = HeaderKinds.Find(other);
                    (found == kind).ShouldBe(isSame, Bytes.Show(other));
                }
            }

            HeaderKinds.Find(Bytes.Of(name + "s")).ShouldBe(HeaderKind.Other);
            HeaderKinds.Find(Bytes.Of(name).AsSpan(1)).ShouldBe(HeaderKind.Other);
        }
    }
}
