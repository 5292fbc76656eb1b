using System.Globalization;
using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd.Features;

/// <summary>Who gets the next request, by what the file says.</summary>
public sealed class BalanceFeatureTests(TesseraHost host) : IClassFixture<TesseraHost>
{
    [Fact]
    public async Task A_cookie_keeps_a_client_on_its_instance_also_through_a_restart_of_others()
    {
        int port = FreePorts.Next();
        await using ComposeProject project = Moody(
            port, "sticky: { name: shop, path: /, lifetime: 1h }", 3, "sticky");
        await project.UpAsync();

        Dictionary<string, string> cookies = [];
        for (int i = 0; i < 3; i++)
        {
            HttpAnswer answer = await RawHttp.GetAsync(port);
            string field = answer.Header("Set-Cookie").ShouldNotBeNull();
            field.ShouldStartWith("shop=");
            field.ShouldContain("HttpOnly");
            field.ShouldContain("Max-Age=3600");
            field.ShouldContain("Path=/");
            cookies[answer.Instance] = field.Split(';')[0];
        }

        cookies.Count.ShouldBe(3);
        foreach ((string instance, string cookie) in cookies)
        {
            for (int i = 0; i < 5; i++)
            {
                HttpAnswer answer = await RawHttp.AskAsync(
                    port, "GET /", $"Cookie: a=b; {cookie}; c=d");
                answer.Instance.ShouldBe(instance);
                answer.Header("Set-Cookie").ShouldBeNull();
            }
        }

        await project.KillOneAsync("sticky-web-2");
        HttpAnswer moved = await RawHttp.AskAsync(
            port, "GET /", $"Cookie: {cookies["sticky-web-2"]}");
        moved.Status.ShouldBe(200);
        moved.Header("Set-Cookie").ShouldNotBeNull();
        HttpAnswer stayed = await RawHttp.AskAsync(
            port, "GET /", $"Cookie: {cookies["sticky-web-3"]}");
        stayed.Instance.ShouldBe("sticky-web-3");
        HttpAnswer forged = await RawHttp.AskAsync(port, "GET /", "Cookie: shop=forged");
        forged.Header("Set-Cookie").ShouldNotBeNull();
    }

    [Theory]
    [InlineData("hash")]
    [InlineData("hash_consistent")]
    public async Task A_hash_of_the_path_leads_to_one_instance_each(string algorithm)
    {
        int port = FreePorts.Next();
        await using ComposeProject project = Moody(
            port, $"hash_key: $$request_uri\n      balance: {algorithm}", 3, "hashed");
        await project.UpAsync();

        Dictionary<string, string> first = await MapAsync(port, 40);
        first.Values.Distinct().Count().ShouldBe(3);
        (await MapAsync(port, 40)).ShouldBe(first);
    }

    [Fact]
    public async Task A_consistent_hash_moves_only_a_share_when_instances_are_added()
    {
        int port = FreePorts.Next();
        await using ComposeProject project = Moody(
            port, "hash_key: $$arg_user\n      balance: hash_consistent", 3, "ring");
        await project.UpAsync();
        Dictionary<string, string> before = await MapAsync(port, 100);

        (await project.RunAsync("scale", "web=4")).ShouldSucceed();
        await project.UntilPsAsync("four are active", rows => rows.Count(row => row.IsActive) == 4);
        Dictionary<string, string> after = await MapAsync(port, 100);

        string[] moved = [.. before.Keys.Where(user => before[user] != after[user])];
        moved.Length.ShouldBeInRange(5, 50);
        moved.ShouldAllBe(user => after[user] == "ring-web-4");
    }

    [Theory]
    [InlineData("random")]
    [InlineData("random_two")]
    [InlineData("least_conn")]
    [InlineData("least_time")]
    [InlineData("fair")]
    [InlineData("round_robin")]
    public async Task Every_instance_gets_its_part(string algorithm)
    {
        int port = FreePorts.Next();
        await using ComposeProject project = Moody(port, $"balance: {algorithm}", 2, "part");
        await project.UpAsync();

        string[] names = [.. (await MapAsync(port, 60)).Values];

        names.GroupBy(name => name).Count().ShouldBe(2);
        if (algorithm is "least_conn" or "round_robin")
        {
            // The end of a request may be seen a moment after the client has its answer.
            names.Count(name => name == "part-web-1").ShouldBeInRange(27, 33);
        }
    }

