using System.Collections.Concurrent;
using Shouldly;
using Tessera.Proxy;
using Tessera.Tests.Proxy.Reactor;
using Xunit;

namespace Tessera.Tests.Proxy.Forwarding;

/// <summary>
/// Exchanges of every kind over a poller that makes everything go wrong that a network and a kernel
/// can, on epoll and on io_uring.
/// </summary>
public sealed class FaultTests
{
    private const int Clients = 6;

    private static readonly ExchangeKind[] Kinds = Enum.GetValues<ExchangeKind>();

    public static TheoryData<int, PollerKind> Seeds { get; } = new(
        from seed in Enumerable.Range(1, 3)
        from poller in new[] { PollerKind.Epoll, PollerKind.IoUring }
        select (seed, poller));

    public static TheoryData<ExchangeKind, PollerKind> KindsAndPollers { get; } = new(
        from kind in Kinds
        from poller in new[] { PollerKind.Epoll, PollerKind.IoUring }
        select (kind, poller));

    [Theory]
    [MemberData(nameof(Seeds))]
    public Task Serves_everything_right_in_pieces_and_with_delays(int seed, PollerKind poller) =>
        ServesRightAsync(poller, new Faults(seed)
        {
            ShortReads = 700,
            ShortWrites = 300,
            Delays = 300,
        });

    [Theory]
    [MemberData(nameof(Seeds))]
    public Task Serves_everything_right_in_storms_and_false_alarms(int seed, PollerKind poller) =>
        ServesRightAsync(poller, new Faults(seed)
        {
            ShortReads = 50,
            ShortWrites = 50,
            Storms = 300,
            SpuriousEvents = 500,
            SpuriousWakes = 200,
        });

    [Theory]
    [MemberData(nameof(Seeds))]
    public Task Settles_after_resets_anywhere(int seed, PollerKind poller) =>
        Seeded.RunAsync($"seed {seed}, {poller}", async () =>
        {
            await using var site = new FaultSite(
                new Faults(seed)
                {
                    ShortReads = 300,
                    ShortWrites = 100,
                    Delays = 200,
                    SpuriousEvents = 200,
                    Resets = 30,
                },
                poller);
            int right = 0;
            await Task.WhenAll(Enumerable.Range(0, Clients).Select(c => Task.Run(async () =>
            {
                var random = new Random((seed * 100) + c);
                for (int i = 0; i < 25; i++)
                {
                    ExchangeKind kind = Kinds[random.Next(Kinds.Length)];
                    if (await site.TryExchangeAsync(kind, random))
                    {
                        Interlocked.Increment(ref right);
                    }
                }
            })));
            right.ShouldBeGreaterThan(20);
            await site.SettlesAsync();
        });

    [Theory]
    [MemberData(nameof(KindsAndPollers))]
    public async Task Every_byte_may_be_the_last_of_a_read_or_a_write(
        ExchangeKind kind, PollerKind poller)
    {
        var point = new FaultPoint();
        await using var site = new FaultSite(new Faults(1) { Point = point }, poller);
        for (int cut = 1; cut <= 250; cut++)
        {
            point.Begin(cutAt: cut);
            await Seeded.RunAsync($"{kind}, {poller}, cut behind byte {cut}", async () =>
                (await site.TryExchangeAsync(kind, new Random(cut))).ShouldBeTrue());
        }

        await site.SettlesAsync();
    }

    [Theory]
    [MemberData(nameof(KindsAndPollers))]
    public async Task Settles_after_a_reset_at_every_point(ExchangeKind kind, PollerKind poller)
    {
        var point = new FaultPoint();
        await using var site = new FaultSite(new Faults(1) { Point = point }, poller);
        int reset = 0;
        do
        {
            // The next exchange finds nothing of the one before.
            reset++;
            await Seeded.RunAsync($"{kind}, {poller}, reset at transfer {reset}", async () =>
            {
                point.Begin(resetAt: reset);
                await site.TryExchangeAsync(kind, new Random(reset));
                await site.SettlesAsync();
            });
        }
        while (point.Transfers >= reset && reset < 60);

        reset.ShouldBeGreaterThan(3);
        point.Begin();
        (await site.TryExchangeAsync(kind, new Random(1))).ShouldBeTrue();
    }

    [Fact]
    public async Task Goes_on_accepting_when_descriptors_ran_out_for_a_while()
    {
        var lines = new ConcurrentQueue<string>();
        using ScriptedServer server = ScriptedServer.Named("ok");
        await using ProxyFixture proxy = ProxyFixture.Start([server.Address], server:
            new ProxyServer(
                new ProxyOptions { Reactors = 1, ErrorLog = lines.Enqueue },
                buffers => new FaultyPoller(buffers, new Faults(7) { TooManyFiles = 300 })));
        for (int i = 0; i < 10; i++)
        {
            (await proxy.GetAsync()).ShouldBe("ok");
        }

        lines.ShouldContain(l => l.Contains("too many open files"));
    }

    private static Task ServesRightAsync(PollerKind poller, Faults faults) =>
        Seeded.RunAsync($"seed {faults.Seed}, {poller}", async () =>
        {
            await using var site = new FaultSite(faults, poller);
            await Task.WhenAll(Enumerable.Range(0, Clients).Select(c => Task.Run(async () =>
            {
                var random = new Random((faults.Seed * 100) + c);
                ScriptedConnection client = await site.ConnectAsync();
                for (int i = 0; i < 20; i++)
                {
                    ExchangeKind kind = Kinds[random.Next(Kinds.Length)];
                    (await site.TryExchangeAsync(kind, random, client)).ShouldBeTrue($"{kind}");

                    // What a connection cannot go on after.
                    if (kind is ExchangeKind.Tunnel or ExchangeKind.Unchunked)
                    {
                        client.Close();
                        client = await site.ConnectAsync();
                    }
                }

                client.Close();
            })));
            await site.SettlesAsync();
        });
}
