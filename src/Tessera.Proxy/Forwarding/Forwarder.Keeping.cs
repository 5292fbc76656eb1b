using Tessera.Linux;
using Tessera.Linux.Net;
using Tessera.Proxy.Http;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Routing;
using Tessera.Proxy.Telemetry;
using Tessera.Proxy.Transports;

namespace Tessera.Proxy.Forwarding;

/// <summary>
/// Bodies of requests that are here before an endpoint is taken: nginx's proxy_request_buffering.
/// </summary>
internal sealed partial class Forwarder
{
    /// <summary>
    /// A body of known length stays in memory when it is larger than its buffer by no more than
    /// this part of it (ngx_http_read_client_request_body).
    /// </summary>
    private const int SpareShare = 4;

    private ReactorTask<ProxyError> PreparePassBodyAsync(Exchange exchange, PassRule rule)
    {
        if (exchange.IsAsking)
        {
            return new ReactorTask<ProxyError>(ProxyError.None);
        }

        exchange.SkipsBody = !rule.PassesBody;
        exchange.HasReadBody = true;
        if (exchange.HasWholeBody)
        {
            return new ReactorTask<ProxyError>(ProxyError.None);
        }

        bool isHere = exchange.RequestBody.IsComplete;
        bool isKept = exchange.SkipsBody || rule.Config.BuffersRequest;
        if (exchange.Request.IsChunked)
        {
            return isKept || isHere || !rule.Config.UsesHttp11
                ? KeepBodyAsync(exchange, rule)
                : RelayChunksAsync(exchange, rule);
        }

        return isKept && (IsForFile(exchange) || (!isHere && exchange.SkipsBody))
                ? KeepBodyAsync(exchange, rule)
            : isHere ? SendContinueAsync(exchange)
            : BufferBodyAsync(exchange);
    }

    /// <summary>
    /// Chunks go on as they came, so that only those go on which everybody reads alike.
    /// </summary>
    private ReactorTask<ProxyError> RelayChunksAsync(Exchange exchange, PassRule rule) =>
        exchange.RequestBody.TryBecomeStrict()
            ? BufferBodyAsync(exchange)
            : KeepBodyAsync(exchange, rule);

    private static bool IsForFile(Exchange exchange)
    {
        if (exchange.ClientRules?.Body is not { } keeping || exchange.Request.ContentLength < 0)
        {
            return false;
        }

        long room = keeping.MemoryBytes + (keeping.MemoryBytes / SpareShare);
        return keeping.FileUse != BodyFileUse.WhenLarge || exchange.Request.ContentLength > room;
    }

    /// <summary>
    /// Keeps the data of the whole body, of which an endpoint is then told the length: in memory,
    /// or in a file.
    /// </summary>
    private async ReactorTask<ProxyError> KeepBodyAsync(Exchange exchange, PassRule rule)
    {
        // What came with the head was counted as it is; its data is taken out now.
        Transport client = exchange.Client.Transport;
        BodyStore store = BeginKeeping(exchange, rule);
        RequestHead head = exchange.Request;
        exchange.RequestBody = exchange.NewBodyReader();
        ProxyError error = KeepData(
            exchange, exchange.Received.Slice(head.Length, exchange.BodyInBuffer));
        if (!error.IsError)
        {
            error = await SendContinueAsync(exchange);
        }

        while (!error.IsError && !exchange.RequestBody.IsComplete)
        {
            SyscallResult received = await client.ReceiveRentedAsync(
                exchange.RequestBody.ReceiveLimit(_reactor.Buffers.HeadBytes),
                0,
                exchange.BodyTimeoutMs);
            if (!received.IsSuccess || received.Value == 0)
            {
                return BodyReceiveFailed(received);
            }

            byte[] buffer = client.TakeReceived();
            error = KeepData(exchange, buffer.AsSpan(0, received.IntValue));
            _reactor.Buffers.Return(buffer);
            await _reactor.Yield(client.Handle.Read);
        }

        if (store.IsInFile && !error.IsError)
        {
            TellFile(exchange, store);
        }

        return error;
    }

    private void TellFile(Exchange exchange, BodyStore store)
    {
        ErrorLevel level = exchange.ClientRules!.Body!.FileUse == BodyFileUse.WhenLarge
            ? ErrorLevel.Warning
            : ErrorLevel.Notice;
        if (_shard.ErrorLog.Takes(exchange, level))
        {
            string path = LogEscape.ToText(store.FilePath);
            _shard.ErrorLog.Tell(
                exchange, level, $"a client request body is buffered to a temporary file {path}");
        }
    }

    private BodyStore BeginKeeping(Exchange exchange, PassRule rule)
    {
        BodyStore store = StoreOf(exchange);
        exchange.HasWholeBody = true;
        if (exchange.ClientRules?.Body is { } keeping)
        {
            store.KeepBy(keeping);
            bool isForFile = IsForFile(exchange)
                || (keeping.FileUse != BodyFileUse.WhenLarge && exchange.Request.IsChunked);
            if (isForFile && rule.Config.BuffersRequest)
            {
                store.TryMoveToFile();
            }
        }

        return store;
    }

    private static ProxyError KeepData(Exchange exchange, ReadOnlySpan<byte> received)
    {
        BodyStore store = exchange.Stored!;
        while (!received.IsEmpty && !exchange.RequestBody.IsComplete)
        {
            int taken = exchange.RequestBody.TakeData(received, out int start, out int length);
            if (exchange.RequestBody.IsInvalid)
            {
                return ProxyError.Of(ProxyErrorKind.InvalidBody, ProxyErrorSource.Client);
            }

            if (exchange.IsBodyTooLarge)
            {
                return ProxyError.Of(ProxyErrorKind.BodyTooLarge, ProxyErrorSource.Client);
            }

            if (store.Errno != 0 || !store.TryAppend(received.Slice(start, length)))
            {
                return NotKept(store);
            }

            received = received[taken..];
        }

        if (!received.IsEmpty)
        {
            exchange.Client.KeepForNext(received);
        }

        return ProxyError.None;
    }
}
