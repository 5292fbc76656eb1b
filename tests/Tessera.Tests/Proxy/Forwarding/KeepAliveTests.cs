using Shouldly;
using Xunit;

namespace Tessera.Tests.Proxy.Forwarding;

public sealed class KeepAliveTests
{
    private const string Get = "GET /a HTTP/1.1\r\nHost: test\r\n\r\n";

    [Fact]
    public async Task Serves_many_requests_over_one_connection_on_each_side()
    {
        using ScriptedServer server = ScriptedServer.Named("one");
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        using ScriptedConnection client = await proxy.ConnectAsync();
        for (int i = 0; i < 20; i++)
        {
            await client.SendAsync(Get);
            (string head, string body) = await client.ReadResponseAsync();
            head.ShouldStartWith("HTTP/1.1 200 OK\r\n");
            body.ShouldBe("one");
        }

        server.ConnectionCount.ShouldBe(1);
        proxy.Status("web-1").Requests.ShouldBe(20);
        await Eventually.BecomesTrueAsync(() => proxy.Status("web-1").InFlight == 0);
    }

    [Fact]
    public async Task Answers_pipelined_requests_in_order()
    {
        using ScriptedServer server = ScriptedServer.Reply(head =>
        {
            string path = head.Split(' ')[1];
            return $"HTTP/1.1 200 OK\r\nContent-Length: {path.Length}\r\n\r\n{path}";
        });
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        using ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync(string.Concat(Enumerable.Range(0, 100)
            .Select(i => $"GET /{i} HTTP/1.1\r\nHost: test\r\n\r\n")));
        for (int i = 0; i < 100; i++)
        {
            (await client.ReadResponseAsync()).Body.ShouldBe($"/{i}");
        }
    }
}
