using Shouldly;
using Tessera.Proxy;
using Xunit;

namespace Tessera.Tests.Proxy.Forwarding;

/// <summary>What a route does to messages on their way.</summary>
public class RouteEditTests
{
    [Fact]
    public async Task Rewrites_the_path_and_sets_fields_for_the_server()
    {
        string seen = await SeenByServerAsync(
            "GET /api/a%20b?q=1 HTTP/1.1\r\nHost: front\r\nX-Drop: 1\r\nX-Keep: 2\r\n"
            + "X-Real-IP: 1.2.3.4\r\nConnection: close\r\n\r\n",
            new RouteConfig
            {
                Backend = "web",
                Rewrite = new RewriteConfig { StripPrefix = "/api" },
                RequestHeaders =
                [
                    new FieldConfig("Host", "inner.example"), new FieldConfig("x-drop", ""),
                    new FieldConfig("X-Asked", "$uri of $http_host"),
                    new FieldConfig("X-Empty", "$arg_none"),
                    new FieldConfig("X-Forwarded-Proto", "https"),
                ],
            });
        seen.ShouldBe(
            "GET /a%20b?q=1 HTTP/1.1\r\nX-Keep: 2\r\nX-Real-IP: 127.0.0.1\r\n"
            + "X-Forwarded-For: 127.0.0.1\r\nHost: inner.example\r\n"
            + "X-Asked: /api/a b of front\r\nX-Forwarded-Proto: https\r\n\r\n");
    }

    [Fact]
    public async Task No_variable_carries_a_line_break_into_a_head()
    {
        string request = "GET /x%0d%0aX-Evil:%201 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        string seen = await SeenByServerAsync(request, new RouteConfig
        {
            Backend = "web",
            Rewrite = new RewriteConfig { AddPrefix = "/p" },
            RequestHeaders = [new FieldConfig("X-Uri", "$uri")],
        });
        seen.ShouldStartWith("GET /p/x%0D%0AX-Evil:%201 HTTP/1.1\r\n");
        seen.ShouldContain("\r\nX-Uri: /xX-Evil: 1\r\n");

        string redirected = await AnswerAsync(request, new RouteConfig
        {
            Redirect = new RedirectConfig("http://b$uri"),
            ResponseHeaders = [new FieldConfig("X-Uri", "$uri")],
        });
        redirected.ShouldContain("\r\nLocation: http://b/x%0D%0AX-Evil:%201\r\n");
        redirected.ShouldContain("\r\nX-Uri: /xX-Evil: 1\r\n");
    }

    [Fact]
    public async Task Adds_fields_to_responses_and_takes_others_away()
    {
        string answer = await AnswerAsync(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            new RouteConfig
            {
                Backend = "web",
                ResponseHeaders =
                [
                    new FieldConfig("SERVER", ""), new FieldConfig("X-Status", "$status"),
                    new FieldConfig("X-Good", "1", Always: false),
                ],
            },
            "HTTP/1.1 404 Not Found\r\nServer: app\r\nContent-Length: 2\r\n\r\nhi");
        answer.ShouldStartWith("HTTP/1.1 404 Not Found\r\n");
        answer.ShouldContain("\r\nX-Status: 404\r\n");
        answer.ShouldNotContain("Server: app");
        answer.ShouldNotContain("X-Good");
        answer.ShouldEndWith("\r\n\r\nhi");
    }

    [Fact]
    public async Task Names_groups_of_its_expression()
    {
        string answer = await AnswerAsync(
            "GET /u/anna/7 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            new RouteConfig
            {
                Path = new PathMatch(PathMatchKind.Regex, "^/u/([a-z]+)/(.*)$"),
                Redirect = new RedirectConfig("https://$1.example.com/$2", 308),
            });
        answer.ShouldStartWith("HTTP/1.1 308 Permanent Redirect\r\n");
        answer.ShouldContain("\r\nLocation: https://anna.example.com/7\r\n");
    }

    [Fact]
    public async Task A_wrong_method_is_told_the_right_ones() => (await AnswerAsync(
        "PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        new RouteConfig { Methods = ["GET", "POST"], Reply = new ReplyConfig(200, "x") }))
        .ShouldSatisfyAllConditions(
            answer => answer.ShouldStartWith("HTTP/1.1 405 Method Not Allowed\r\n"),
            answer => answer.ShouldContain("\r\nAllow: GET, POST\r\n"));

    [Fact]
    public async Task A_long_field_of_the_route_has_room()
    {
        string value = new('v', 12_000);
        string seen = await SeenByServerAsync(
            $"GET / HTTP/1.1\r\nHost: a\r\nX-Long: {value}\r\nConnection: close\r\n\r\n",
            new RouteConfig
            {
                Backend = "web",
                RequestHeaders = [new FieldConfig("X-Twice", "$http_x_long$http_x_long")],
            });
        seen.ShouldContain($"\r\nX-Twice: {value}{value}\r\n");
    }

    private static async Task<string> SeenByServerAsync(string request, RouteConfig route)
    {
        string seen = "";
        await AnswerAsync(request, route, head =>
        {
            seen = head;
            return "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        });
        return seen;
    }

    private static Task<string> AnswerAsync(
        string request, RouteConfig route, string answer = "") =>
        AnswerAsync(request, route, _ => answer);

    private static async Task<string> AnswerAsync(
        string request, RouteConfig route, Func<string, string> reply)
    {
        using ScriptedServer server = ScriptedServer.Reply(reply);
        await using ProxyFixture proxy = ProxyFixture.Start(
            [server.Address], listener: l => l with { Routes = [route] });
        return await proxy.ExchangeAsync(request);
    }
}
