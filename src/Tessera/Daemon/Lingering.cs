using System.Globalization;
using System.Runtime.InteropServices;
using Tessera.Linux.Processes;
using Tessera.Proxy;

namespace Tessera.Daemon;

/// <summary>
/// The last part of a daemon's life after it has handed over: connections that are here end here,
/// within a limit. It has no instances any more, but may still be the parent of their processes.
/// </summary>
internal static class Lingering
{
    /// <summary>Connections that have not ended by then are cut.</summary>
    public static readonly TimeSpan DefaultLimit = TimeSpan.FromHours(1);

    private static readonly TimeSpan ReapPeriod = TimeSpan.FromSeconds(1);

    /// <param name="successor">Tells where requests go that are still here.</param>
    public static async Task RunAsync(
        ProxyServer proxy, HandoverChannel successor, TimeSpan limit, Action<string> log,
        CancellationToken end)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(end);
        Task following = FollowAsync(proxy, successor, limit, over.Token);
        int left = await proxy.LingerAsync(limit, end);
        await over.CancelAsync();
        await following;
        log(left == 0
            ? "every connection has ended"
            : string.Create(CultureInfo.InvariantCulture, $"cutting {left} connections"));
    }

    /// <summary>Until the end; a successor that ends leaves things as they are.</summary>
    private static async Task FollowAsync(
        ProxyServer proxy, HandoverChannel successor, TimeSpan limit, CancellationToken end)
    {
        try
        {
            while (await successor.ReceiveAsync(limit, end) is { } news)
            {
                if (news.Message is { Step: HandoverStep.Endpoints, Endpoints: { } endpoints })
                {
                    proxy.Follow(
                        news.Message.Backend,
                        [.. endpoints.Select(e => e.ToConfig())],
                        news.Message.Reason.Length == 0 ? null : news.Message.Reason);
                }
            }
        }
        catch (Exception e) when (
            e is OperationCanceledException or TimeoutException or IOException)
        {
            // Over, or nothing more to be heard.
        }
    }

    /// <summary>
    /// Reaps children that end, until disposed. A process that was handed over is watched by its
    /// new daemon, which can see neither its exit code nor its end while its parent has not reaped
    /// it.
    /// </summary>
    public static IDisposable ReapChildren() => new Reaping();

    /// <summary>Safe from any thread.</summary>
    private sealed class Reaping : IDisposable
    {
        private readonly PosixSignalRegistration _ended;
        private readonly Timer _period;

        public Reaping()
        {
            _ended = PosixSignalRegistration.Create(
                PosixSignal.SIGCHLD, _ => ProcessGroup.ReapChildren());
            _period = new Timer(
                _ => ProcessGroup.ReapChildren(), null, TimeSpan.Zero, ReapPeriod);
        }

        public void Dispose()
        {
            _ended.Dispose();
            _period.Dispose();
        }
    }
}
