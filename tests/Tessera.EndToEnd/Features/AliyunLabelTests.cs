using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd.Features;

/// <summary>
/// The templates of Alibaba's container service, their images replaced by commands: one service
/// scaled, a server in front of others, and several services with one address.
/// </summary>
public sealed class AliyunLabelTests(TesseraHost host) : IClassFixture<TesseraHost>
{
    [Fact]
    public async Task One_service_is_scaled_and_routed_by_its_labels()
    {
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            x-tessera: { listen: ["{{port}}"] }
            services:
              tomcat-default:
                environment:
                  - CATALINA_HOME=/usr/local/tomcat
                expose:
                  - 8080/tcp
                command: {{App.Whoami}}
                labels:
                  aliyun.routing.port_8080: 'http://tomcat-sample'
                  aliyun.scale: '3'
                restart: always
                links:
                  - 'db:mysql'
              db:
                command: sleep 1000
                stop_grace_period: 0s
                environment:
                  MYSQL_ROOT_PASSWORD: password
                restart: always
                labels:
                  aliyun.logs: /var/log/mysql
            """, "sample");
        await project.UpAsync();

        HashSet<string> names = [];
        for (int i = 0; i < 6; i++)
        {
            HttpAnswer answer = await RawHttp.AskAsync(
                port, "GET /", "Host: tomcat-sample.example");
            answer.Status.ShouldBe(200);
            names.Add(answer.Instance);
        }

        names.Order().ShouldBe(Enumerable.Range(1, 3).Select(i => $"sample-tomcat-default-{i}"));
        (await RawHttp.AskAsync(port, "GET /", "Host: db")).Status.ShouldBe(404);
    }

    [Fact]
    public async Task A_server_in_front_and_applications_behind_it_are_routed_each_by_its_name()
    {
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            x-tessera: { listen: ["{{port}}"] }
            services:
              nginx:
                command: {{App.Whoami}}
                labels:
                  aliyun.routing.port_80: 'http://ngtomcat'
                  aliyun.scale: '2'
                ports:
                  - '80'
                links:
                  - 'tomcat1:tomcat1'
                  - 'tomcat2:tomcat2'
                restart: always
                extra_hosts:
                  - "tomcat1.if:162.242.195.82"
              tomcat1:
                environment:
                  - LANG=C.UTF-8
                command: {{App.Whoami}}
                labels:
                  aliyun.routing.port_8080: 'http://tomcat1'
                ports:
                  - '8080'
                restart: always
              tomcat2:
                command: {{App.Whoami}}
                labels:
                  aliyun.routing.port_8080: 'http://tomcat2'
                ports:
                  - '8080'
                restart: always
            """, "three");
        await project.UpAsync();

        HashSet<string> front = [];
        for (int i = 0; i < 4; i++)
        {
            front.Add((await RawHttp.AskAsync(port, "GET /", "Host: ngtomcat.example")).Instance);
        }

