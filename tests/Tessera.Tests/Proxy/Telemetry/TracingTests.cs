using System.Text.RegularExpressions;
using Shouldly;
using Tessera.Proxy;
using Tessera.Tests.Proxy.Forwarding;
using Xunit;

namespace Tessera.Tests.Proxy.Telemetry;

public sealed partial class TracingTests
{
    private const string TraceId = "0af7651916cd43dd8448eb211c80319c";
    private const string Parent = "b7ad6b7169203331";

    [Fact]
    public async Task Passes_on_what_the_client_sent_without_tracing()
    {
        (string head, _) = await AskAsync(null, $"00-{TraceId}-{Parent}-01");
        head.ShouldContain($"\r\ntraceparent: 00-{TraceId}-{Parent}-01\r\n");
        head.ShouldContain("\r\ntracestate: a=b\r\n");
    }

    [Fact]
    public async Task Joins_the_trace_of_the_client()
    {
        (string head, RequestTrace? trace) =
            await AskAsync(new TraceQueue(0, 10), $"00-{TraceId}-{Parent}-01");
        Match sent = TraceParent().Match(head);
        sent.Groups["trace"].Value.ShouldBe(TraceId);
        sent.Groups["flags"].Value.ShouldBe("01");
        TraceParent().Count(head).ShouldBe(1);
        head.ShouldContain("\r\ntracestate: a=b\r\n");

        trace.ShouldNotBeNull();
        $"{trace.TraceHigh:x16}{trace.TraceLow:x16}".ShouldBe(TraceId);
        $"{trace.ParentId:x16}".ShouldBe(Parent);
        trace.TraceState.ShouldBe("a=b");
        trace.Status.ShouldBe(200);
        trace.Path.ShouldBe("/p");
        trace.Query.ShouldBe("q=1");
        TrySpan one = trace.Tries.ShouldHaveSingleItem();
        $"{one.Id:x16}".ShouldBe(sent.Groups["span"].Value);
        one.Id.ShouldNotBe(trace.SpanId);
        one.Instance.ShouldBe("web-1");
        one.HasAnswered.ShouldBeTrue();
        trace.StartNs.ShouldBeLessThanOrEqualTo(one.StartNs);
        one.StartNs.ShouldBeLessThan(one.EndNs);
        one.EndNs.ShouldBeLessThanOrEqualTo(trace.EndNs);
    }

    [Theory]
    [InlineData(1, "nonsense", "01")]
    [InlineData(0, "nonsense", "00")]
    [InlineData(1, $"00-{TraceId}-{Parent}-00", "00")]
    public async Task Samples_as_the_parent_or_else_by_its_ratio(
        double ratio, string parent, string flags)
    {
        (string head, RequestTrace? trace) = await AskAsync(new TraceQueue(ratio, 10), parent);
        Match sent = TraceParent().Match(head);
        sent.Groups["flags"].Value.ShouldBe(flags);
        sent.Groups["trace"].Value.ShouldNotBe(new string('0', 32));
        (trace is not null).ShouldBe(flags == "01");
    }

    [Fact]
    public async Task Has_a_span_for_each_try()
    {
        using ScriptedServer dying = ScriptedServer.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            connection.Reset();
        });
        using ScriptedServer alive = ScriptedServer.Named("x");
        var queue = new TraceQueue(1, 10);
        await using ProxyFixture proxy = ProxyFixture.Start(
            [dying.Address, alive.Address], new ProxyOptions { Reactors = 1, Traces = queue });
        await proxy.GetAsync();
        RequestTrace trace = await queue.Reader.ReadAsync(TestContext.Current.CancellationToken);
        trace.Tries.Select(t => (t.Status, t.HasAnswered)).ShouldBe([(502, false), (200, true)]);
        trace.Tries.Select(t => t.Id).Distinct().Count().ShouldBe(2);
    }

    [Fact]
    public async Task Drops_and_counts_what_finds_the_queue_full()
    {
        using ScriptedServer server = ScriptedServer.Named("x");
        var queue = new TraceQueue(1, 2);
        await using ProxyFixture proxy = ProxyFixture.Start(
            [server.Address], new ProxyOptions { Reactors = 1, Traces = queue });
        for (int i = 0; i < 5; i++)
        {
            await proxy.GetAsync();
        }

        await Eventually.BecomesTrueAsync(() => queue.Dropped == 3);
        proxy.Server.GetMetrics().DroppedTraces.ShouldBe(3);
    }

    /// <summary>What the endpoint got, and the trace when one was told of.</summary>
    private static async Task<(string Head, RequestTrace? Trace)> AskAsync(
        TraceQueue? queue, string parent)
    {
        string head = "";
        using ScriptedServer server = ScriptedServer.Reply(received =>
        {
            head = received;
            return "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
        });
        await using (ProxyFixture proxy = ProxyFixture.Start(
            [server.Address], new ProxyOptions { Reactors = 1, Traces = queue }))
        {
            await proxy.ExchangeAsync(
                $"GET /p?q=1 HTTP/1.1\r\nHost: t\r\ntraceparent: {parent}\r\ntracestate: a=b\r\n"
                + "Connection: close\r\n\r\n");
        }

        RequestTrace? trace = null;
        queue?.Reader.TryRead(out trace);
        return (head, trace);
    }

    [GeneratedRegex(
        "\r\ntraceparent: 00-(?<trace>[0-9a-f]{32})-(?<span>[0-9a-f]{16})-(?<flags>0[01])\r\n")]
    private static partial Regex TraceParent();
}
