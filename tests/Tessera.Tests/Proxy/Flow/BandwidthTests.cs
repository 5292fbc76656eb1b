using System.Diagnostics;
using Shouldly;
using Tessera.Proxy;
using Tessera.Tests.Proxy.Forwarding;
using Xunit;

namespace Tessera.Tests.Proxy.Flow;

public sealed class BandwidthTests
{
    private const int BytesPerSecond = 100_000;
    private const int BodyBytes = 150_000;

    /// <summary>150 kB at 100 kB a second, a piece of 10 kB of which is ahead.</summary>
    private const double ExpectedMs = 1_400;

    private static readonly string Body = new('b', BodyBytes);

    public static TheoryData<string, string> Replies => new()
    {
        { "HTTP/1.1", $"HTTP/1.1 200 OK\r\nContent-Length: {BodyBytes}\r\n\r\n{Body}" },
        { "HTTP/1.1", $"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{Body}" },
        {
            "HTTP/1.1",
            $"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n249f0\r\n{Body}\r\n0\r\n\r\n"
        },
        {
            "HTTP/1.0",
            $"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n249f0\r\n{Body}\r\n0\r\n\r\n"
        },
    };

    [Theory]
    [MemberData(nameof(Replies))]
    public async Task Responses_of_every_framing_keep_to_the_rate(string version, string reply)
    {
        using ScriptedServer server = Server(reply);
        await using ProxyFixture proxy = Start(server, bytesBefore: 0);
        var clock = Stopwatch.StartNew();
        string answer = await proxy.ExchangeAsync(
            $"GET / {version}\r\nHost: test\r\nConnection: close\r\n\r\n");
        ShouldTake(clock, ExpectedMs);
        answer.Count(c => c == 'b').ShouldBe(BodyBytes);
        string whole = reply[(reply.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..];
        answer.ShouldEndWith(version == "HTTP/1.0" ? Body : whole);
    }

    [Fact]
    public async Task Each_of_several_clients_has_the_rate_to_itself()
    {
        using ScriptedServer server = Server(
            $"HTTP/1.1 200 OK\r\nContent-Length: {BodyBytes}\r\n\r\n{Body}");
        await using ProxyFixture proxy = Start(server, bytesBefore: 0);
        await Task.WhenAll(Enumerable.Range(0, 6).Select(async _ =>
        {
            var clock = Stopwatch.StartNew();
            (await proxy.GetAsync()).Length.ShouldBe(BodyBytes);
            ShouldTake(clock, ExpectedMs);
        }));
    }

    [Fact]
    public async Task The_first_bytes_leave_at_once()
    {
        using ScriptedServer server = Server(
            $"HTTP/1.1 200 OK\r\nContent-Length: {BodyBytes}\r\n\r\n{Body}");
        await using ProxyFixture proxy = Start(server, bytesBefore: 100_000);
        var clock = Stopwatch.StartNew();
        (await proxy.GetAsync()).Length.ShouldBe(BodyBytes);
        ShouldTake(clock, ExpectedMs - 1_000);
    }

    [Fact]
    public async Task Static_files_keep_to_the_rate()
    {
        using ScriptedServer server = ScriptedServer.Named("one");
        DirectoryInfo root = Directory.CreateTempSubdirectory();
        try
        {
            // Larger than what is kept in memory, so that it goes from the disk.
            int bytes = 2_000_000;
            File.WriteAllText(Path.Combine(root.FullName, "big.bin"), new string('b', bytes));
            await using ProxyFixture proxy = ProxyFixture.Start(
                [server.Address],
                listener: l => l with
                {
                    Routes =
                    [
                        new RouteConfig
                        {
                            Files = new FilesConfig { Root = root.FullName },
                            Flow = new FlowConfig { BytesPerSecond = 1_000_000 },
                        },
                    ],
                });
            var clock = Stopwatch.StartNew();
            (await proxy.GetAsync("/big.bin")).Length.ShouldBe(bytes);
            ShouldTake(clock, 1_900);
        }
        finally
        {
            root.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task A_client_that_leaves_meanwhile_frees_its_endpoint()
    {
        using ScriptedServer server = Server(
            $"HTTP/1.1 200 OK\r\nContent-Length: {BodyBytes}\r\n\r\n{Body}");
        await using ProxyFixture proxy = FlowFixture.Start(
            server.Address, new FlowConfig { BytesPerSecond = 10 });
        ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync(FlowFixture.Get);
        await client.ReadHeadAsync();
        client.Reset();
        await Eventually.BecomesTrueAsync(() => proxy.Status("web-1").InFlight == 0);
    }

    [Fact]
    public async Task A_connection_is_kept_for_the_next_request()
    {
        using ScriptedServer server = Server("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none");
        await using ProxyFixture proxy = Start(server, bytesBefore: 0);
        using ScriptedConnection client = await proxy.ConnectAsync();
        for (int i = 0; i < 3; i++)
        {
            await client.SendAsync("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
            (await client.ReadResponseAsync()).Body.ShouldBe("one");
        }

        server.ConnectionCount.ShouldBe(1);
    }

    /// <summary>Never quicker; slower by what a busy machine may take.</summary>
    private static void ShouldTake(Stopwatch clock, double expectedMs) =>
        clock.Elapsed.TotalMilliseconds.ShouldBeInRange(
            expectedMs * 0.9, (expectedMs * 1.1) + 800);

    private static ScriptedServer Server(string reply) => ScriptedServer.Start(async connection =>
    {
        while (await connection.ReadHeadAsync() is { Length: > 0 })
        {
            await connection.SendAsync(reply);
            if (reply.Contains("Connection: close", StringComparison.Ordinal))
            {
                return;
            }
        }
    });

    private static ProxyFixture Start(ScriptedServer server, long bytesBefore) =>
        FlowFixture.Start(
            server.Address,
            new FlowConfig { BytesPerSecond = BytesPerSecond, BytesBeforeLimit = bytesBefore });
}
