using System.Net;
using System.Net.Sockets;

namespace Tessera.Stack.Engines.Native;

/// <summary>
/// Finds out whether an instance serves: by its healthcheck, else by its port. Reports to the
/// instance; ends with its process. Threading: one flow per instance.
/// </summary>
internal sealed class Readiness(EngineParts parts, NativeInstance instance)
{
    private static readonly TimeSpan FirstProbeDelay = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan MaxProbeDelay = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan TroublePause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(1);

    /// <summary>Returns when there is nothing more to find out.</summary>
    /// <param name="isReady">It was ready under another daemon.</param>
    public async Task RunAsync(bool isReady, CancellationToken cancellation)
    {
        while (!cancellation.IsCancellationRequested)
        {
            try
            {
                await FindOutAsync(isReady, cancellation);
                return;
            }
            catch (OperationCanceledException)
            {
            }
            catch (Exception e)
            {
                // Out of descriptors, most likely: that passes, and the instance waits for it.
                parts.Options.Log($"{instance.Current.Name}: its readiness cannot be told: {e}");
                await Task.Delay(TroublePause, parts.Time, CancellationToken.None);
            }
        }
    }

    private async Task FindOutAsync(bool isReady, CancellationToken cancellation)
    {
        if (instance.Policy.Healthcheck is not null)
        {
            await CheckHealthAsync(isReady, cancellation);
        }
        else if (instance.ReadinessPort is int port)
        {
            await ProbePortAsync(port, cancellation);
        }
    }

    /// <summary>Whether 127.0.0.1 accepts a connection on the port now.</summary>
    public static async Task<bool> AcceptsAsync(int port, CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(ConnectTimeout);
        try
        {
            using var socket = new Socket(
                AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port), limit.Token);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return false;
        }
    }

    private async Task ProbePortAsync(int port, CancellationToken cancellation)
    {
        TimeSpan delay = FirstProbeDelay;
        while (true)
        {
            if (await AcceptsAsync(port, cancellation))
            {
                if (await ListeningSocket.BelongsToAsync(
                    port, instance.Process!, instance.Id, parts.Scan))
                {
                    instance.MarkReady(checkedHealth: false);
                    return;
                }

                instance.SetReason($"port {port} is held by another program");
            }

            await Task.Delay(delay, parts.Time, cancellation);
            delay = delay * 1.25 < MaxProbeDelay ? delay * 1.25 : MaxProbeDelay;
        }
    }

    /// <summary>
    /// Times are read anew for each round: a changed definition holds from the next one on.
    /// </summary>
    private async Task CheckHealthAsync(bool isReady, CancellationToken cancellation)
    {
        DateTimeOffset startedAt = parts.Time.GetUtcNow();
        int failures = 0;
        bool wasHealthy = isReady;
        while (true)
        {
            if (instance.Policy.Healthcheck is not Healthcheck check)
            {
                instance.MarkReady(checkedHealth: false);
                return;
            }

            bool isStarting =
                !wasHealthy && parts.Time.GetUtcNow() - startedAt < check.StartPeriod;
            await Task.Delay(
                isStarting ? check.StartInterval : check.Interval, parts.Time, cancellation);
            HealthResult result = instance.Command is InstanceCommand command
                ? await HealthCommand.RunAsync(parts, command, check, cancellation)
                : new HealthResult(false, "its healthcheck cannot be run since it was adopted");
            if (result.IsHealthy)
            {
                failures = 0;
                wasHealthy = true;
                instance.MarkReady(checkedHealth: true);
            }
            else if (wasHealthy || parts.Time.GetUtcNow() - startedAt >= check.StartPeriod)
            {
                failures++;
                if (failures >= check.Retries)
                {
                    instance.MarkUnhealthy(result.Output);
                }
            }
        }
    }
}
