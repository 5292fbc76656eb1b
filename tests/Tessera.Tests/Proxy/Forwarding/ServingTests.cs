using System.Net;
using Shouldly;
using Tessera.Proxy;
using Xunit;

namespace Tessera.Tests.Proxy.Forwarding;

public class ServingTests
{
    [Fact]
    public async Task A_route_redirects_with_the_variables_of_the_request()
    {
        (string head, string body) = await AskAsync(
            "GET /old/page?q=1 HTTP/1.1\r\nHost: a.example:80\r\n\r\n",
            new RouteConfig { Redirect = new RedirectConfig("https://$host$request_uri", 301) });
        head.ShouldStartWith("HTTP/1.1 301 Moved Permanently\r\n");
        head.ShouldContain("\r\nLocation: https://a.example/old/page?q=1\r\n");
        body.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_route_answers_by_itself()
    {
        (string head, string body) = await AskAsync(
            "GET /x%2Fy/?name=v HTTP/1.1\r\nHost: a\r\n\r\n",
            new RouteConfig { Reply = new ReplyConfig(200, "$uri $arg_name $$") });
        head.ShouldStartWith("HTTP/1.1 200 OK\r\n");
        body.ShouldBe("/x/y/ v $");
    }

    [Theory]
    [InlineData("Content-Length: 10", false)]
    [InlineData("Content-Length: 65537", true)]
    [InlineData("Content-Length: 10\r\nExpect: 100-continue", true)]
    public async Task Reads_a_small_body_that_nobody_wants_and_keeps_the_connection(
        string fields, bool isClosed)
    {
        var route = new RouteConfig { Redirect = new RedirectConfig("/else", 307) };
        await using ProxyFixture proxy = ProxyFixture.Start(
            [], listener: l => l with { Routes = [route] });
        using ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync($"POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n01234");
        string head = await client.ReadHeadAsync();
        head.ShouldStartWith("HTTP/1.1 307 ");
        head.Contains("Connection: close", StringComparison.Ordinal).ShouldBe(isClosed);
        if (!isClosed)
        {
            await client.SendAsync("56789GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
            (await client.ReadHeadAsync()).ShouldStartWith("HTTP/1.1 307 ");
        }
    }

    [Theory]
    [InlineData("127.0.0.0/8", 403)]
    [InlineData("10.0.0.0/8", 200)]
    public async Task A_route_refuses_addresses(string network, int status)
    {
        var route = new RouteConfig
        {
            Reply = new ReplyConfig(200, "in"),
            Access = new AccessConfig
            {
                Addresses = [new AddressRule(false, IPNetwork.Parse(network))],
            },
        };
        (string head, _) = await AskAsync("GET / HTTP/1.1\r\nHost: a\r\n\r\n", route);
        head.ShouldStartWith($"HTTP/1.1 {status} ");
    }

    private static async Task<(string Head, string Body)> AskAsync(
        string request, RouteConfig route)
    {
        using ScriptedServer upstream = ScriptedServer.Named("upstream");
        await using ProxyFixture proxy = ProxyFixture.Start(
            [upstream.Address], listener: l => l with { Routes = [route] });
        using ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync(request);
        return await client.ReadResponseAsync();
    }
}
