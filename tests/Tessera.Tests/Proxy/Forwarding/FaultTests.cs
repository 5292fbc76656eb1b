using System.Collections.Concurrent;
using Shouldly;
using Tessera.Proxy;
using Tessera.Tests.Proxy.Reactor;
using Xunit;

namespace Tessera.Tests.Proxy.Forwarding;

/// <summary>
/// The whole flow over a poller that makes everything go wrong that a network can.
/// </summary>
public sealed class FaultTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task Serves_everything_right_in_pieces_and_with_delays(int seed)
    {
        using ScriptedServer server = ScriptedServer.Start(EchoAsync);
        var faults = new Faults(seed) { ShortReads = 700, Delays = 300 };
        await using ProxyFixture proxy = Start(server, faults);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(c => Task.Run(async () =>
        {
            var random = new Random((seed * 100) + c);
            using ScriptedConnection client = await proxy.ConnectAsync();
            for (int i = 0; i < 25; i++)
            {
                (string request, string expected) = MakeRequest(random);
                await client.SendAsync(request);
                (string head, string body) = await client.ReadResponseAsync();
                head.ShouldStartWith("HTTP/1.1 200 OK\r\n", customMessage: $"seed {seed}");
                body.ShouldBe(expected, $"seed {seed}");
            }
        })));
        await SettlesAsync(proxy);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task Settles_after_resets_anywhere(int seed)
    {
        using ScriptedServer server = ScriptedServer.Start(EchoAsync);
        var faults = new Faults(seed) { ShortReads = 300, Delays = 200, Resets = 30 };
        await using ProxyFixture proxy = Start(server, faults);
        var wrong = new ConcurrentBag<string>();
        int right = 0;
        await Task.WhenAll(Enumerable.Range(0, 8).Select(c => Task.Run(async () =>
        {
            var random = new Random((seed * 100) + c);
            for (int i = 0; i < 25; i++)
            {
                (string request, string expected) = MakeRequest(random);
                try
                {
                    using ScriptedConnection client = await proxy.ConnectAsync();
                    await client.SendAsync(request);
                    (string head, string body) = await client.ReadResponseAsync();
                    if (head.StartsWith("HTTP/1.1 200 ", StringComparison.Ordinal)
                        && body.Length == expected.Length)
                    {
                        Interlocked.Increment(ref right);
                        if (body != expected)
                        {
                            wrong.Add(body);
                        }
                    }
                }
                catch (System.Net.Sockets.SocketException)
                {
                    // The client's own connection was the one that was reset.
                }
            }
        })));
        wrong.ShouldBeEmpty($"seed {seed}");
        right.ShouldBeGreaterThan(50, $"seed {seed}");
        await SettlesAsync(proxy);
    }

    [Fact]
    public async Task Goes_on_accepting_when_descriptors_ran_out_for_a_while()
    {
        var lines = new ConcurrentQueue<string>();
        using ScriptedServer server = ScriptedServer.Named("ok");
        var options = new ProxyOptions { Reactors = 1, ErrorLog = lines.Enqueue };
        await using ProxyFixture proxy = Start(
            server, new Faults(7) { TooManyFiles = 300 }, options);
        for (int i = 0; i < 10; i++)
        {
            (await proxy.GetAsync()).ShouldBe("ok");
        }

        lines.ShouldContain(l => l.Contains("too many open files"));
    }

    private static ProxyFixture Start(
        ScriptedServer server, Faults faults, ProxyOptions? options = null) =>
        ProxyFixture.Start([server.Address], server: new ProxyServer(
            options ?? new ProxyOptions { Reactors = 1 },
            buffers => new FaultyPoller(buffers, faults)));

    private static (string Request, string Expected) MakeRequest(Random random)
    {
        string body = string.Concat(Enumerable.Range(0, random.Next(1, 3_000)));
        string head = $"PUT /{random.Next()} HTTP/1.1\r\nHost: test\r\n";
        return random.Next(3) switch
        {
            0 => ($"{head}Content-Length: 0\r\n\r\n", ""),
            1 => ($"{head}Content-Length: {body.Length}\r\n\r\n{body}", body),
            _ => ($"{head}Transfer-Encoding: chunked\r\n\r\n{body.Length:x}\r\n{body}\r\n0\r\n\r\n",
                $"{body.Length:x}\r\n{body}\r\n0\r\n\r\n"),
        };
    }

    /// <summary>Answers with the body as it came, chunks included.</summary>
    private static async Task EchoAsync(ScriptedConnection connection)
    {
        while (await connection.ReadHeadAsync() is { Length: > 0 } head)
        {
            string body = await connection.ReadBodyAsync(head);
            string framing = head.Contains("chunked", StringComparison.Ordinal)
                ? "Transfer-Encoding: chunked"
                : $"Content-Length: {body.Length}";
            await connection.SendAsync($"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n{body}");
        }
    }

    /// <summary>Nothing hangs and nothing is counted twice or never.</summary>
    private static async Task SettlesAsync(ProxyFixture proxy)
    {
        await Eventually.BecomesTrueAsync(() => proxy.Server.ConnectionCount == 0);
        await Eventually.BecomesTrueAsync(() => proxy.Status("web-1").InFlight == 0);
    }
}
