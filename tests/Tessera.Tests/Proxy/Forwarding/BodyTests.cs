using System.Text;
using Shouldly;
using Tessera.Proxy;
using Xunit;

namespace Tessera.Tests.Proxy.Forwarding;

public sealed class BodyTests
{
    [Fact]
    public async Task Relays_a_body_with_length_both_ways()
    {
        using ScriptedServer server = ScriptedServer.Start(async connection =>
        {
            string head = await connection.ReadHeadAsync();
            string body = await connection.ReadBodyAsync(head);
            await connection.SendAsync(
                $"HTTP/1.1 200 OK\r\nContent-Length: {body.Length}\r\n\r\n{body}");
        });
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        string sent = new('x', 300_000);
        string answer = await proxy.ExchangeAsync(
            "POST / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n"
            + $"Content-Length: {sent.Length}\r\n\r\n{sent}");
        answer[(answer.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..].ShouldBe(sent);
    }

    [Fact]
    public async Task Relays_chunks_as_they_are_both_ways()
    {
        const string Chunks = "5;note=1\r\nhello\r\nA\r\n, chunked!\r\n0\r\nX-Sum: 1\r\n\r\n";
        var received = new TaskCompletionSource<string>();
        using ScriptedServer server = ScriptedServer.Start(async connection =>
        {
            string head = await connection.ReadHeadAsync();
            head.ShouldContain("Transfer-Encoding: chunked\r\n");
            received.SetResult(await connection.ReadUntilAsync("X-Sum: 1\r\n\r\n"));
            await connection.SendAsync(
                $"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{Chunks}");
            await connection.ReadHeadAsync();
        });
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        using ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync(
            "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n");
        foreach (char c in Chunks)
        {
            await client.SendAsync(c.ToString());
        }

        (await received.Task).ShouldBe(Chunks);
        string head = await client.ReadHeadAsync();
        head.ShouldContain("Transfer-Encoding: chunked\r\n");
        (await client.ReadUntilAsync("X-Sum: 1\r\n\r\n")).ShouldBe(Chunks);
    }

    [Fact]
    public async Task Keeps_what_is_pipelined_behind_a_chunked_body()
    {
        using ScriptedServer server = ScriptedServer.Reply(head =>
        {
            string path = head.Split(' ')[1];
            return $"HTTP/1.1 200 OK\r\nContent-Length: {path.Length}\r\n\r\n{path}";
        });
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        using ScriptedConnection client = await proxy.ConnectAsync();
        string chunk = new('y', 10_000);
        await client.SendAsync(
            "POST /a HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n");
        await client.SendAsync(
            $"2710\r\n{chunk}\r\n0\r\n\r\nGET /b HTTP/1.1\r\nHost: test\r\n\r\n");
        (await client.ReadResponseAsync()).Body.ShouldBe("/a");
        (await client.ReadResponseAsync()).Body.ShouldBe("/b");
    }

    [Fact]
    public async Task Serves_a_request_that_fills_the_buffer_behind_a_chunked_body()
    {
        using ScriptedServer server = ScriptedServer.Reply(head =>
        {
            string path = head.Split(' ')[1];
            return $"HTTP/1.1 200 OK\r\nContent-Length: {path.Length}\r\n\r\n{path}";
        });

        // The relay buffer is twice that of a head: what comes behind the body fills it.
        var options = new ProxyOptions
        {
            Reactors = 1,
            MaxHeadBytes = 8_192,
            RelayBufferBytes = 0,
        };
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address], options);
        using ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync(
            "POST /a HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n");
        await Eventually.BecomesTrueAsync(() => server.ConnectionCount == 1);
        string next = "POST /b HTTP/1.1\r\nHost: test\r\nContent-Length: 40000\r\n\r\n"
            + new string('z', 40_000);
        await client.SendAsync($"0\r\n\r\n{next}");
        (await client.ReadResponseAsync()).Body.ShouldBe("/a");
        (await client.ReadResponseAsync()).Body.ShouldBe("/b");
        await Eventually.BecomesTrueAsync(() => proxy.Status("web-1").InFlight == 0);
    }

    [Fact]
    public async Task Takes_the_chunks_off_for_an_http_1_0_client()
    {
        using ScriptedServer server = ScriptedServer.Reply(_ =>
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            + "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n");
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        string answer = await proxy.ExchangeAsync(
            "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        answer.ShouldNotContain("Transfer-Encoding");
        answer.ShouldContain("\r\nConnection: close\r\n");
        answer.ShouldEndWith("\r\n\r\nhello world");
    }

    [Fact]
    public async Task Takes_the_chunks_off_when_they_come_in_pieces()
    {
        string data = new('z', 100_000);
        using ScriptedServer server = ScriptedServer.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            await connection.SendAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1");
            await connection.SendAsync($"86A0\r\n{data}\r");
            await connection.SendAsync("\n0\r\n\r\n");
            await connection.ReadHeadAsync();
        });
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        string answer = await proxy.ExchangeAsync("GET / HTTP/1.0\r\n\r\n");
        answer.ShouldEndWith("\r\n\r\n" + data);
    }

    [Fact]
    public async Task Keeps_an_http_1_0_connection_that_asks_for_it()
    {
        using ScriptedServer server = ScriptedServer.Named("one");
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        using ScriptedConnection client = await proxy.ConnectAsync();
        for (int i = 0; i < 3; i++)
        {
            await client.SendAsync("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
            (string head, string body) = await client.ReadResponseAsync();
            head.ShouldContain("\r\nConnection: keep-alive\r\n");
            body.ShouldBe("one");
        }
    }

    [Fact]
    public async Task Relays_a_response_that_ends_with_its_connection()
    {
        using ScriptedServer server = ScriptedServer.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            await connection.SendAsync("HTTP/1.0 200 OK\r\nServer: old\r\n\r\nuntil");
            await connection.SendAsync(" the end");
        });
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        string answer = await proxy.ExchangeAsync("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        answer.ShouldStartWith("HTTP/1.1 200 OK\r\n");
        answer.ShouldContain("\r\nConnection: close\r\n");
        answer.ShouldEndWith("\r\n\r\nuntil the end");
    }

    [Theory]
    [InlineData("HEAD", "200 OK", "Content-Length: 5\r\n")]
    [InlineData("HEAD", "200 OK", "Transfer-Encoding: chunked\r\n")]
    [InlineData("GET", "204 No Content", "")]
    [InlineData("GET", "304 Not Modified", "Content-Length: 5\r\n")]
    public async Task Expects_no_body_where_there_is_none(
        string method, string status, string field)
    {
        string reply = $"HTTP/1.1 {status}\r\nDate: today\r\n{field}\r\n";
        using ScriptedServer server = ScriptedServer.Reply(_ => reply);
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        using ScriptedConnection client = await proxy.ConnectAsync();
        for (int i = 0; i < 3; i++)
        {
            await client.SendAsync($"{method} / HTTP/1.1\r\nHost: test\r\n\r\n");
            (await client.ReadHeadAsync()).ShouldBe(reply);
        }

        server.ConnectionCount.ShouldBe(1);
    }

    [Fact]
    public async Task Answers_100_and_then_relays_the_body()
    {
        using ScriptedServer server = ScriptedServer.Start(async connection =>
        {
            string head = await connection.ReadHeadAsync();
            head.ShouldNotContain("Expect");
            string body = await connection.ReadBodyAsync(head);
            await connection.SendAsync(
                $"HTTP/1.1 200 OK\r\nContent-Length: {body.Length}\r\n\r\n{body}");
            await connection.ReadHeadAsync();
        });
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        using ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync(
            "PUT / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
        (await client.ReadHeadAsync()).ShouldBe("HTTP/1.1 100 Continue\r\n\r\n");
        await client.SendAsync("hello");
        (await client.ReadResponseAsync()).Body.ShouldBe("hello");
    }

    [Fact]
    public async Task Refuses_without_100_when_nothing_serves_the_address()
    {
        await using ProxyFixture proxy = ProxyFixture.Start(
            [], listener: l =>
                l with { Routes = [new RouteConfig { Backend = "web", Host = "a" }] });
        using ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync(
            "PUT / HTTP/1.1\r\nHost: b\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
        string head = await client.ReadHeadAsync();
        head.ShouldStartWith("HTTP/1.1 404 Not Found\r\n");
        head.ShouldContain("\r\nConnection: close\r\n");
    }

    [Fact]
    public async Task Passes_interim_responses_on()
    {
        using ScriptedServer server = ScriptedServer.Reply(_ =>
            "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
            + "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        using ScriptedConnection client = await proxy.ConnectAsync();
        for (int i = 0; i < 2; i++)
        {
            await client.SendAsync("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
            (await client.ReadHeadAsync()).ShouldBe(
                "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n");
            (await client.ReadResponseAsync()).Body.ShouldBe("ok");
        }

        // HTTP/1.0 knows no interim responses.
        (await proxy.ExchangeAsync("GET / HTTP/1.0\r\n\r\n")).ShouldStartWith(
            "HTTP/1.1 200 OK\r\n");
    }

    [Fact]
    public async Task Keeps_what_is_for_its_own_hop_from_interim_responses()
    {
        using ScriptedServer server = ScriptedServer.Reply(_ =>
            "HTTP/1.1 103 Early Hints\r\nConnection: close, X-Hop\r\nLink: </a.css>\r\n"
            + "X-Hop: 1\r\nContent-Length: 7\r\nKeep-Alive: 5\r\n\r\n"
            + "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        using ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        (await client.ReadHeadAsync()).ShouldBe(
            "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n");
        (await client.ReadResponseAsync()).Body.ShouldBe("ok");
    }

    [Fact]
    public async Task Relays_an_answer_that_comes_before_the_request_is_whole()
    {
        using ScriptedServer server = ScriptedServer.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            await connection.SendAsync(
                "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig");
            await connection.ReadToEndAsync();
        });
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        using ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync(
            "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 50000000\r\n\r\nstart");
        (string head, string body) = await client.ReadResponseAsync();
        head.ShouldStartWith("HTTP/1.1 413 ");
        head.ShouldContain("\r\nConnection: close\r\n");
        body.ShouldBe("big");
        (await client.ReadToEndAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task Goes_on_with_the_body_after_an_interim_response()
    {
        using ScriptedServer server = ScriptedServer.Start(async connection =>
        {
            string head = await connection.ReadHeadAsync();
            await connection.SendAsync("HTTP/1.1 102 Processing\r\n\r\n");
            string body = await connection.ReadBodyAsync(head);
            await connection.SendAsync(
                $"HTTP/1.1 200 OK\r\nContent-Length: {body.Length}\r\n\r\n{body}");
            await connection.ReadHeadAsync();
        });
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        using ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nfirst");
        (await client.ReadHeadAsync()).ShouldStartWith("HTTP/1.1 102 ");
        await client.SendAsync(" half");
        (await client.ReadResponseAsync()).Body.ShouldBe("first half");
    }

    [Fact]
    public async Task Refuses_a_body_whose_chunks_break_their_framing()
    {
        using ScriptedServer server = ScriptedServer.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            await connection.ReadToEndAsync();
        });
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        using ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync(
            "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
        await client.SendAsync("zz\r\n");
        (await client.ReadHeadAsync()).ShouldStartWith("HTTP/1.1 400 Bad Request\r\n");
        (await client.ReadToEndAsync()).ShouldContain("body");
    }

    [Fact]
    public async Task Cuts_the_client_off_when_a_response_is_cut_short()
    {
        using ScriptedServer server = ScriptedServer.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this");
        });
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        using ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        await Should.ThrowAsync<System.Net.Sockets.SocketException>(async () =>
        {
            await client.ReadToEndAsync();
        });
    }

    [Fact]
    public async Task Streams_large_bodies_both_ways_in_little_memory()
    {
        const int Length = 64 * 1_024 * 1_024;
        byte[] piece = Encoding.ASCII.GetBytes(new string('p', 64 * 1_024));
        using ScriptedServer server = ScriptedServer.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            byte[] buffer = new byte[256 * 1_024];
            for (long left = Length; left > 0;)
            {
                left -= await connection.ReadSomeAsync(buffer);
            }

            await connection.SendAsync($"HTTP/1.1 200 OK\r\nContent-Length: {Length}\r\n\r\n");
            for (int sent = 0; sent < Length; sent += piece.Length)
            {
                await connection.SendAsync(piece);
            }
        });
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        using ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync(
            $"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: {Length}\r\n\r\n");
        for (int sent = 0; sent < Length; sent += piece.Length)
        {
            await client.SendAsync(piece);
        }

        (await client.ReadHeadAsync()).ShouldStartWith("HTTP/1.1 200 OK\r\n");
        byte[] received = new byte[256 * 1_024];
        long total = 0;
        while (total < Length)
        {
            int count = await client.ReadSomeAsync(received);
            count.ShouldBeGreaterThan(0);
            received.AsSpan(0, count).ContainsAnyExcept((byte)'p').ShouldBeFalse();
            total += count;
        }

        total.ShouldBe(Length);
    }

    [Fact]
    public async Task Refuses_a_flood_of_interim_responses()
    {
        string hints = string.Concat(Enumerable.Repeat(
            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 100));
        using ScriptedServer server = ScriptedServer.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            for (int i = 0; i < 1_000; i++)
            {
                await connection.SendAsync(hints);
            }
        });
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        using ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        string answer = await client.ReadToEndAsync();
        answer.Length.ShouldBeLessThan(70_000);
        await Eventually.BecomesTrueAsync(() => proxy.Status("web-1").Failures == 1);
    }
}
