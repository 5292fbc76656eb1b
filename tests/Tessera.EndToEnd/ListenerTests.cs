using System.Net;
using System.Net.Sockets;
using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd;

/// <summary>Published ports and what stands behind them.</summary>
public sealed class ListenerTests(TesseraHost host) : IClassFixture<TesseraHost>
{
    [Fact]
    public async Task A_port_in_use_is_named_and_nothing_is_started()
    {
        using var taken = new TcpListener(IPAddress.Any, FreePorts.Next());
        taken.Start();
        int port = ((IPEndPoint)taken.LocalEndpoint).Port;
        await using ComposeProject project = host.Project($$"""
            services:
              web:
                command: {{App.Whoami}}
                ports: ["{{port}}:80"]
              other: { command: sleep 1000 }
            """, "taken");

        CommandResult up = await project.RunAsync("up", "-d");

        up.ShouldExitWith(1);
        up.Errors.ShouldContain($"{port}");
        (await project.PsAsync()).ShouldNotContain(row => row.Pid != 0);
        Processes.FindMarked(project.Folder).ShouldBeEmpty();
    }

    [Fact]
    public async Task Two_projects_cannot_publish_the_same_port()
    {
        int port = FreePorts.Next();
        string yaml = $$"""
            services:
              web:
                command: {{App.Whoami}}
                ports: ["{{port}}:80"]
            """;
        await using ComposeProject first = host.Project(yaml, "first");
        await using ComposeProject second = host.Project(yaml, "second");
        await first.UpAsync();

        CommandResult up = await second.RunAsync("up", "-d");

        up.ShouldExitWith(1);
        up.Errors.ShouldContain($"{port}");
        up.Errors.ShouldContain("first");
        (await RawHttp.GetAsync(port)).Instance.ShouldBe("first-web-1");
    }

    [Fact]
    public async Task Several_projects_run_at_once_and_go_one_by_one()
    {
        int[] ports = [FreePorts.Next(), FreePorts.Next()];
        string Yaml(int port) => $$"""
            services:
              web:
                command: {{App.Whoami}}
                ports: ["{{port}}:80"]
            """;
        await using ComposeProject red = host.Project(Yaml(ports[0]), "red");
        await using ComposeProject blue = host.Project(Yaml(ports[1]), "blue");
        await red.UpAsync();
        await blue.UpAsync();
        (await RawHttp.GetAsync(ports[0])).Instance.ShouldBe("red-web-1");
        (await RawHttp.GetAsync(ports[1])).Instance.ShouldBe("blue-web-1");

        (await red.RunAsync("down")).ShouldSucceed();

        FreePorts.IsFree(ports[0]).ShouldBeTrue();
        (await RawHttp.GetAsync(ports[1])).Instance.ShouldBe("blue-web-1");
    }

    [Fact]
    public async Task A_changed_published_port_moves_without_touching_the_process()
    {
        int[] ports = [FreePorts.Next(), FreePorts.Next()];
        string Yaml(int port) => $$"""
            services:
              web:
                command: {{App.Whoami}}
                ports: ["{{port}}:80"]
            """;
        await using ComposeProject project = host.Project(Yaml(ports[0]), "moved");
        await project.UpAsync();
        Dictionary<string, int> before = await project.PidsAsync();

        project.Write(Yaml(ports[1]));
        await project.UpAsync();

        (await RawHttp.GetAsync(ports[1])).Status.ShouldBe(200);
        FreePorts.IsFree(ports[0]).ShouldBeTrue();
        (await project.PidsAsync()).ShouldBe(before, ignoreOrder: true);
    }

    [Fact]
    public async Task A_port_range_and_a_host_address_are_listened_on_as_written()
    {
        int first = FreePorts.NextRange(2);
        int local = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            services:
              web:
                command: {{App.Whoami}}
                ports: ["{{first}}-{{first + 1}}:80-81", "127.0.0.2:{{local}}:80"]
                healthcheck: { disable: true }
            """, "ranges");
        await project.UpAsync();

        (await RawHttp.GetAsync(first)).Status.ShouldBe(200);
        using RawHttp there = await RawHttp.ConnectAsync(local, address: "127.0.0.2");
        await there.SendAsync("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        (await there.ReadAnswerAsync()).Status.ShouldBe(200);
        await Should.ThrowAsync<SocketException>(() => RawHttp.ConnectAsync(local));
        FreePorts.IsFree(first + 1).ShouldBeFalse();
    }

    [Fact]
    public async Task A_stopped_service_answers_503_at_once_and_says_when_to_come_back()
    {
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            services:
              web:
                command: {{App.Whoami}}
                ports: ["{{port}}:80"]
            """, "closed");
        await project.UpAsync();
        (await project.RunAsync("stop")).ShouldSucceed();

        HttpAnswer answer = await RawHttp.GetAsync(port, limit: TimeSpan.FromSeconds(3));
        answer.Status.ShouldBe(503);
        int.Parse(answer.Header("Retry-After")!).ShouldBeGreaterThan(0);

        (await project.RunAsync("start")).ShouldSucceed();
        (await RawHttp.GetAsync(port)).Instance.ShouldBe("closed-web-1");
    }

    [Fact]
    public async Task Requests_before_the_first_instance_is_ready_are_held_and_then_answered()
    {
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            services:
              web:
                command: {{App.Http("--start-delay 1")}}
                ports: ["{{port}}:80"]
            """, "early");
        await using RunningCommand up = project.Start("up", "-d");
        await Eventually.HoldsAsync("the port listens", () => !FreePorts.IsFree(port));

        HttpAnswer[] answers = await Task.WhenAll(
            Enumerable.Range(0, 20).Select(_ => RawHttp.GetAsync(port)));

        answers.ShouldAllBe(answer => answer.Status == 200);
        (await up.WaitAsync()).ShouldSucceed();
    }

    [Fact]
    public async Task Requests_beyond_the_queue_or_its_time_get_503_with_retry_after()
    {
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            services:
              web:
                command: {{App.Http("--start-delay 60")}}
                stop_grace_period: 0s
                x-tessera: { hold_timeout: 700ms, hold_queue: 4 }
                ports: ["{{port}}:80"]
            """, "queue");
        await using RunningCommand up = project.Start("up", "-d");
        await Eventually.HoldsAsync("the port listens", () => !FreePorts.IsFree(port));

        HttpAnswer[] answers = await Task.WhenAll(
            Enumerable.Range(0, 20).Select(_ => RawHttp.GetAsync(port)));

        answers.ShouldAllBe(answer => answer.Status == 503);
        answers.ShouldAllBe(answer => answer.Header("Retry-After") != null);
        await up.SignalAsync("INT");
        await up.WaitAsync();
    }
}
