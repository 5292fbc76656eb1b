using System.Diagnostics;
using System.Net.Sockets;

namespace Tessera.EndToEnd.Harness;

/// <param name="Connections">Keep-alive connections, each with one request in flight.</param>
/// <param name="PauseMs">Between an answer and the next request of a connection.</param>
/// <param name="LimitMs">How long one answer may take before it counts as failed.</param>
public sealed record LoadOptions(
    int Connections = 50, int PauseMs = 4, int LimitMs = 40_000, string Path = "/");

/// <summary>
/// Closed-loop load on one port: each connection sends a GET, reads the whole answer, pauses, and
/// sends the next on the same connection. Everything but a complete 200 is a failure: a refused or
/// reset connection, a close where an answer was due, another status, a body cut short.
/// </summary>
public sealed class LoadClient : IAsyncDisposable
{
    private readonly int _port;
    private readonly LoadOptions _options;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task<List<LoadSample>[]> _workers;
    private long _answers;

    private LoadClient(int port, LoadOptions options)
    {
        _port = port;
        _options = options;
        _workers = Task.WhenAll(
            Enumerable.Range(0, options.Connections).Select(_ => Task.Run(WorkAsync)));
    }

    /// <summary>Complete 200 answers so far.</summary>
    public long Answers => Interlocked.Read(ref _answers);

    public static LoadClient Start(int port, LoadOptions? options = null) =>
        new(port, options ?? new LoadOptions());

    /// <summary>Waits until <paramref name="count"/> more answers have come.</summary>
    public Task UntilMoreAnswersAsync(int count)
    {
        long target = Answers + count;
        return Eventually.HoldsAsync(
            $"{count} more answers under load", () => Answers >= target, TimeSpan.FromSeconds(40));
    }

    /// <summary>Lets the requests in flight finish and says how it went.</summary>
    public async Task<LoadReport> StopAsync()
    {
        await _stop.CancelAsync();
        return new LoadReport((await _workers).SelectMany(samples => samples));
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _workers;
        _stop.Dispose();
    }

    private async Task<List<LoadSample>> WorkAsync()
    {
        List<LoadSample> samples = [];
        RawHttp? connection = null;
        string request = $"GET {_options.Path} HTTP/1.1\r\nHost: localhost\r\n\r\n";
        while (!_stop.IsCancellationRequested)
        {
            DateTimeOffset began = DateTimeOffset.UtcNow;
            long start = Stopwatch.GetTimestamp();
            string instance = "";
            string failure = "";
            bool fresh = connection is null;
            try
            {
                connection ??= await RawHttp.ConnectAsync(
                    _port, TimeSpan.FromMilliseconds(_options.LimitMs));
                await connection.SendAsync(request);
                HttpAnswer answer = await connection.ReadAnswerAsync();
                instance = answer.Instance;
                failure = answer.Status == 200
                    ? ""
                    : $"status {answer.Status}: {answer.Text.Trim()}";
                if (!answer.KeepAlive)
                {
                    Close(ref connection);
                }
            }
            catch (Exception e) when (e is IOException or SocketException or TimeoutException
                or InvalidDataException or OperationCanceledException)
            {
                failure = (fresh ? "new connection: " : "kept connection: ")
                    + (e is SocketException s ? s.SocketErrorCode.ToString() : e.Message);
                Close(ref connection);
            }

            samples.Add(new LoadSample(began, Stopwatch.GetElapsedTime(start), instance, failure));
            await AfterAsync(failure);
        }

        Close(ref connection);
        return samples;
    }

    private async Task AfterAsync(string failure)
    {
        if (failure.Length == 0)
        {
            Interlocked.Increment(ref _answers);
        }

        // A failing server is not to be flooded: the first failures say it all.
        int pauseMs = failure.Length == 0 ? _options.PauseMs : Math.Max(50, _options.PauseMs);
        if (pauseMs > 0)
        {
            await Task.Delay(pauseMs);
        }
    }

    private static void Close(ref RawHttp? connection)
    {
        connection?.Dispose();
        connection = null;
    }
}
