using System.Collections.Concurrent;
using Shouldly;
using Tessera.Proxy;
using Xunit;

namespace Tessera.Tests.Proxy.Forwarding;

/// <summary>Waiting for room at endpoints that take one request at a time.</summary>
public sealed class HoldRoomTests
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(5);

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public async Task Room_is_not_lost_on_one_that_has_been_there(int reactors)
    {
        var gates = new ConcurrentDictionary<string, TaskCompletionSource>();
        using ScriptedServer first = Gated(gates);
        using ScriptedServer second = Gated(gates);
        await using ProxyFixture proxy = Start([first, second], reactors, RetryConfig.Default);
        Task<string> hold = await BeginAsync(proxy, "/hold", "web-1");
        Task<string> die = proxy.GetAsync("/die");
        await Eventually.BecomesTrueAsync(() => HeldOf(proxy) == 1);
        for (int i = 0; i < 8; i++)
        {
            Task<string> slow = await BeginAsync(proxy, $"/slow{i}", "web-2");
            Task<string> next = proxy.GetAsync("/next");
            await Eventually.BecomesTrueAsync(() => HeldOf(proxy) == 2);
            Open(gates, $"/slow{i}");
            (await slow).ShouldBe($"/slow{i}");
            (await next.WaitAsync(Soon, TestContext.Current.CancellationToken)).ShouldBe("/next");
            await Eventually.BecomesTrueAsync(() => proxy.Status("web-2").InFlight == 0);
        }

        HeldOf(proxy).ShouldBe(1, "the first endpoint is still full, and it was at the second");
        Open(gates, "/hold");
        (await hold).ShouldBe("/hold");
        (await die.WaitAsync(Soon, TestContext.Current.CancellationToken)).ShouldStartWith("502 ");
    }

    [Fact]
    public async Task One_whose_time_for_tries_is_over_passes_the_room_on()
    {
        var gates = new ConcurrentDictionary<string, TaskCompletionSource>();
        using ScriptedServer first = Gated(gates);
        using ScriptedServer second = Gated(gates);
        var retry = new RetryConfig { TimeoutMs = 200 };
        await using ProxyFixture proxy = Start([first, second], reactors: 1, retry);
        Task<string> hold = await BeginAsync(proxy, "/hold", "web-1");
        Task<string> die = proxy.GetAsync("/die");
        await Eventually.BecomesTrueAsync(() => HeldOf(proxy) == 1);
        long heldMs = Environment.TickCount64;
        Task<string> slow = await BeginAsync(proxy, "/slow", "web-2");
        Task<string> next = proxy.GetAsync("/next");
        await Eventually.BecomesTrueAsync(
            () => HeldOf(proxy) == 2 && Environment.TickCount64 - heldMs > 300);
        Open(gates, "/hold");
        (await hold).ShouldBe("/hold");
        (await die).ShouldStartWith("502 ");
        (await next.WaitAsync(Soon, TestContext.Current.CancellationToken)).ShouldBe("/next");
        Open(gates, "/slow");
        (await slow).ShouldBe("/slow");
    }

    private static ProxyFixture Start(
        ScriptedServer[] servers, int reactors, RetryConfig retry) => ProxyFixture.Start(
        servers.Select(s => s.Address),
        new ProxyOptions { Reactors = reactors },
        b => b with
        {
            Retry = retry,
            Endpoints = [.. b.Endpoints.Select(e => e with { MaxConnections = 1, MaxFails = 0 })],
        });

    /// <summary>
    /// Answers with the path; /hold and /slow when their gate opens, /die not at all.
    /// </summary>
    private static ScriptedServer Gated(
        ConcurrentDictionary<string, TaskCompletionSource> gates) => ScriptedServer.Start(
        async connection =>
        {
            while (await connection.ReadHeadAsync() is { Length: > 0 } head)
            {
                string path = head.Split(' ')[1];
                if (path == "/die")
                {
                    return;
                }

                if (path != "/next")
                {
                    await GateOf(gates, path).Task;
                }

                await connection.SendAsync(
                    $"HTTP/1.1 200 OK\r\nContent-Length: {path.Length}\r\n\r\n{path}");
            }
        });

    private static async Task<Task<string>> BeginAsync(
        ProxyFixture proxy, string path, string endpoint)
    {
        Task<string> answer = proxy.GetAsync(path);
        await Eventually.BecomesTrueAsync(() => proxy.Status(endpoint).InFlight == 1);
        return answer;
    }

    private static int HeldOf(ProxyFixture proxy) => proxy.Server.GetStatus()[0].Held;

    private static void Open(
        ConcurrentDictionary<string, TaskCompletionSource> gates, string path) =>
        GateOf(gates, path).SetResult();

    private static TaskCompletionSource GateOf(
        ConcurrentDictionary<string, TaskCompletionSource> gates, string path) => gates.GetOrAdd(
        path, _ => new(TaskCreationOptions.RunContinuationsAsynchronously));
}
