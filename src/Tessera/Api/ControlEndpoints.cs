using System.Buffers;
using System.Collections.Immutable;
using System.IO.Pipelines;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;
using Tessera.Metrics;
using Tessera.Stack;
using Tessera.Stack.Engines;

namespace Tessera.Api;

/// <summary>
/// One request of the control API to one call of the <see cref="IController"/>. Holds no state but
/// the signal that ends readers. Safe from any thread.
/// </summary>
/// <remarks>
/// A client that hangs up cancels the token of its call. What that means is up to the controller:
/// a reading call ends, a changing one may run to its end, and then its stream is read to the end
/// here, whether anybody listens or not.
/// </remarks>
internal sealed class ControlEndpoints(IController controller, Action<Exception> onFault)
    : IDisposable
{
    /// <summary>Bytes of a stream that may wait for more before they are sent.</summary>
    private const int MaxUnsentBytes = 32 * 1024;

    private readonly CancellationTokenSource _readersEnd = new();
    private volatile string? _endReason;

    public ControlGate Gate { get; } = new();

    /// <summary>
    /// Ends every stream that only reads (logs, events); its reader is told the reason, if any.
    /// </summary>
    public void EndReaders(string? reason)
    {
        _endReason = reason;
        _readersEnd.Cancel();
    }

    public void Dispose() => _readersEnd.Dispose();

    public async Task AnswerAsync(HttpContext context)
    {
        context.Response.Headers[ControlProtocol.VersionHeader] = ControlProtocol.Version;
        try
        {
            RequestKind kind = context.Request.Path.Value switch
            {
                ControlProtocol.UpPath or ControlProtocol.DownPath or ControlProtocol.ChangePath
                    or ControlProtocol.DaemonStopPath => RequestKind.Change,
                ControlProtocol.DaemonPath => RequestKind.Status,
                _ => RequestKind.Reading,
            };
            if (!await Gate.EnterAsync(kind, context.RequestAborted))
            {
                // Nothing has begun: the client asks the daemon that answers on the socket now.
                context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
                context.Response.Headers.Connection = "close";
                return;
            }

            await AnswerPassedAsync(context, kind);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // Nobody waits for an answer any more.
        }
    }

    private async Task AnswerPassedAsync(HttpContext context, RequestKind kind)
    {
        try
        {
            if (!IsVersionAccepted(context.Request))
            {
                throw new UserErrorException(
                    ControlProtocol.VersionMismatch(ControlProtocol.Version));
            }

            await DispatchAsync(context);
        }
        catch (Exception fault)
        {
            // Streams report their own faults; what arrives here has not begun its answer yet.
            if (!context.RequestAborted.IsCancellationRequested && !context.Response.HasStarted)
            {
                await WriteErrorAsync(context, fault);
            }
        }
        finally
        {
            if (kind == RequestKind.Change)
            {
                Gate.Leave();
            }
        }
    }

    private static bool IsVersionAccepted(HttpRequest request) =>
        request.Path.Value is ControlProtocol.DaemonPath or ControlProtocol.DaemonStopPath
            or ControlProtocol.MetricsPath
        || request.Headers[ControlProtocol.VersionHeader] == ControlProtocol.Version;

    private async Task DispatchAsync(HttpContext context)
    {
        HttpRequest request = context.Request;
        CancellationToken aborted = context.RequestAborted;
        switch ((request.Method, request.Path.Value))
        {
            case ("POST", ControlProtocol.UpPath):
                UpRequest up = await ReadAsync(context, ControlJson.Default.UpRequest);
                await StreamAsync(
                    context, controller.UpAsync(up, aborted), ControlJson.Default.Progress);
                break;
            case ("POST", ControlProtocol.DownPath):
                DownRequest down = await ReadAsync(context, ControlJson.Default.DownRequest);
                await StreamAsync(
                    context, controller.DownAsync(down, aborted), ControlJson.Default.Progress);
                break;
            case ("POST", ControlProtocol.ChangePath):
                ChangeRequest change = await ReadAsync(context, ControlJson.Default.ChangeRequest);
                await StreamAsync(
                    context, controller.ChangeAsync(change, aborted), ControlJson.Default.Progress);
                break;
            case ("POST", ControlProtocol.DaemonStopPath):
                bool keepInstances = request.Query["keepInstances"] == "true";
                await StreamAsync(
                    context,
                    controller.StopDaemonAsync(keepInstances, aborted),
                    ControlJson.Default.Progress);
                break;
            default:
                await DispatchReadAsync(context);
                break;
        }
    }

    private async Task DispatchReadAsync(HttpContext context)
    {
        HttpRequest request = context.Request;
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(
            context.RequestAborted, _readersEnd.Token);
        CancellationToken end = linked.Token;
        string? project = request.Query["project"];
        switch ((request.Method, request.Path.Value))
        {
            case ("GET", ControlProtocol.DaemonPath):
                DaemonView daemon = await controller.GetDaemonAsync(end);
                await WriteAsync(context, daemon, ControlJson.Default.DaemonView);
                break;
            case ("GET", ControlProtocol.MetricsPath):
                string page = await controller.GetMetricsAsync(end);
                context.Response.ContentType = PrometheusText.ContentType;
                await context.Response.WriteAsync(page, end);
                break;
            case ("GET", ControlProtocol.InstancesPath):
                ImmutableArray<InstanceView> instances = await controller.ListAsync(project, end);
                await WriteAsync(
                    context, instances, ControlJson.Default.ImmutableArrayInstanceView);
                break;
            case ("GET", ControlProtocol.EventsPath):
                await StreamAsync(
                    context,
                    controller.EventsAsync(project, end),
                    ControlJson.Default.InstanceEvent);
                break;
            case ("POST", ControlProtocol.LogsPath):
                LogQuery query = await ReadAsync(context, ControlJson.Default.LogQuery);
                await StreamAsync(
                    context, controller.LogsAsync(query, end), ControlJson.Default.LogLine);
                break;
            default:
                context.Response.StatusCode = StatusCodes.Status404NotFound;
                break;
        }
    }

    private static async Task<T> ReadAsync<T>(HttpContext context, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return await JsonSerializer.DeserializeAsync(
                    context.Request.Body, type, context.RequestAborted)
                ?? throw new JsonException("the body is null");
        }
        catch (JsonException fault)
        {
            throw new UserErrorException($"the request cannot be read: {fault.Message}");
        }
        catch (BadHttpRequestException fault)
        {
            throw new UserErrorException(fault.StatusCode == StatusCodes.Status413PayloadTooLarge
                ? ControlProtocol.RequestTooLarge
                : $"the request cannot be read: {fault.Message}");
        }
    }

    private static Task WriteAsync<T>(HttpContext context, T value, JsonTypeInfo<T> type)
    {
        context.Response.ContentType = ControlProtocol.JsonMediaType;
        return JsonSerializer.SerializeAsync(
            context.Response.Body, value, type, context.RequestAborted);
    }

    private async Task WriteErrorAsync(HttpContext context, Exception fault)
    {
        context.Response.StatusCode = fault is UserErrorException
            ? StatusCodes.Status400BadRequest
            : StatusCodes.Status500InternalServerError;
        await WriteAsync(context, Describe(fault), ControlJson.Default.ErrorBody);
    }

    /// <summary>
    /// Sends each item as one line as soon as it is there; items that are there at once travel
    /// together. Writes to a client that is gone are dropped by Kestrel, so the loop needs no case.
    /// </summary>
    private async Task StreamAsync<T>(
        HttpContext context, IAsyncEnumerable<T> items, JsonTypeInfo<T> type)
    {
        context.Response.ContentType = ControlProtocol.StreamMediaType;
        PipeWriter output = context.Response.BodyWriter;
        // The head goes out now, so that a client knows its call has begun.
        await output.FlushAsync();
        try
        {
            await using IAsyncEnumerator<T> reader = items.GetAsyncEnumerator();
            while (true)
            {
                ValueTask<bool> next = reader.MoveNextAsync();
                if (!next.IsCompleted || output.UnflushedBytes > MaxUnsentBytes)
                {
                    await output.FlushAsync();
                }

                if (!await next)
                {
                    break;
                }

                WriteLine(output, reader.Current, type);
            }
        }
        catch (OperationCanceledException) when (IsOver(context))
        {
            // The reader left, or the daemon ends: an end, not a fault.
            if (_endReason is { } reason)
            {
                WriteLine(output,
                    new ErrorBody(new ErrorDetail(reason, UserErrorException.Failed)),
                    ControlJson.Default.ErrorBody);
            }
        }
        catch (Exception fault)
        {
            WriteLine(output, Describe(fault), ControlJson.Default.ErrorBody);
        }

        await output.FlushAsync();
    }

    private bool IsOver(HttpContext context) =>
        context.RequestAborted.IsCancellationRequested || _readersEnd.IsCancellationRequested;

    private static void WriteLine<T>(PipeWriter output, T value, JsonTypeInfo<T> type)
    {
        using (var json = new Utf8JsonWriter(output))
        {
            JsonSerializer.Serialize(json, value, type);
        }

        output.Write("\n"u8);
    }

    private ErrorBody Describe(Exception fault)
    {
        switch (fault)
        {
            case UserErrorException mistake:
                return new ErrorBody(new ErrorDetail(mistake.Message, mistake.ExitCode));
            case OperationFailedException failure:
                return new ErrorBody(new ErrorDetail(failure.Message, UserErrorException.Failed));
            default:
                onFault(fault);
                return new ErrorBody(new ErrorDetail(
                    $"the daemon failed: {fault.Message} (see its log)",
                    UserErrorException.Failed));
        }
    }
}
