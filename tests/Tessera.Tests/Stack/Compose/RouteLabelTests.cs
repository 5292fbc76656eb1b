using Shouldly;
using Tessera.Stack;
using Tessera.Stack.Routing;
using Xunit;

namespace Tessera.Tests.Stack.Compose;

public class RouteLabelTests
{
    [Fact]
    public void Aliyun_labels_route_and_scale()
    {
        Service web = ProjectFolder.Bind("""
            command: run
            expose: [8080/tcp]
            labels:
              aliyun.routing.port_8080: http://tomcat-sample;http://a.example.com/path
              aliyun.scale: '3'
            """);
        web.Scale.ShouldBe(3);
        web.TargetPorts.ShouldBe([8080]);
        web.Options.Routes.Select(Text).ShouldBe(
            ["tomcat-sample tomcat-sample.* / 8080", "a.example.com /path 8080"]);
    }

    [Theory]
    [InlineData("tessera.route.api: http://A.example.com/api", "a.example.com /api 0")]
    [InlineData("tessera.route.api: a.example.com", "a.example.com / 0")]
    [InlineData("tessera.route.api: /only", " /only 0")]
    [InlineData("tessera.route.api.path: ~ ^/x/(.*)$$", " ~ ^/x/(.*)$ 0")]
    [InlineData(
        "tessera.route.api.host: a, b\n  tessera.route.api.port: 90", "a b / 90")]
    public void Labels_say_what_the_file_says(string labels, string expected) =>
        Text(ProjectFolder.Bind($"command: run\nlabels:\n  {labels}").Options.Routes
            .ShouldHaveSingleItem()).ShouldBe(expected);

    [Fact]
    public void Labels_have_every_option_of_a_route()
    {
        RouteOptions route = ProjectFolder.Bind("""
            command: run
            labels:
              tessera.route.api: http://a.example.com/api
              tessera.route.api.when.methods: GET, POST
              tessera.route.api.when.headers.X-Beta: "1"
              tessera.route.api.rewrite.strip_prefix: /api
              tessera.route.api.headers.response.X.Y: v
              tessera.route.api.limits.rate: 5/s
              tessera.route.api.compression: "true"
            """).Options.Routes.ShouldHaveSingleItem();
        route.Methods.ShouldBe(["GET", "POST"]);
        route.Headers.ShouldBe([new RouteCondition("X-Beta", "1")]);
        route.Rules.Rewrite!.StripPrefix.ShouldBe("/api");
        route.Rules.Headers!.Response.ShouldBe([new HeaderLine("X.Y", "v")]);
        route.Rules.Limits!.Rates.ShouldHaveSingleItem().RequestsPerSecond.ShouldBe(5);
        route.Rules.Compression.ShouldNotBeNull();
    }

    [Theory]
    [InlineData("tessera.route.api: https://a", "must begin with http://")]
    [InlineData("tessera.route.api: http://a:80/", "names a port")]
    [InlineData("tessera.route.api.prot: 80", "did you mean \"port\"?")]
    [InlineData("tessera.route.api.port: many", "must be an integer, not \"many\"")]
    [InlineData("tessera.route.api.port.x: 1", "port")]
    [InlineData("aliyun.routing.port_x: http://a", "\"x\" is no port")]
    [InlineData("aliyun.scale: many", "must be 0 to 10000")]
    public void Mistakes_are_told_with_their_place(string label, string expected)
    {
        string error = ProjectFolder.ErrorOf($"command: run\nlabels:\n  {label}");
        error.ShouldStartWith("compose.yaml:5:");
        error.ShouldContain(expected);
    }

    private static string Text(RouteOptions route) =>
        $"{string.Join(' ', route.Hosts)} {route.Path} {route.Port ?? 0}";
}