    [Theory]
    [InlineData("least_conn")]
    [InlineData("random_two")]
    [InlineData("least_time")]
    public async Task A_busy_instance_gets_less(string algorithm)
    {
        int port = FreePorts.Next();
        await using ComposeProject project = Moody(port, $"balance: {algorithm}", 2, "less");
        await project.UpAsync();
        await (await MoodyApp.AllOfAsync(project))[0].SetAsync("delay=0.3");

        await using LoadClient load =
            LoadClient.Start(port, new LoadOptions(Connections: 8, PauseMs: 5));
        await load.UntilMoreAnswersAsync(300);

        LoadReport report = (await load.StopAsync()).ShouldHaveNoFailure(atLeast: 300);
        report.ByInstance["less-web-2"].ShouldBeGreaterThan(
            report.ByInstance.GetValueOrDefault("less-web-1") * 4, report.ToString());
    }

    [Fact]
    public async Task A_backup_serves_only_when_the_others_cannot()
    {
        int port = FreePorts.Next();
        (MoodyApp first, RunningCommand one) = await MoodyApp.StartAsync(host, "first");
        (MoodyApp spare, RunningCommand two) = await MoodyApp.StartAsync(host, "spare");
        await using RunningCommand ends = one;
        await using RunningCommand endsToo = two;
        await using ComposeProject project = host.Project($$"""
            services:
              legacy:
                ports: ["{{port}}:80"]
                x-tessera:
                  endpoints:
                    - "127.0.0.1:{{first.Port}}"
                    - { address: "127.0.0.1:{{spare.Port}}", backup: true }
            """, "backup");
        await project.UpAsync();

        (await MapAsync(port, 10)).Values.Distinct().ShouldBe(["first"]);
        await one.SignalAsync("KILL");
        await Eventually.HoldsAsync("the first one is gone", () => one.HasExited);
        (await MapAsync(port, 10)).Values.Distinct().ShouldBe(["spare"]);
    }

    [Fact]
    public async Task No_instance_gets_more_than_its_limit_and_the_others_wait()
    {
        int port = FreePorts.Next();
        await using ComposeProject project = Moody(port, "max_conns: 2", 2, "full");
        await project.UpAsync();
        MoodyApp[] apps = await MoodyApp.AllOfAsync(project);
        foreach (MoodyApp app in apps)
        {
            await app.SetAsync("delay=0.7");
        }

        Task<HttpAnswer>[] crowd =
            [.. Enumerable.Range(0, 6).Select(_ => RawHttp.GetAsync(port))];
        await Metrics.UntilAsync(host, "two are held", metrics =>
            metrics["tessera_held_requests", "full/web"] == 2);
        foreach (MoodyApp app in apps)
        {
            (await app.LogAsync()).Length.ShouldBe(2);
        }

        (await Task.WhenAll(crowd)).ShouldAllBe(answer => answer.Status == 200);
    }

    private ComposeProject Moody(int port, string options, int scale, string name) =>
        host.Project($$"""
            services:
              web:
                command: {{App.Moody}}
                scale: {{scale}}
                ports: ["{{port}}:80"]
                x-tessera:
                  {{options}}
            """, name);

    /// <summary>Who answered each of so many users.</summary>
    private static async Task<Dictionary<string, string>> MapAsync(int port, int users)
    {
        Dictionary<string, string> answers = [];
        for (int i = 0; i < users; i++)
        {
            string path = string.Create(CultureInfo.InvariantCulture, $"/?user={i}");
            HttpAnswer answer = await RawHttp.GetAsync(port, path);
            answer.Status.ShouldBe(200);
            answers[path] = answer.Instance;
        }

        return answers;
    }
}
