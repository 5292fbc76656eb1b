using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd.Features;

/// <summary>Which requests get a second chance, and which must not.</summary>
public sealed class RetryFeatureTests(TesseraHost host) : IClassFixture<TesseraHost>
{
    [Fact]
    public async Task A_5xx_goes_to_another_instance_when_the_file_says_so()
    {
        int port = FreePorts.Next();
        await using ComposeProject project = Pair(
            port, "retry: { on: [error, http_5xx] }", "fivexx");
        await project.UpAsync();
        MoodyApp[] apps = await MoodyApp.AllOfAsync(project);
        await apps[0].SetAsync("status=503");

        for (int i = 0; i < 10; i++)
        {
            HttpAnswer answer = await RawHttp.GetAsync(port, $"/again{i}");
            answer.Status.ShouldBe(200);
            answer.Instance.ShouldBe("fivexx-web-2");
        }

        (await apps[0].LogAsync()).Length.ShouldBe(5);
        string both = $"\"127.0.0.1:{apps[0].Port}, 127.0.0.1:{apps[1].Port}\"";
        (await project.UntilLoggedAsync(both, 5)).Length.ShouldBe(5);
        await Metrics.UntilAsync(host, "5 retries are counted", metrics =>
            metrics["tessera_retries_total", "fivexx/web"] == 5);
    }

    [Fact]
    public async Task A_5xx_is_the_clients_to_see_unless_the_file_says_otherwise()
    {
        int port = FreePorts.Next();
        await using ComposeProject project = Pair(port, "retry: true", "plain");
        await project.UpAsync();
        await (await MoodyApp.AllOfAsync(project))[0].SetAsync("status=503");

        int[] statuses =
        [
            (await RawHttp.GetAsync(port)).Status, (await RawHttp.GetAsync(port)).Status,
        ];

        statuses.Order().ShouldBe([200, 503]);
    }

    [Fact]
    public async Task A_get_that_was_cut_off_is_sent_again_and_a_post_is_not()
    {
        int port = FreePorts.Next();
        await using ComposeProject project = Pair(port, "hold_timeout: 1s", "cut");
        await project.UpAsync();
        MoodyApp[] apps = await MoodyApp.AllOfAsync(project);
        await apps[0].SetAsync("cut=1");

        for (int i = 0; i < 6; i++)
        {
            (await RawHttp.GetAsync(port, "/get")).Status.ShouldBe(200);
        }

        List<int> statuses = [];
        for (int i = 0; i < 6; i++)
        {
            statuses.Add((await RawHttp.AskAsync(port, $"POST /buy{i}", body: "one")).Status);
        }

        statuses.ShouldContain(502);
        statuses.ShouldContain(200);
        string[][] logs = await Task.WhenAll(apps.Select(app => app.LogAsync()));
        string[] sent = [.. logs.SelectMany(log => log).Where(line => line.StartsWith("POST"))];
        sent.Order().ShouldBe(Enumerable.Range(0, 6).Select(i => $"POST /buy{i} 3"));
        logs[0].ShouldContain("GET /get 0");
        logs[1].Count(line => line == "GET /get 0").ShouldBe(6);
    }

    [Fact]
    public async Task A_post_is_sent_again_with_its_whole_body_where_that_is_declared_harmless()
    {
        int port = FreePorts.Next();
        await using ComposeProject project = Pair(
            port, "retry: { on: [error, non_idempotent] }", "harmless");
        await project.UpAsync();
        MoodyApp[] apps = await MoodyApp.AllOfAsync(project);
        await apps[0].SetAsync("cut=1");
        string body = new('b', 40_000);

        for (int i = 0; i < 6; i++)
        {
            HttpAnswer answer = await RawHttp.AskAsync(port, "POST /save", body: body);
            answer.Status.ShouldBe(200);
            answer.Text.ShouldContain("Body: 40000\n");
        }

        (await apps[0].LogAsync()).ShouldContain("POST /save 40000");
    }

    [Fact]
    public async Task A_post_that_nobody_took_goes_to_who_does()
    {
        int port = FreePorts.Next();
        (MoodyApp app, RunningCommand process) = await MoodyApp.StartAsync(host, "alive");
        await using RunningCommand ends = process;
        await using ComposeProject project = host.Project($$"""
            services:
              legacy:
                ports: ["{{port}}:80"]
                x-tessera:
                  endpoints: ["127.0.0.1:{{FreePorts.Next()}}", "127.0.0.1:{{app.Port}}"]
                  max_fails: 0
            """, "refused");
        await project.UpAsync();

        for (int i = 0; i < 6; i++)
        {
            HttpAnswer answer = await RawHttp.AskAsync(port, "POST /order", body: "one");
            answer.Status.ShouldBe(200);
        }

        (await app.LogAsync()).ShouldBe(Enumerable.Repeat("POST /order 3", 6));
    }

    private ComposeProject Pair(int port, string option, string name) => host.Project($$"""
        services:
          web:
            command: {{App.Moody}}
            scale: 2
            ports: ["{{port}}:80"]
            x-tessera:
              {{option}}
        """, name);
}
