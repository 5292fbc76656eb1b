using System.Collections.Concurrent;
using Shouldly;
using Tessera.Proxy;
using Xunit;

namespace Tessera.Tests.Proxy.Forwarding;

public sealed class DrainTests
{
    [Fact]
    public async Task Waits_for_what_is_in_flight()
    {
        var release = new TaskCompletionSource();
        using ScriptedServer server = ScriptedServer.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            await release.Task;
            await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        });
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        Task<string> request = proxy.GetAsync();
        await Eventually.BecomesTrueAsync(() => server.ConnectionCount == 1);
        proxy.SetEndpoints(
            ProxyFixture.Endpoint("web-1", server.Address, EndpointState.Draining));
        (await DrainAsync(proxy, TimeSpan.FromMilliseconds(100))).ShouldBe(1);
        Task<int> drained = DrainAsync(proxy, TimeSpan.FromSeconds(10));
        drained.IsCompleted.ShouldBeFalse();
        release.SetResult();
        (await drained).ShouldBe(0);
        (await request).ShouldBe("ok");
    }

    [Fact]
    public async Task Drains_an_endpoint_that_left_the_configuration()
    {
        var release = new TaskCompletionSource();
        using ScriptedServer server = ScriptedServer.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            await release.Task;
            await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        });
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        Task<string> request = proxy.GetAsync();
        await Eventually.BecomesTrueAsync(() => server.ConnectionCount == 1);
        proxy.SetEndpoints();
        Task<int> drained = DrainAsync(proxy, TimeSpan.FromSeconds(10));
        drained.IsCompleted.ShouldBeFalse();
        release.SetResult();
        (await drained).ShouldBe(0);
        (await request).ShouldBe("ok");
    }

    [Fact]
    public async Task Closes_idle_connections_to_what_is_drained()
    {
        var ended = new TaskCompletionSource();
        using ScriptedServer server = ScriptedServer.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            await connection.ReadToEndAsync();
            ended.SetResult();
        });
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address]);
        (await proxy.GetAsync()).ShouldBe("ok");
        ended.Task.IsCompleted.ShouldBeFalse();
        proxy.SetEndpoints(
            ProxyFixture.Endpoint("web-1", server.Address, EndpointState.Draining));
        await ended.Task.WaitAsync(
            TimeSpan.FromSeconds(5), TestContext.Current.CancellationToken);
    }

    /// <summary>
    /// Instances come and go under load as in a rolling restart: taken out, drained, killed. With
    /// one lost count a request would meet a dead instance, or a drain would never end.
    /// </summary>
    [Fact]
    public async Task Loses_no_request_while_instances_are_replaced()
    {
        await using ProxyFixture proxy = ProxyFixture.Start([]);
        var current = new Queue<(EndpointConfig Endpoint, ScriptedServer Server)>();
        for (int i = 0; i < 3; i++)
        {
            current.Enqueue(StartInstance(i));
        }

        proxy.SetEndpoints([.. current.Select(c => c.Endpoint)]);
        using var stop = new CancellationTokenSource();
        var failures = new ConcurrentBag<string>();
        long answered = 0;
        Task[] clients = [.. Enumerable.Range(0, 8).Select(_ => Task.Run(async () =>
        {
            using ScriptedConnection client = await proxy.ConnectAsync();
            while (!stop.IsCancellationRequested)
            {
                // Not idempotent: nothing but correct counting protects it.
                await client.SendAsync(
                    "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n\r\nx");
                (string head, string body) = await client.ReadResponseAsync();
                if (body != "ok")
                {
                    failures.Add(head + body);
                    return;
                }

                Interlocked.Increment(ref answered);
            }
        }))];
        for (int i = 3; i < 40; i++)
        {
            long before = Interlocked.Read(ref answered);
            await Eventually.BecomesTrueAsync(
                () => Interlocked.Read(ref answered) > before + 20 || !failures.IsEmpty);
            (EndpointConfig endpoint, ScriptedServer server) = current.Dequeue();
            current.Enqueue(StartInstance(i));
            proxy.SetEndpoints(
            [
                endpoint with { State = EndpointState.Draining },
                .. current.Select(c => c.Endpoint),
            ]);
            (await proxy.Server.DrainAsync(
                "web", endpoint.Id, TimeSpan.FromSeconds(5), CancellationToken.None)).ShouldBe(0);
            server.Dispose();
        }

        await stop.CancelAsync();
        await Task.WhenAll(clients);
        failures.ShouldBeEmpty();
        foreach ((_, ScriptedServer server) in current)
        {
            server.Dispose();
        }
    }

    private static (EndpointConfig Endpoint, ScriptedServer Server) StartInstance(int number)
    {
        ScriptedServer server = ScriptedServer.Named("ok");
        return (ProxyFixture.Endpoint($"web-{number}", server.Address), server);
    }

    private static Task<int> DrainAsync(ProxyFixture proxy, TimeSpan timeout) =>
        proxy.Server.DrainAsync("web", "web-1", timeout, CancellationToken.None);
}
