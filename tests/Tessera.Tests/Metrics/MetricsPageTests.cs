using System.Text.RegularExpressions;
using Shouldly;
using Tessera.Metrics;
using Tessera.Tests.Proxy.Forwarding;
using Xunit;

namespace Tessera.Tests.Metrics;

public sealed partial class MetricsPageTests
{
    [Fact]
    public async Task Is_what_Prometheus_reads()
    {
        using ScriptedServer server = ScriptedServer.Named("x");
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        await proxy.GetAsync();
        await Eventually.BecomesTrueAsync(() => MetricsPage.Write(proxy.Server.GetMetrics())
            .Contains(
                "\ntessera_requests_total{route=\"/\",backend=\"web\",code=\"2xx\"} 1\n",
                StringComparison.Ordinal));
        string page = MetricsPage.Write(proxy.Server.GetMetrics());
        page.ShouldContain("\ntessera_request_duration_seconds_bucket"
            + "{route=\"/\",backend=\"web\",le=\"+Inf\"} 1\n");
        page.ShouldContain(
            "\ntessera_request_duration_seconds_count{route=\"/\",backend=\"web\"} 1");
        page.ShouldContain("\ntessera_endpoint_state"
            + "{backend=\"web\",endpoint=\"web-1\",state=\"active\"} 1\n");
        page.ShouldContain("\ntessera_endpoint_health"
            + "{backend=\"web\",endpoint=\"web-1\",state=\"ejected\"} 0\n");
        page.ShouldEndWith("\n");
        CheckForm(page);
    }

    [Fact]
    public void Buckets_add_up_and_labels_are_escaped()
    {
        string text = new PrometheusText()
            .Family("d_seconds", "histogram", "Times.")
            .Histogram([10, 100], [1, 2, 3], 1_500, ("name", "a\"b\\c\nd"))
            .ToString();
        text.ShouldBe("""
            # HELP d_seconds Times.
            # TYPE d_seconds histogram
            d_seconds_bucket{name="a\"b\\c\nd",le="0.01"} 1
            d_seconds_bucket{name="a\"b\\c\nd",le="0.1"} 3
            d_seconds_bucket{name="a\"b\\c\nd",le="+Inf"} 6
            d_seconds_sum{name="a\"b\\c\nd"} 1.5
            d_seconds_count{name="a\"b\\c\nd"} 6

            """);
    }

    [Fact]
    public void Knows_the_process()
    {
        ProcessStatistics process = ProcessStatistics.Read();
        process.CpuSeconds.ShouldBeGreaterThan(0);
        process.ResidentBytes.ShouldBeGreaterThan(1_000_000);
        process.OpenFiles.ShouldBeGreaterThan(3);
        process.Threads.ShouldBeGreaterThan(1);
        double now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        process.StartUnixSeconds.ShouldBeInRange(now - 100_000, now + 5);
    }

    /// <summary>Every sample follows the type of its family, and no series comes twice.</summary>
    private static void CheckForm(string page)
    {
        var types = new HashSet<string>();
        var series = new HashSet<string>();
        string family = "";
        foreach (string line in page.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.StartsWith("# TYPE ", StringComparison.Ordinal))
            {
                family = line.Split(' ')[2];
                types.Add(family).ShouldBeTrue(line);
            }
            else if (!line.StartsWith("# HELP ", StringComparison.Ordinal))
            {
                Match sample = Sample().Match(line);
                sample.Success.ShouldBeTrue(line);
                sample.Groups["name"].Value.ShouldStartWith(family);
                series.Add(line[..line.LastIndexOf(' ')]).ShouldBeTrue(line);
            }
        }
    }

    [GeneratedRegex(
        "^(?<name>[a-z_]+)(\\{([a-z]+=\"([^\"\\\\]|\\\\.)*\",?)+\\})? -?[0-9.E+-]+$")]
    private static partial Regex Sample();
}
