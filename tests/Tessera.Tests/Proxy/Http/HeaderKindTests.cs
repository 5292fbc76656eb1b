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
    public void Takes_no_name_for_another()
    {
        foreach (string name in Names.Values)
        {
            for (int i = 0; i < name.Length; i++)
            {
                // 0x20 apart from "-": comparing by or-ing 0x20 would take them as equal.
                byte[] other = Bytes.Of(name);
                other[i] = char.IsAsciiLetter(name[i]) ? (byte)'~' : (byte)'\r';
                HeaderKinds.Find(other).ShouldBe(HeaderKind.Other);
            }
        }
    }
}