        front.Order().ShouldBe(["three-nginx-1", "three-nginx-2"]);
        (await RawHttp.AskAsync(port, "GET /", "Host: tomcat1")).Instance
            .ShouldBe("three-tomcat1-1");
        (await RawHttp.AskAsync(port, "GET /", "Host: tomcat2.ir")).Instance
            .ShouldBe("three-tomcat2-1");
    }

    [Fact]
    public async Task Services_with_one_address_share_its_requests_evenly()
    {
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            x-tessera: { listen: ["{{port}}"] }
            services:
              nginx:
                command: {{App.Whoami}}
                labels:
                  aliyun.routing.port_80: 'http://ngtomcat'
                  aliyun.scale: '2'
                ports:
                  - '80'
                links:
                  - 'tomcat1:tomcat1'
                  - 'tomcat2:tomcat2'
                  - 'tomcat3:tomcat3'
                restart: always
              tomcat1: &tomcat
                environment:
                  - LANG=C.UTF-8
                command: {{App.Whoami}}
                labels:
                  aliyun.scale: '2'
                  aliyun.routing.port_8080: 'http://tomcat.ir'
                ports:
                  - '8080'
                restart: always
              tomcat2: *tomcat
              tomcat3: *tomcat
            """, "same");
        await project.UpAsync();

        // On one connection: each reactor has a turn of its own.
        Dictionary<string, int> answers = await AskAsync(port, 60);
        answers.Keys.Order().ShouldBe(
            from service in Enumerable.Range(1, 3)
            from slot in Enumerable.Range(1, 2)
            select $"same-tomcat{service}-{slot}");
        answers.Values.ShouldAllBe(count => count == 10);
        (await project.PsAsync()).ShouldAllBe(row => row.IsActive);
        foreach (string gone in (string[])["tomcat1", "tomcat2"])
        {
            (await project.RunAsync("scale", gone + "=0")).ShouldSucceed();
            (await AskAsync(port, 12)).Keys.ShouldAllBe(
                name => !name.StartsWith($"same-{gone}", StringComparison.Ordinal));
        }

        (await project.RunAsync("stop", "tomcat3")).ShouldSucceed();
        HttpAnswer nobody = await RawHttp.AskAsync(port, "GET /", "Host: tomcat.ir");
        nobody.Status.ShouldBe(503);
        nobody.Text.ShouldContain("tomcat1 is scaled to 0");
    }

    /// <summary>Its instances end at SIGTERM with all that they have in flight.</summary>
    [Fact]
    public async Task One_of_the_services_is_stopped_and_comes_back_under_load()
    {
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            x-tessera: { listen: ["{{port}}"] }
            services:
              tomcat1: &tomcat
                command: {{App.Http("--answer-delay 0.02")}}
                labels: { aliyun.routing.port_8080: 'http://localhost' }
                ports: ['8080']
              tomcat2: *tomcat
              tomcat3: *tomcat
            """, "loaded");
        await project.UpAsync();
        Dictionary<string, int> pids = await project.PidsAsync();
        pids.Count.ShouldBe(3);
        await using LoadClient load = LoadClient.Start(port, new LoadOptions(Connections: 12));
        await load.UntilMoreAnswersAsync(100);

        (await project.RunAsync("stop", "tomcat2")).ShouldSucceed();
        await load.UntilMoreAnswersAsync(100);
        (await project.RunAsync("up", "-d", "--no-deps", "tomcat2")).ShouldSucceed();
        await load.UntilMoreAnswersAsync(100);
        (await project.RunAsync("restart", "tomcat1")).ShouldSucceed();
        await load.UntilMoreAnswersAsync(100);

        LoadReport report = (await load.StopAsync()).ShouldHaveNoFailure(atLeast: 400);
        report.ByInstance.Count.ShouldBe(5, report.ToString());
    }

    [Fact]
    public async Task Services_of_one_address_that_want_it_balanced_differently_are_told_so()
    {
        await using ComposeProject project = host.Project($$"""
            x-tessera: { listen: ["{{FreePorts.Next()}}"] }
            services:
              tomcat1: &tomcat
                command: {{App.Whoami}}
                labels: { aliyun.routing.port_8080: 'http://tomcat.ir' }
              tomcat2:
                <<: *tomcat
                x-tessera: { balance: least_conn }
            """, "differ");

        CommandResult up = (await project.RunAsync("up", "-d")).ShouldExitWith(2);

        up.Errors.ShouldContain("backend \"tomcat.ir\" is shared by service \"tomcat1\"");
        up.Errors.ShouldContain("by service \"tomcat2\", whose \"balance\" differs");
        (await project.PsAsync()).ShouldBeEmpty();
    }

    private static async Task<Dictionary<string, int>> AskAsync(int port, int count)
    {
        using RawHttp http = await RawHttp.ConnectAsync(port);
        Dictionary<string, int> answers = [];
        for (int i = 0; i < count; i++)
        {
            await http.SendAsync("GET / HTTP/1.1\r\nHost: tomcat.ir\r\n\r\n");
            HttpAnswer answer = await http.ReadAnswerAsync();
            answer.Status.ShouldBe(200);
            answers[answer.Instance] = answers.GetValueOrDefault(answer.Instance) + 1;
        }

        return answers;
    }
}
