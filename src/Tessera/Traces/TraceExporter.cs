using System.Net;
using System.Net.Http.Headers;
using Tessera.Proxy;

namespace Tessera.Traces;

/// <summary>
/// Posts finished traces to a collector (OTLP over HTTP, protobuf), some at a time. A collector
/// that cannot be reached is tried again for a while, then the batch is dropped: the queue before
/// it is bounded, and requests never wait. Runs until the queue is completed, or it is disposed.
/// </summary>
internal sealed class TraceExporter : IAsyncDisposable
{
    private const int MaxBatch = 512;
    private const int MaxAttempts = 4;
    private static readonly TimeSpan BatchPeriod = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan PostLimit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan FirstRest = TimeSpan.FromSeconds(1);

    /// <summary>For what is left when the daemon ends.</summary>
    private static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(2);

    private readonly TraceSettings _settings;
    private readonly TraceQueue _queue;
    private readonly Action<string> _log;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _end = new();
    private readonly HttpClient _http;
    private readonly Task _exporting;
    private long _lost;

    public TraceExporter(
        TraceSettings settings, TraceQueue queue, Action<string> log, TimeProvider time)
    {
        _settings = settings;
        _queue = queue;
        _log = log;
        _time = time;
        _http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false })
        {
            Timeout = PostLimit,
        };
        _exporting = ExportAsync();
    }

    /// <summary>Sends what is queued, within two seconds.</summary>
    public async ValueTask DisposeAsync()
    {
        _queue.Complete();
        _end.CancelAfter(EndLimit);
        await _exporting;
        _http.Dispose();
        _end.Dispose();
    }

    private async Task ExportAsync()
    {
        var batch = new List<RequestTrace>(MaxBatch);
        try
        {
            while (await _queue.Reader.WaitToReadAsync(_end.Token))
            {
                while (batch.Count < MaxBatch && _queue.Reader.TryRead(out RequestTrace? trace))
                {
                    batch.Add(trace);
                }

                await PostAsync(batch);
                bool isFull = batch.Count == MaxBatch;
                batch.Clear();
                if (!isFull)
                {
                    // What comes meanwhile travels together; the end waits for nothing.
                    await Task.WhenAny(
                        Task.Delay(BatchPeriod, _time, _end.Token), _queue.Reader.Completion);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The daemon ends, and the collector is too slow.
        }
    }

    private async Task PostAsync(List<RequestTrace> batch)
    {
        ReadOnlyMemory<byte> message = OtlpMessage.Write(batch, _settings.Resource);
        TimeSpan rest = FirstRest;
        for (int attempt = 1; ; attempt++)
        {
            PostFault? fault = await TryPostAsync(message);
            if (fault is null)
            {
                ReportRecovery();
                return;
            }

            if (!fault.MayPass || attempt == MaxAttempts)
            {
                ReportLoss(batch.Count, fault.Reason);
                return;
            }

            await Task.Delay(rest, _time, _end.Token);
            rest *= 2;
        }
    }

    /// <summary>Null when the collector took it.</summary>
    private async Task<PostFault?> TryPostAsync(ReadOnlyMemory<byte> message)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, _settings.Endpoint)
        {
            Content = new ReadOnlyMemoryContent(message),
        };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/x-protobuf");
        foreach ((string name, string value) in _settings.Headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        try
        {
            using HttpResponseMessage response = await _http.SendAsync(request, _end.Token);
            bool mayPass = response.StatusCode is HttpStatusCode.TooManyRequests
                or HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable
                or HttpStatusCode.GatewayTimeout;
            return response.IsSuccessStatusCode
                ? null
                : new PostFault($"it answers {(int)response.StatusCode}", mayPass);
        }
        catch (HttpRequestException fault)
        {
            return new PostFault(fault.Message, MayPass: true);
        }
        catch (OperationCanceledException) when (!_end.IsCancellationRequested)
        {
            return new PostFault(
                $"it does not answer within {PostLimit.TotalSeconds:0} s", MayPass: true);
        }
    }

    private void ReportLoss(int traces, string fault)
    {
        if (_lost == 0)
        {
            _log($"traces cannot be sent to {_settings.Endpoint} and are lost: {fault}");
        }

        _lost += traces;
    }

    private void ReportRecovery()
    {
        if (_lost > 0)
        {
            _log($"traces are sent again; {_lost} were lost");
            _lost = 0;
        }
    }

    private sealed record PostFault(string Reason, bool MayPass);
}
