using System.Net;
using Tessera.Proxy;
using Tessera.Tests.Proxy.Forwarding;

namespace Tessera.Tests.Proxy.Flow;

/// <summary>Proxies whose one route has limits.</summary>
internal static class FlowFixture
{
    public const string Get = "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";

    public static ProxyFixture Start(
        IPEndPoint endpoint,
        FlowConfig? flow = null,
        AccessConfig? access = null,
        ProxyOptions? options = null) =>
        ProxyFixture.Start(
            [endpoint],
            options ?? new ProxyOptions { Reactors = 2 },
            listener: l => l with
            {
                Routes = [new RouteConfig { Backend = "web", Flow = flow, Access = access }],
            });

    public static async Task<int> StatusAsync(ProxyFixture proxy, string request = Get) =>
        StatusOf(await proxy.ExchangeAsync(request));

    public static int StatusOf(string answer) =>
        answer.Length < 12
            ? 0
            : int.Parse(
                answer.AsSpan(9, 3), System.Globalization.CultureInfo.InvariantCulture);
}
