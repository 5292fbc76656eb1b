using Shouldly;
using Tessera.Stack;
using Xunit;

namespace Tessera.Tests.Stack.Compose;

/// <summary>
/// Which services may stand behind one backend, and what is said when they may not.
/// </summary>
public class SharedBackendTests
{
    private const string Aliyun = "labels: { aliyun.routing.port_8080: 'http://Tomcat.ir/' }";

    [Fact]
    public void Services_with_one_address_of_alibabas_labels_share_its_backend()
    {
        using ProjectFolder folder = new($$"""
            services:
              one: { command: a, {{Aliyun}} }
              two: { command: b, labels: { aliyun.routing.port_80: 'tomcat.ir' } }
            """);
        Project project = folder.Load().Project;
        project.Services.Values.Select(s => s.Options.Routes.Single().Backend).ShouldBe(
            ["tomcat.ir", "tomcat.ir"]);
    }

    [Theory]
    [InlineData("x-tessera: { routes: { r: { host: a, backend: web } } }")]
    [InlineData("labels: { tessera.route.r: a, tessera.route.r.backend: web }")]
    public void Services_that_name_one_backend_share_it(string routes)
    {
        using ProjectFolder folder = new($$"""
            services:
              one: { command: a, expose: ["80"], {{routes}} }
              two: { command: b, expose: ["81"], {{routes}} }
            """);
        folder.Load().Project.Services.Values.Select(s => s.Options.Routes.Single().Backend)
            .ShouldBe(["web", "web"]);
    }

    [Theory]
    [InlineData("", "backend: x")]
    [InlineData("backend: x", "backend: y")]
    [InlineData("", "")]
    public void Requests_of_several_backends_stay_an_error(string one, string two)
    {
        using ProjectFolder folder = new($$"""
            services:
              one:
                { command: a, expose: ["80"], x-tessera: { routes: { r: { host: a, {{one}} } } } }
              two:
                { command: b, expose: ["80"], x-tessera: { routes: { r: { host: a, {{two}} } } } }
            """);
        folder.Error().ShouldContain("requests to a/ are claimed by service \"one\"");
    }

    [Theory]
    [InlineData("balance", "balance: least_conn")]
    [InlineData("sticky", "sticky: true")]
    [InlineData("health", "health: /healthz")]
    [InlineData("retry", "retry: { on: [error, http_503] }")]
    [InlineData("hold_timeout", "hold_timeout: 3s")]
    [InlineData("read_timeout", "read_timeout: 3s")]
    [InlineData("headers", "headers: { response: { X: y } }")]
    [InlineData("access", "access: { allow: [10.0.0.0/8] }")]
    [InlineData("limits", "limits: { rate: 5/s }")]
    public void What_the_backend_does_as_a_whole_must_be_the_same(string key, string option)
    {
        using ProjectFolder folder = new($$"""
            services:
              one:
                command: a
                {{Aliyun}}
              two:
                command: b
                {{Aliyun}}
                x-tessera:
                  {{option}}
            """);
        folder.Error().ShouldBe(
            $"compose.yaml:9:{9 + key.Length}: backend \"tomcat.ir\" is shared by service \"one\" "
            + "(compose.yaml:2:3) and by service \"two\", whose "
            + $"\"{key}\" differs: give both the same.");
    }

    [Fact]
    public void What_one_instance_may_carry_is_each_services_own()
    {
        using ProjectFolder folder = new($$"""
            services:
              one:
                command: a
                {{Aliyun}}
                x-tessera:
                  { retry: { on: [error] }, headers: { add: { A: b } }, access: { deny: [all] } }
              two:
                command: b
                {{Aliyun}}
                x-tessera:
                  retry: { on: [error] }
                  headers: { add: { A: b } }
                  access: { deny: [all] }
                  weights: [3]
                  max_conns: 5
                  drain_timeout: 1s
            """);
        folder.Load().Project.Services["two"].Options.Weights.ShouldBe([3]);
    }

    [Fact]
    public void One_service_shares_one_of_its_ports()
    {
        using ProjectFolder folder = new("""
            services:
              one:
                command: a
                x-tessera:
                  routes:
                    r: { path: /a, port: 80, backend: web }
                    s: { path: /b, port: 81, backend: web }
            """);
        folder.Error().ShouldContain(
            "service \"one\" leads to backend \"web\" by its ports 80 and 81");
    }

    [Theory]
    [InlineData("backend: a/b", "must be letters, digits")]
    [InlineData("backend: a, redirect: /x", "the route answers by itself")]
    public void Mistakes_are_told(string route, string expected) => ProjectFolder.ErrorOf(
        $"command: a\nexpose: [\"80\"]\nx-tessera: {{ routes: {{ r: {{ {route} }} }} }}")
        .ShouldContain(expected);
}
