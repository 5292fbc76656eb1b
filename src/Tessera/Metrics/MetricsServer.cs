using System.Net;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Tessera.Stack;

namespace Tessera.Metrics;

/// <summary>
/// Serves <c>/metrics</c>, and nothing else, on an address of its own. An address that is taken,
/// by the daemon before this one for example, is tried again each second. Safe from any thread.
/// </summary>
internal sealed class MetricsServer : IAsyncDisposable
{
    /// <summary>Names the address, <c>127.0.0.1:9464</c>; without it nothing is served.</summary>
    public const string Variable = "TESSERA_METRICS";

    private const int MaxConnections = 64;
    private static readonly TimeSpan RetryPeriod = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource _end = new();
    private readonly Task _serving;

    private MetricsServer(
        IPEndPoint address, Func<string> page, Action<string> log, TimeProvider time) =>
        _serving = ServeAsync(address, new Application(page), log, time);

    /// <summary>Begins to serve; the log says when it does.</summary>
    public static MetricsServer Start(
        IPEndPoint address, Func<string> page, Action<string> log, TimeProvider time) =>
        new(address, page, log, time);

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _serving;
        _end.Dispose();
    }

    /// <summary>
    /// Null when the variable is not set. Read before anything is begun, so that a mistake ends the
    /// command.
    /// </summary>
    /// <exception cref="UserErrorException">The variable holds no address with a port.</exception>
    public static IPEndPoint? ReadAddress()
    {
        string? text = Environment.GetEnvironmentVariable(Variable);
        if (string.IsNullOrEmpty(text))
        {
            return null;
        }

        return IPEndPoint.TryParse(text, out IPEndPoint? address) && address.Port > 0
            ? address
            : throw new UserErrorException(
                $"{Variable} is \"{text}\"; give an address with a port, such as 127.0.0.1:9464");
    }

    private async Task ServeAsync(
        IPEndPoint address, Application application, Action<string> log, TimeProvider time)
    {
        bool hasComplained = false;
        while (!_end.IsCancellationRequested)
        {
            using KestrelServer server = CreateServer(address);
            try
            {
                await server.StartAsync(application, _end.Token);
                log($"metrics are served on http://{address}/metrics");
                await Task.Delay(Timeout.InfiniteTimeSpan, time, _end.Token);
            }
            catch (OperationCanceledException)
            {
                using var deadline = new CancellationTokenSource(AnswerLimit);
                await server.StopAsync(deadline.Token);
            }
            catch (Exception fault) when (fault is IOException
                or System.Net.Sockets.SocketException)
            {
                if (!hasComplained)
                {
                    hasComplained = true;
                    log($"metrics cannot be served on {address}: {fault.Message}; "
                        + "trying again every second");
                }

                await Task.Delay(RetryPeriod, time, _end.Token)
                    .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private static KestrelServer CreateServer(IPEndPoint address)
    {
        var options = new KestrelServerOptions { AddServerHeader = false };
        options.Limits.MaxConcurrentConnections = MaxConnections;
        options.Limits.MaxRequestBodySize = 0;
        options.Listen(address, listen => listen.Protocols = HttpProtocols.Http1);
        var transport = new SocketTransportFactory(
            Options.Create(new SocketTransportOptions()), NullLoggerFactory.Instance);
        return new KestrelServer(Options.Create(options), transport, NullLoggerFactory.Instance);
    }

    private sealed class Application(Func<string> page) : IHttpApplication<HttpContext>
    {
        public HttpContext CreateContext(IFeatureCollection contextFeatures) =>
            new DefaultHttpContext(contextFeatures);

        public Task ProcessRequestAsync(HttpContext context)
        {
            if (context.Request.Path.Value != "/metrics")
            {
                context.Response.StatusCode = StatusCodes.Status404NotFound;
                return Task.CompletedTask;
            }

            context.Response.ContentType = PrometheusText.ContentType;
            return context.Response.WriteAsync(page(), context.RequestAborted);
        }

        public void DisposeContext(HttpContext context, Exception? exception)
        {
        }
    }
}
