using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd.Features;

/// <summary>
/// The templates of Alibaba's container service, their images replaced by commands: one service
/// scaled, several behind one name, and a balancer of their own in front.
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
    public async Task Services_with_the_same_name_share_its_requests()
    {
        int port = FreePorts.Next();
        string Tomcat(int number) => $$"""
              tomcat{{number}}:
                command: {{App.Whoami}}
                labels:
                  aliyun.routing.port_8080: 'http://tomcat.ir'
                ports:
                  - '8080'
                restart: always
            """;
        await using ComposeProject project = host.Project($$"""
            x-tessera: { listen: ["{{port}}"] }
            services:
            {{Tomcat(1)}}
            {{Tomcat(2)}}
            {{Tomcat(3)}}
            """, "tomcats");
        await project.UpAsync();

        HashSet<string> names = [];
        for (int i = 0; i < 12; i++)
        {
            HttpAnswer answer = await RawHttp.AskAsync(port, "GET /", "Host: tomcat.ir");
            answer.Status.ShouldBe(200);
            names.Add(answer.Instance);
        }

        names.Order().ShouldBe(Enumerable.Range(1, 3).Select(i => $"tomcats-tomcat{i}-1"));
    }
}
