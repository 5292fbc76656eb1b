using System.Diagnostics;
using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd.Features;

/// <summary>Who is asked how it is, who is avoided, and who never goes without.</summary>
public sealed class HealthFeatureTests(TesseraHost host) : IClassFixture<TesseraHost>
{
    [Fact]
    public async Task An_instance_that_is_not_ready_gets_nothing_and_lives_on()
    {
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            services:
              web:
                command: {{App.Moody}}
                scale: 2
                ports: ["{{port}}:80"]
                x-tessera:
                  health: { path: /health, body: well, interval: 100ms, rises: 2, falls: 2 }
            """, "asked");
        await project.UpAsync();
        IReadOnlyList<InstanceRow> before = await project.PsAsync();
        MoodyApp first = MoodyApp.Of(before[0]);

        await first.SetAsync("health=503");
        IReadOnlyList<InstanceRow> during = await project.UntilPsAsync(
            "the first gets nothing", rows => rows[0].Traffic == "out");
        during[1].IsActive.ShouldBeTrue();
        (await CountAsync(port, 20)).Keys.ShouldBe(["asked-web-2"]);
        during[0].Json.ShouldContain("/health answered 503");

        await first.SetAsync("health=200");
        await project.UntilPsAsync("the first is back", rows => rows.All(row => row.IsActive));
        (await CountAsync(port, 20)).Keys.Order().ShouldBe(["asked-web-1", "asked-web-2"]);
        IReadOnlyList<InstanceRow> after = await project.PsAsync();
        after.Select(row => row.Pid).ShouldBe(before.Select(row => row.Pid));
        after.ShouldAllBe(row => row.Restarts == 0);
    }

    [Fact]
    public async Task A_probe_that_all_fail_takes_nobody_out()
    {
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            services:
              web:
                command: {{App.Moody}}
                scale: 2
                ports: ["{{port}}:80"]
                x-tessera: { health: { path: /health, interval: 100ms, falls: 1 } }
            """, "allsick");
        await project.UpAsync();

        foreach (MoodyApp app in await MoodyApp.AllOfAsync(project))
        {
            await app.SetAsync("health=500");
        }

        await Metrics.UntilAsync(host, "both fail their probe", metrics =>
            metrics["tessera_endpoint_health", "allsick/web", "state=\"failing_probe\""] == 2);
        (await CountAsync(port, 10)).Count.ShouldBe(2);
    }

    [Fact]
    public async Task A_tcp_probe_sees_that_a_server_went_and_came_back()
    {
        int port = FreePorts.Next();
        int[] backends = [FreePorts.Next(), FreePorts.Next()];
        await using RunningCommand stays = Whoami(backends[0]);
        await using RunningCommand goes = Whoami(backends[1]);
        await Eventually.HoldsAsync("both listen", () => !backends.Any(FreePorts.IsFree));
        // Nothing but the probe can save a request here.
        await using ComposeProject project = host.Project($$"""
            services:
              legacy:
                ports: ["{{port}}:80"]
                x-tessera:
                  endpoints: ["127.0.0.1:{{backends[0]}}", "127.0.0.1:{{backends[1]}}"]
                  health: { type: tcp, interval: 100ms, rises: 1, falls: 1 }
                  max_fails: 0
                  retry: false
            """, "dialled");
        await project.UpAsync();

        await goes.SignalAsync("KILL");
        await Metrics.UntilAsync(host, "the probe has noticed", metrics => metrics[
            "tessera_endpoint_health", $":{backends[1]}", "state=\"failing_probe\""] == 1);
        await ShouldAllBeAsync(port, 20, 200);

        await using RunningCommand again = Whoami(backends[1]);
        await Metrics.UntilAsync(host, "the probe has noticed again", metrics => metrics[
            "tessera_endpoint_health", $":{backends[1]}", "state=\"well\""] == 1);
        await ShouldAllBeAsync(port, 20, 200);
        (await Metrics.ReadAsync(host))["tessera_endpoint_requests_total", $":{backends[1]}"]
            .ShouldBe(10);
    }

    [Fact]
    public async Task A_server_that_fails_requests_is_avoided_for_a_while()
    {
        int port = FreePorts.Next();
        (MoodyApp good, RunningCommand one) = await MoodyApp.StartAsync(host, "good");
        (MoodyApp bad, RunningCommand two) = await MoodyApp.StartAsync(host, "bad");
        await using RunningCommand ends = one;
        await using RunningCommand endsToo = two;
        await using ComposeProject project = host.Project($$"""
            services:
              legacy:
                ports: ["{{port}}:80"]
                x-tessera:
                  endpoints: ["127.0.0.1:{{good.Port}}", "127.0.0.1:{{bad.Port}}"]
                  max_fails: 2
                  fail_timeout: 2s
                  retry: { on: [error, http_500] }
            """, "avoided");
        await project.UpAsync();
        await bad.SetAsync("status=500");

        var watch = Stopwatch.StartNew();
        Dictionary<string, int> counts = await CountAsync(port, 40);
        watch.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(2), "the machine is too slow for this");
        counts.ShouldBe(new Dictionary<string, int> { ["good"] = 40 });
        (await bad.LogAsync()).Length.ShouldBe(2);

        await bad.SetAsync("status=200");
        await Eventually.HoldsAsync(
            "the bad one is used again", async () => (await CountAsync(port, 4)).Count == 2);
        watch.Elapsed.ShouldBeGreaterThan(TimeSpan.FromSeconds(1.9));
    }

    [Fact]
    public async Task Outliers_are_ejected_but_never_all_of_them()
    {
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            services:
              web:
                command: {{App.Moody}}
                scale: 3
                ports: ["{{port}}:80"]
                x-tessera:
                  outlier: { consecutive_failures: 3, ejection: 1500ms, max_ejected: 100 }
            """, "outlier");
        await project.UpAsync();
        MoodyApp[] apps = await MoodyApp.AllOfAsync(project);

        await apps[0].SetAsync("status=500");
        int failed = await CountStatusAsync(port, 30, 500);
        failed.ShouldBe(3);
        await Metrics.UntilAsync(host, "one is ejected", metrics =>
            metrics["tessera_endpoint_health", "outlier/web", "state=\"ejected\""] == 1);
        await apps[0].SetAsync("status=200");
        await Eventually.HoldsAsync(
            "it is used again", async () => (await CountAsync(port, 6)).Count == 3);

        foreach (MoodyApp app in apps)
        {
            await app.SetAsync("status=500");
        }

        await ShouldAllBeAsync(port, 40, 500);
        (await Metrics.ReadAsync(host))["tessera_endpoint_health", "outlier/web", "\"ejected\""]
            .ShouldBe(2);
    }

    private RunningCommand Whoami(int port) => host.Start("whoami", "--port", $"{port}");

    private static async Task<Dictionary<string, int>> CountAsync(int port, int requests)
    {
        Dictionary<string, int> counts = [];
        for (int i = 0; i < requests; i++)
        {
            HttpAnswer answer = await RawHttp.GetAsync(port);
            answer.Status.ShouldBe(200);
            counts[answer.Instance] = counts.GetValueOrDefault(answer.Instance) + 1;
        }

        return counts;
    }

    private static async Task ShouldAllBeAsync(int port, int requests, int status) =>
        (await CountStatusAsync(port, requests, status)).ShouldBe(requests);

    private static async Task<int> CountStatusAsync(int port, int requests, int status)
    {
        int count = 0;
        for (int i = 0; i < requests; i++)
        {
            count += (await RawHttp.GetAsync(port)).Status == status ? 1 : 0;
        }

        return count;
    }
}
