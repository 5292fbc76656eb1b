using Tessera.Linux;
using Tessera.Proxy.Http;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Transports;

namespace Tessera.Proxy.Forwarding;

/// <summary>
/// Bodies of requests that are kept: to spare an endpoint a slow client, and to be sent again.
/// </summary>
internal sealed partial class Forwarder
{
    /// <summary>
    /// Receives the body as far as the configuration wants it here before an endpoint is taken:
    /// nginx's proxy_request_buffering, in memory and bounded. What does not fit is streamed
    /// behind what is here.
    /// </summary>
    private async ReactorTask<ProxyError> BufferBodyAsync(Exchange exchange)
    {
        RetryConfig config = exchange.Route?.Config.Retry ?? exchange.Backend.Current.Config.Retry;
        long limit = config.BufferBytes - exchange.BodyInBuffer;
        if (limit <= 0)
        {
            return ProxyError.None;
        }

        Transport client = exchange.Client.Transport;
        BodyStore store = StoreOf(exchange);
        ProxyError error = await SendContinueAsync(exchange);
        for (int burst = 1; !error.IsError && !exchange.RequestBody.IsComplete; burst++)
        {
            if (burst % RelayBurst == 0)
            {
                await _reactor.Yield(client.Handle.Read);
            }

            if (store.Length >= limit
                || store.TryReserve(out int start, out int room) is not { } buffer)
            {
                break;
            }

            long startMs = _reactor.NowMs;
            SyscallResult received = await client.ReceiveAsync(
                buffer,
                start,
                exchange.RequestBody.ReceiveLimit(room),
                exchange.BodyFloor.TimeoutMs(
                    exchange.BodyTimeoutMs, _options.MinBodyBytesPerSecond));
            exchange.BodyFloor.Note(
                _reactor.NowMs - startMs,
                Math.Max(0, received.Value),
                _options.MinBodyBytesPerSecond);
            if (!received.IsSuccess || received.Value == 0)
            {
                return BodyReceiveFailed(received);
            }

            bool isKept = store.TryNoteReceived(
                TakeRequestBody(exchange, buffer.AsSpan(start, received.IntValue)));
            error = !isKept ? NotKept(store)
                : exchange.RequestBody.IsInvalid
                    ? ProxyError.Of(ProxyErrorKind.InvalidBody, ProxyErrorSource.Client)
                : exchange.IsBodyTooLarge
                    ? ProxyError.Of(ProxyErrorKind.BodyTooLarge, ProxyErrorSource.Client)
                : ProxyError.None;
        }

        return error;
    }

    /// <summary>
    /// How much of what was received is the body's. What lies behind its end is the next request.
    /// </summary>
    private static int TakeRequestBody(Exchange exchange, ReadOnlySpan<byte> received)
    {
        int taken = exchange.RequestBody.Take(received);
        if (exchange.RequestBody.IsComplete && taken < received.Length)
        {
            exchange.Client.KeepForNext(received[taken..]);
        }

        return taken;
    }

    /// <summary>
    /// Keeps a copy of the piece while all of the body can be kept; from the first piece that
    /// cannot, none is of any use.
    /// </summary>
    private void KeepPiece(Exchange exchange)
    {
        if (exchange.IsStreamed)
        {
            return;
        }

        ReadOnlySpan<byte> piece =
            exchange.Piece.AsSpan(exchange.PieceStart, exchange.PieceEnd - exchange.PieceStart);
        long limit = exchange.Retries.ReplayLimit(exchange);
        long whole = exchange.RequestBody.Framing == BodyFraming.Length
            ? exchange.Request.ContentLength - exchange.BodyInBuffer
            : (exchange.Stored?.Length ?? 0) + piece.Length;
        if (whole > limit || !StoreOf(exchange).TryAppendSent(piece))
        {
            exchange.IsStreamed = true;
            exchange.Stored?.Release();
        }
    }

    private BodyStore StoreOf(Exchange exchange) =>
        exchange.Stored ??= new BodyStore(_shard.KeptBodies);

    private static ProxyError NotKept(BodyStore store) => new(
        ProxyErrorKind.BodyNotKept, ProxyErrorSource.Proxy, IsRetryable: false, store.Errno);
}
