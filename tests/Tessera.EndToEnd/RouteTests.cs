using Shouldly;
using Tessera.EndToEnd.Harness;
using Xunit;

namespace Tessera.EndToEnd;

/// <summary>Routes from labels and files, and services that share a port.</summary>
public sealed class RouteTests(TesseraHost host) : IClassFixture<TesseraHost>
{
    [Fact]
    public async Task Labels_of_a_container_service_route_to_as_many_instances_as_they_say()
    {
        int port = FreePorts.Next();
        await using ComposeProject project = host.Project($$"""
            x-tessera: { listen: ["{{port}}"] }
            services:
              tomcat:
                command: {{App.Whoami}}
                expose: ["8080/tcp"]
                labels:
                  aliyun.routing.port_8080: http://tomcat-sample;http://a.example.com/path
                  aliyun.scale: '3'
            """, "aliyun");
        await project.UpAsync();
        (await project.PsAsync()).Count.ShouldBe(3);

        string[] names = await Task.WhenAll(Enumerable.Range(0, 6).Select(async _ =>
            (await GetAsync(port, "tomcat-sample", "/")).Instance));
        names.Distinct().Count().ShouldBe(3);
        (await GetAsync(port, "tomcat-sample.localhost", "/x")).Status.ShouldBe(200);
        (await GetAsync(port, "a.example.com", "/path/x")).Status.ShouldBe(200);
        (await GetAsync(port, "a.example.com", "/other")).Status.ShouldBe(404);
        (await GetAsync(port, "b.example.com", "/")).Status.ShouldBe(404);
    }

    [Fact]
    public async Task Services_of_one_port_share_it_by_their_routes_also_across_projects()
    {
        int port = FreePorts.Next();
        await using ComposeProject shop = host.Project($$"""
            services:
              api:
                command: {{App.Whoami}}
                ports: ["{{port}}:80"]
                x-tessera:
                  rewrite: { strip_prefix: /api }
                  routes: { api: /api }
              web:
                command: {{App.Whoami}}
                ports: ["{{port}}:80"]
            """, "shop");
        await shop.UpAsync();
        HttpAnswer api = await GetAsync(port, "localhost", "/api/v1?q=1");
        api.Instance.ShouldStartWith("shop-api");
        api.Text.ShouldContain("GET /v1?q=1 HTTP/1.1");
        (await GetAsync(port, "localhost", "/")).Instance.ShouldStartWith("shop-web");

        await using ComposeProject blog = host.Project($$"""
            services:
              blog:
                command: {{App.Whoami}}
                ports: ["{{port}}:80"]
                labels: { tessera.route.blog: "http://blog.example.com" }
            """, "blog");
        await blog.UpAsync();
        (await GetAsync(port, "blog.example.com", "/")).Instance.ShouldStartWith("blog-blog");
        (await GetAsync(port, "localhost", "/")).Instance.ShouldStartWith("shop-web");

        blog.Write($$"""
            services:
              blog:
                command: {{App.Whoami}}
                ports: ["{{port}}:80"]
            """);
        CommandResult refused = await blog.RunAsync("up", "-d");
        refused.ExitCode.ShouldNotBe(0);
        refused.Errors.ShouldContain($"port {port} is already published by service web of project");
        (await GetAsync(port, "blog.example.com", "/")).Instance.ShouldStartWith("blog-blog");
    }

    private static async Task<HttpAnswer> GetAsync(int port, string host, string path)
    {
        using RawHttp http = await RawHttp.ConnectAsync(port);
        await http.SendAsync(
            $"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        return await http.ReadAnswerAsync();
    }
}
