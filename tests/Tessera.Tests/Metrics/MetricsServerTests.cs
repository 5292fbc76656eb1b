using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Shouldly;
using Tessera.Metrics;
using Tessera.Tests.Proxy.Forwarding;
using Xunit;

namespace Tessera.Tests.Metrics;

public sealed class MetricsServerTests
{
    private readonly ConcurrentQueue<string> _log = [];

    [Fact]
    public async Task Serves_the_page_and_nothing_else()
    {
        IPEndPoint address = ScriptedServer.UnusedAddress();
        await using MetricsServer server = Start(address);
        await Eventually.BecomesTrueAsync(() => !_log.IsEmpty);
        using var http = new HttpClient();
        using HttpResponseMessage answer = await http.GetAsync(
            new Uri($"http://{address}/metrics"), TestContext.Current.CancellationToken);
        answer.Content.Headers.ContentType!.ToString().ShouldBe(PrometheusText.ContentType);
        (await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken))
            .ShouldBe("page\n");
        using HttpResponseMessage other = await http.GetAsync(
            new Uri($"http://{address}/daemon"), TestContext.Current.CancellationToken);
        other.StatusCode.ShouldBe(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task Waits_for_an_address_that_is_taken()
    {
        var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        await using MetricsServer server = Start((IPEndPoint)taken.LocalEndpoint);
        await Eventually.BecomesTrueAsync(() => !_log.IsEmpty);
        _log.Single().ShouldContain("cannot be served");
        taken.Stop();
        await Eventually.BecomesTrueAsync(() => _log.Count == 2);
        _log.Last().ShouldContain("are served on");
    }

    private MetricsServer Start(IPEndPoint address) =>
        MetricsServer.Start(address, () => "page\n", _log.Enqueue, TimeProvider.System);
}
