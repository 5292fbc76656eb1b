using Shouldly;
using Tessera.Proxy;
using Xunit;

namespace Tessera.Tests.Proxy.Forwarding;

public sealed class RetryTests
{
    [Fact]
    public async Task Goes_to_the_next_endpoint_when_one_refuses()
    {
        using ScriptedServer server = ScriptedServer.Named("alive");
        await using ProxyFixture proxy =
            ProxyFixture.Start([ScriptedServer.UnusedAddress(), server.Address]);
        for (int i = 0; i < 4; i++)
        {
            (await proxy.ExchangeAsync(
                "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n"
                + "Connection: close\r\n\r\nhi"))
                .ShouldEndWith("alive");
        }

        // It is avoided once it has refused.
        proxy.Status("web-1").Failures.ShouldBe(1);
        proxy.Status("web-2").Requests.ShouldBe(4);
    }

    [Fact]
    public async Task Tries_a_get_again_when_its_endpoint_dies_before_answering()
    {
        using ScriptedServer dying = ScriptedServer.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            connection.Reset();
        });
        using ScriptedServer alive = ScriptedServer.Named("alive");
        await using ProxyFixture proxy = ProxyFixture.Start(
            [dying.Address, alive.Address],
            backend: b => b with
            {
                Endpoints = [.. b.Endpoints.Select(e => e with { MaxFails = 0 })],
            });
        for (int i = 0; i < 6; i++)
        {
            (await proxy.GetAsync()).ShouldBe("alive");
        }

        dying.ConnectionCount.ShouldBe(3);
    }

    [Fact]
    public async Task Tries_a_put_again_that_was_received_as_a_whole()
    {
        using ScriptedServer dying = ScriptedServer.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            connection.Reset();
        });
        using ScriptedServer alive = ScriptedServer.Start(async connection =>
        {
            string body = await connection.ReadBodyAsync(await connection.ReadHeadAsync());
            await connection.SendAsync(
                $"HTTP/1.1 200 OK\r\nContent-Length: {body.Length}\r\n\r\n{body}");
        });
        await using ProxyFixture proxy = ProxyFixture.Start([dying.Address, alive.Address]);
        (await proxy.ExchangeAsync(
            "PUT / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"))
            .ShouldEndWith("\r\n\r\nhello");
    }

    [Fact]
    public async Task Does_not_try_a_post_again_that_was_sent()
    {
        int posts = 0;
        using ScriptedServer dying = ScriptedServer.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            Interlocked.Increment(ref posts);
            connection.Reset();
        });
        await using ProxyFixture proxy = ProxyFixture.Start([dying.Address, dying.Address]);
        string answer = await proxy.ExchangeAsync(
            "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi");
        answer.ShouldStartWith("HTTP/1.1 502 Bad Gateway\r\n");
        posts.ShouldBe(1);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    public async Task Does_not_let_one_request_kill_every_instance_again_and_again(int instances)
    {
        int deaths = 0;
        using ScriptedServer dying = ScriptedServer.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            Interlocked.Increment(ref deaths);
            connection.Reset();
        });
        await using ProxyFixture proxy = ProxyFixture.Start(
            Enumerable.Repeat(dying.Address, instances),
            backend: b => b with
            {
                IsManaged = true,
                Limits = new BackendLimits { HoldTimeoutMs = 3_000 },
            });
        (await proxy.GetAsync("/die")).ShouldStartWith("502 Bad Gateway");
        deaths.ShouldBe(2);
    }

    [Fact]
    public async Task Tries_a_get_again_when_the_only_instance_was_killed_and_is_back()
    {
        int requests = 0;
        using ScriptedServer server = ScriptedServer.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            if (Interlocked.Increment(ref requests) == 1)
            {
                connection.Reset();
                return;
            }

            await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nback");
        });
        await using ProxyFixture proxy = ProxyFixture.Start(
            [server.Address], backend: b => b with { IsManaged = true });
        (await proxy.GetAsync()).ShouldBe("back");
    }

    [Fact]
    public async Task Answers_502_when_an_endpoint_dies_after_an_interim_response()
    {
        using ScriptedServer server = ScriptedServer.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            await connection.SendAsync("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
        });
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        using ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        (await client.ReadHeadAsync()).ShouldStartWith("HTTP/1.1 103 ");
        (await client.ReadHeadAsync()).ShouldStartWith("HTTP/1.1 502 ");
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\nHost: test\r\n\r\n")]
    [InlineData("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\nhi")]
    public async Task Takes_a_new_connection_when_an_idle_one_was_closed(string request)
    {
        // Each connection serves one request and is closed without a word, as servers do whose
        // keep-alive time is over. A POST is safe once the close has arrived; a GET at any moment.
        int closed = 0;
        using ScriptedServer server = ScriptedServer.Start(async connection =>
        {
            await connection.ReadBodyAsync(await connection.ReadHeadAsync());
            await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            connection.Close();
            Interlocked.Increment(ref closed);
        });
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        using ScriptedConnection client = await proxy.ConnectAsync();
        for (int i = 1; i <= 50; i++)
        {
            await client.SendAsync(request);
            (await client.ReadResponseAsync()).Body.ShouldBe("ok");
            await Eventually.BecomesTrueAsync(
                () => request.StartsWith("GET", StringComparison.Ordinal) || closed == i);
        }

        proxy.Status("web-1").Failures.ShouldBe(0);
    }

    [Fact]
    public async Task Answers_502_when_no_endpoint_that_is_not_managed_is_reachable()
    {
        await using ProxyFixture proxy = ProxyFixture.Start(
            [ScriptedServer.UnusedAddress(), ScriptedServer.UnusedAddress()]);
        (await proxy.ExchangeAsync("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"))
            .ShouldStartWith("HTTP/1.1 502 Bad Gateway\r\n");
        proxy.Status("web-1").Requests.ShouldBe(1);
        proxy.Status("web-2").Requests.ShouldBe(1);
    }

    [Fact]
    public async Task Tries_no_more_endpoints_than_allowed()
    {
        await using ProxyFixture proxy = ProxyFixture.Start(
            [.. Enumerable.Range(0, 5).Select(_ => ScriptedServer.UnusedAddress())],
            backend: b => b with { Retry = new RetryConfig { Tries = 2 } });
        (await proxy.GetAsync()).ShouldStartWith("502");
        proxy.Server.GetStatus()[0].Endpoints.Sum(e => e.Requests).ShouldBe(2);
    }

    [Fact]
    public async Task Answers_504_when_the_endpoint_is_silent()
    {
        using ScriptedServer server = ScriptedServer.Start(c => c.ReadToEndAsync());
        await using ProxyFixture proxy = ProxyFixture.Start(
            [server.Address],
            backend: b => b with { Limits = new BackendLimits { ReadTimeoutMs = 200 } });
        (await proxy.GetAsync()).ShouldStartWith("504 Gateway Timeout");
    }

    [Theory]
    [InlineData("HTP/1.1 200 OK\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n")]
    public async Task Answers_502_to_what_is_no_response(string response)
    {
        using ScriptedServer server = ScriptedServer.Reply(_ => response);
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        (await proxy.GetAsync()).ShouldStartWith("502 Bad Gateway");
    }

    [Fact]
    public async Task Aborts_the_request_when_the_client_is_reset()
    {
        var ended = new TaskCompletionSource();
        using ScriptedServer server = ScriptedServer.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            try
            {
                await connection.ReadToEndAsync();
            }
            finally
            {
                ended.SetResult();
            }
        });
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        await Eventually.BecomesTrueAsync(() => server.ConnectionCount == 1);
        client.Reset();
        await ended.Task.WaitAsync(
            TimeSpan.FromSeconds(5), TestContext.Current.CancellationToken);
        await Eventually.BecomesTrueAsync(() => proxy.Status("web-1").InFlight == 0);
    }

    [Fact]
    public async Task Answers_a_client_that_has_ended_its_stream()
    {
        using ScriptedServer server = ScriptedServer.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            await Task.Delay(100);
            await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate");
        });
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        using ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        client.EndSending();
        (await client.ReadToEndAsync()).ShouldEndWith("\r\n\r\nlate");
    }
}
