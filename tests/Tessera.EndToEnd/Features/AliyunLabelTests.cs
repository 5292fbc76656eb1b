using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd.Features;

/// <summary>
/// The templates of Alibaba's container service, their images replaced by commands: one service
/// scaled, and a server in front of others.
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
    public async Task Two_services_that_want_the_same_name_are_told_so_before_anything_starts()
    {
        string tomcat = $$"""
            command: {{App.Whoami}}
                labels: { aliyun.routing.port_8080: 'http://tomcat.ir' }
            """;
        await using ComposeProject project = host.Project($$"""
            x-tessera: { listen: ["{{FreePorts.Next()}}"] }
            services:
              tomcat1:
                {{tomcat}}
              tomcat2:
                {{tomcat}}
            """, "same");

        CommandResult up = (await project.RunAsync("up", "-d")).ShouldExitWith(2);

        up.Errors.ShouldContain("requests to tomcat.ir/ are claimed by service \"tomcat1\"");
        up.Errors.ShouldContain("by service \"tomcat2\"");
        (await project.PsAsync()).ShouldBeEmpty();
    }
}
