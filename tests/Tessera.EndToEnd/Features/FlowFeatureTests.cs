using System.Diagnostics;
using System.Globalization;
using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd.Features;

/// <summary>How much of a service a client may have.</summary>
public sealed class FlowFeatureTests(TesseraHost host) : IClassFixture<TesseraHost>
{
    [Fact]
    public async Task A_burst_is_served_at_once_and_the_rest_is_refused_client_by_client()
    {
        int port = FreePorts.Next();
        await using ComposeProject project = Moody(
            port, "limits: { rate: { requests: 6/m, burst: 4, nodelay: true } }", "burst");
        await project.UpAsync();

        int[] statuses = await AskAtOnceAsync(port, 12, "127.0.0.1");
        statuses.Count(status => status == 200).ShouldBe(5);
        statuses.Count(status => status == 429).ShouldBe(7);
        HttpAnswer refused = await RawHttp.GetAsync(port);
        refused.Status.ShouldBe(429);
        int.Parse(refused.Header("Retry-After")!, CultureInfo.InvariantCulture)
            .ShouldBeInRange(1, 11);
        (await RawHttp.AskAsync(port, "GET /", from: "127.0.0.2")).Status.ShouldBe(200);

        MoodyApp app = (await MoodyApp.AllOfAsync(project))[0];
        (await app.LogAsync()).Length.ShouldBe(6);
    }

    [Fact]
    public async Task A_burst_without_nodelay_waits_for_its_turn()
    {
        int port = FreePorts.Next();
        await using ComposeProject project = Moody(
            port, "limits: { rate: { requests: 10/s, burst: 6 } }", "delayed");
        await project.UpAsync();
        var watch = Stopwatch.StartNew();

        int[] statuses = await AskAtOnceAsync(port, 7, "127.0.0.1");

        statuses.ShouldAllBe(status => status == 200);
        watch.Elapsed.TotalSeconds.ShouldBeInRange(0.55, 5);
    }

    [Fact]
    public async Task A_rate_may_go_by_a_field_of_the_request_and_hold_for_one_route_only()
    {
        int port = FreePorts.Next();
        await using ComposeProject project = Moody(port, """
            routes:
                    all: { path: / }
                    login:
                      path: /login
                      limits: { rate: { requests: 1/m, key: "$$http_x_user", status: 503 } }
            """, "keyed");
        await project.UpAsync();

        (await AskAsUserAsync(port, "ann")).ShouldBe(200);
        (await AskAsUserAsync(port, "ann")).ShouldBe(503);
        (await AskAsUserAsync(port, "bob")).ShouldBe(200);
        (await RawHttp.GetAsync(port, "/other")).Status.ShouldBe(200);
        (await RawHttp.GetAsync(port, "/other")).Status.ShouldBe(200);
    }

    [Fact]
    public async Task Requests_at_once_are_counted_and_places_are_given_back()
    {
        int port = FreePorts.Next();
        await using ComposeProject project = Moody(port, "limits: { connections: 2 }", "atonce");
        await project.UpAsync();
        MoodyApp app = (await MoodyApp.AllOfAsync(project))[0];
        await app.SetAsync("delay=1.5");

        Task<int[]> crowd = AskAtOnceAsync(port, 5, "127.0.0.1");
        await Eventually.HoldsAsync(
            "two are served", async () => (await app.LogAsync()).Length == 2);
        Task<HttpAnswer> other = RawHttp.AskAsync(port, "GET /", from: "127.0.0.2");

        (await crowd).Order().ShouldBe([200, 200, 503, 503, 503]);
        (await other).Status.ShouldBe(200);
        await app.SetAsync("delay=0");
        (await RawHttp.GetAsync(port)).Status.ShouldBe(200);
    }

    [Fact]
    public async Task A_download_keeps_to_its_bandwidth()
    {
        int port = FreePorts.Next();
        int free = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            services:
              slow:
                command: {{App.Transfer}}
                ports: ["{{port}}:80"]
                x-tessera: { limits: { bandwidth: 400k, bandwidth_after: 100k } }
              fast:
                command: {{App.Transfer}}
                ports: ["{{free}}:80"]
            """, "bandwidth");
        await project.UpAsync();

        (await DownloadAsync(port, 700)).ShouldBeInRange(1.2, 2.5);
        (await DownloadAsync(port, 100)).ShouldBeLessThan(0.5);
        (await DownloadAsync(free, 700)).ShouldBeLessThan(0.5);
    }

    [Theory]
    [InlineData("Content-Length: 30000000\r\nExpect: 100-continue", "")]
    [InlineData("Content-Length: 10001", "begun")]
    public async Task A_body_that_is_too_long_is_refused_before_it_is_sent(
        string fields, string body)
    {
        int port = FreePorts.Next();
        await using ComposeProject project = Moody(port, "limits: { body: 10000 }", "toolong");
        await project.UpAsync();

        using RawHttp http = await RawHttp.ConnectAsync(port);
        await http.SendAsync($"POST /upload HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n{body}");
        (await http.ReadAnswerAsync()).Status.ShouldBe(413);

        (await RawHttp.AskAsync(port, "POST /upload", body: new string('x', 10_000)))
            .Status.ShouldBe(200);
        (await (await MoodyApp.AllOfAsync(project))[0].LogAsync()).ShouldBe(["POST /upload 10000"]);
    }

    [Fact]
    public async Task A_chunked_body_that_is_too_long_is_cut()
    {
        int port = FreePorts.Next();
        await using ComposeProject project = Moody(port, "limits: { body: 10k }", "chunked");
        await project.UpAsync();

        using RawHttp http = await RawHttp.ConnectAsync(port);
        await http.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        await http.SendAsync($"2000\r\n{new string('x', 0x2000)}\r\n2000\r\n");
        (await http.ReadAnswerAsync()).Status.ShouldBe(413);

        (await (await MoodyApp.AllOfAsync(project))[0].LogAsync()).ShouldBeEmpty();
    }

    private ComposeProject Moody(int port, string options, string name) => host.Project($$"""
        services:
          web:
            command: {{App.Moody}}
            ports: ["{{port}}:80"]
            x-tessera:
              {{options}}
        """, name);

    private static async Task<int[]> AskAtOnceAsync(int port, int requests, string from) =>
        await Task.WhenAll(Enumerable.Range(0, requests).Select(async _ =>
            (await RawHttp.AskAsync(port, "GET /", from: from)).Status));

    private static async Task<int> AskAsUserAsync(int port, string user) =>
        (await RawHttp.AskAsync(port, "GET /login", $"X-User: {user}")).Status;

    /// <summary>Seconds that so many KiB take.</summary>
    private static async Task<double> DownloadAsync(int port, int kibibytes)
    {
        var watch = Stopwatch.StartNew();
        HttpAnswer answer = await RawHttp.GetAsync(port, $"/?bytes={kibibytes * 1_024}");
        answer.BodyLength.ShouldBe(kibibytes * 1_024);
        return watch.Elapsed.TotalSeconds;
    }
}
