using System.Text;
using Shouldly;
using Tessera.Linux.Net;
using Xunit;

namespace Tessera.Tests.Proxy.Forwarding;

/// <summary>Bodies that are so long that they are spliced.</summary>
public sealed class LongBodyTests
{
    private const int Length = 5_000_000;

    private static readonly byte[] Body = CreateBody();

    [Fact]
    public async Task Arrive_whole_and_leave_the_connection_usable()
    {
        using ScriptedServer server = ScriptedServer.Start(ServeBodiesAsync);
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        using ScriptedConnection client = await proxy.ConnectAsync();
        for (int i = 0; i < 3; i++)
        {
            await client.SendAsync("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
            (_, string body) = await client.ReadResponseAsync();
            Encoding.Latin1.GetBytes(body).AsSpan().SequenceEqual(Body).ShouldBeTrue();
        }

        server.ConnectionCount.ShouldBe(1);
    }

    [Fact]
    public async Task Go_side_by_side_in_any_number()
    {
        using ScriptedServer server = ScriptedServer.Start(ServeBodiesAsync);
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        int[] lengths = await Task.WhenAll(Enumerable.Range(0, 100).Select(async _ =>
        {
            using ScriptedConnection client = await proxy.ConnectAsync();
            await client.SendAsync("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
            string answer = await client.ReadToEndAsync();
            return answer.Length - answer.IndexOf("\r\n\r\n", StringComparison.Ordinal) - 4;
        }));
        lengths.ShouldAllBe(length => length == Length);
    }

    [Fact]
    public async Task Are_cut_visibly_when_the_server_breaks_off()
    {
        using ScriptedServer server = ScriptedServer.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            await connection.SendAsync($"HTTP/1.1 200 OK\r\nContent-Length: {Length}\r\n\r\n");
            await connection.SendAsync(Body.AsMemory(0, 2_000_000));
        });
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        using ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        string head = await client.ReadHeadAsync();
        await Should.ThrowAsync<Exception>(() => client.ReadBodyAsync(head));
        await Eventually.BecomesTrueAsync(() => proxy.Status("web-1").InFlight == 0);
    }

    [Fact]
    public async Task Are_given_up_when_the_client_goes()
    {
        var isReset = new TaskCompletionSource();
        using ScriptedServer server = ScriptedServer.Start(async connection =>
        {
            try
            {
                await ServeBodiesAsync(connection);
            }
            finally
            {
                isReset.TrySetResult();
            }
        });
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        using ScriptedConnection client = await proxy.ConnectAsync();
        await client.SendAsync("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        await client.ReadAsync(100_000);
        client.Reset();
        await isReset.Task.WaitAsync(
            TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        await Eventually.BecomesTrueAsync(() => proxy.Status("web-1").InFlight == 0);
    }

    [Fact]
    public async Task Are_followed_by_nothing_that_would_answer_another_request()
    {
        using ScriptedServer server = ScriptedServer.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            await connection.SendAsync($"HTTP/1.1 200 OK\r\nContent-Length: {Length}\r\n\r\n");
            await connection.SendAsync(Body);
            await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
            await connection.ReadToEndAsync();
        });
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        using ScriptedConnection client = await proxy.ConnectAsync();
        for (int i = 0; i < 3; i++)
        {
            await client.SendAsync("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
            (_, string body) = await client.ReadResponseAsync();
            body.Length.ShouldBe(Length);
        }
    }

    [Fact]
    public void A_pipe_knows_what_it_holds()
    {
        SplicePipe.TryCreate(65_536, out SplicePipe? pipe).IsSuccess.ShouldBeTrue();
        using (pipe)
        {
            pipe!.Held.ShouldBe(0);
            pipe.Fill(-1, 10).IsSuccess.ShouldBeFalse();
            pipe.Held.ShouldBe(0);
        }
    }

    private static async Task ServeBodiesAsync(ScriptedConnection connection)
    {
        while ((await connection.ReadHeadAsync()).Length > 0)
        {
            await connection.SendAsync($"HTTP/1.1 200 OK\r\nContent-Length: {Length}\r\n\r\n");
            await connection.SendAsync(Body);
        }
    }

    private static byte[] CreateBody()
    {
        byte[] body = new byte[Length];
        new Random(7).NextBytes(body);
        return body;
    }
}
