using System.Collections.Concurrent;
using Shouldly;
using Tessera.Proxy;
using Tessera.Stack;
using Tessera.Tests.Proxy.Forwarding;
using Tessera.Traces;
using Xunit;

namespace Tessera.Tests.Traces;

public sealed class TraceExporterTests
{
    private readonly ConcurrentQueue<string> _log = [];

    [Fact]
    public async Task A_collector_gets_a_server_span_and_a_client_span_for_each_try()
    {
        using var collector = new OtlpReceiver();
        using ScriptedServer server = ScriptedServer.Named("x");
        await RunAsync(collector.Url, async queue =>
        {
            await using ProxyFixture proxy = ProxyFixture.Start(
                [ScriptedServer.UnusedAddress(), server.Address],
                new ProxyOptions { Reactors = 1, Traces = queue });
            await proxy.GetAsync("/a?b=1");
        });

        OtlpReceiver.Span[] spans = [.. collector.Spans];
        spans.Select(s => s.Kind).ShouldBe([2ul, 3, 3]);
        spans.Select(s => s.TraceId).Distinct().ShouldHaveSingleItem().Length.ShouldBe(32);
        spans[0].ParentId.ShouldBeEmpty();
        spans[1].ParentId.ShouldBe(spans[0].Id);
        spans[2].ParentId.ShouldBe(spans[0].Id);
        spans.Select(s => s.Id).Distinct().Count().ShouldBe(3);
        spans[0].Name.ShouldBe("GET /");
        spans[0].Attributes["url.path"].ShouldBe("/a");
        spans[0].Attributes["url.query"].ShouldBe("b=1");
        spans[0].Attributes["http.response.status_code"].ShouldBe("200");
        spans[0].Status.ShouldBe(0ul);
        spans[1].Status.ShouldBe(2ul);
        spans[1].Attributes["error.type"].ShouldBe("502");
        spans[2].Attributes["tessera.instance"].ShouldBe("web-2");
        spans[2].Attributes["http.request.resend_count"].ShouldBe("1");
        spans[0].DurationNs.ShouldBeInRange(1ul, 60_000_000_000ul);
        collector.Resource["service.name"].ShouldBe("shop front");
        collector.Requests.ShouldHaveSingleItem()
            .ShouldBe("POST /v1/traces application/x-protobuf secret");
    }

    [Fact]
    public async Task Asks_again_when_the_collector_is_busy()
    {
        using var collector = new OtlpReceiver(503);
        using ScriptedServer server = ScriptedServer.Named("x");
        await RunAsync(collector.Url, async queue =>
        {
            await using ProxyFixture proxy = ProxyFixture.Start(
                [server.Address], new ProxyOptions { Reactors = 1, Traces = queue });
            await proxy.GetAsync();
            await Eventually.BecomesTrueAsync(() => collector.Spans.Count == 2);
        });
        collector.Requests.Count.ShouldBe(2);
        _log.ShouldBeEmpty();
    }

    [Fact]
    public async Task Says_once_that_traces_are_lost()
    {
        using var collector = new OtlpReceiver(400, 400);
        using ScriptedServer server = ScriptedServer.Named("x");
        await RunAsync(collector.Url, async queue =>
        {
            await using ProxyFixture proxy = ProxyFixture.Start(
                [server.Address], new ProxyOptions { Reactors = 1, Traces = queue });
            for (int i = 1; i <= 3; i++)
            {
                await proxy.GetAsync();
                await Eventually.BecomesTrueAsync(() => collector.Requests.Count == i);
            }
        });
        _log.Count.ShouldBe(2);
        _log.First().ShouldContain("are lost: it answers 400");
        _log.Last().ShouldContain("2 were lost");
    }

    [Theory]
    [InlineData("ftp://x", null)]
    [InlineData("127.0.0.1:4318", null)]
    [InlineData("http://127.0.0.1:4318", "2")]
    [InlineData("http://127.0.0.1:4318", "x")]
    public void Refuses_settings_that_make_no_sense(string url, string? ratio) =>
        Should.Throw<UserErrorException>(() => TraceSettings.Read(name => name switch
        {
            TraceSettings.Variable => url,
            TraceSettings.RatioVariable => ratio,
            _ => null,
        }));

    [Fact]
    public void Is_off_without_a_collector() => TraceSettings.Read(_ => null).ShouldBeNull();

    private async Task RunAsync(string url, Func<TraceQueue, Task> body)
    {
        TraceSettings settings = TraceSettings.Read(name => name switch
        {
            TraceSettings.Variable => url,
            "OTEL_EXPORTER_OTLP_HEADERS" => "x-key=secret",
            "OTEL_RESOURCE_ATTRIBUTES" => "service.name=shop%20front,deployment=test",
            _ => null,
        })!;
        var queue = new TraceQueue(settings.Ratio, 100);
        await using var exporter = new TraceExporter(
            settings, queue, _log.Enqueue, TimeProvider.System);
        await body(queue);
    }
}
