using Tessera.Linux;
using Tessera.Proxy.Compression;
using Tessera.Proxy.Http;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Transports;

namespace Tessera.Proxy.Forwarding;

/// <summary>Responses whose bodies change on their way.</summary>
internal sealed partial class Forwarder
{
    /// <summary>Compressed data worth a send of its own while there is more to compress.</summary>
    private const int MinCompressedBytes = 16 * 1_024;

    /// <summary>
    /// As the relay, with the data changed in steps and framed in chunks of its own. Whatever
    /// has arrived is on its way to the client before the next is waited for, so a stream of events
    /// is as prompt as without.
    /// </summary>
    private async ReactorTask<ProxyError> RelayCompressedAsync(Exchange exchange)
    {
        Transport client = exchange.Client.Transport;
        Transport upstream = exchange.Upstream!.Transport;
        BodyCompressor compressor = exchange.BeginFilter();
        try
        {
            int start = exchange.ReplyBodyStart;
            while (true)
            {
                // (1) The data in what was received, step by step.
                int end = start + TakeReplyData(exchange, start);
                if (exchange.ReplyBody.IsInvalid)
                {
                    return ProxyError.Of(
                        ProxyErrorKind.InvalidResponse, ProxyErrorSource.Upstream);
                }

                do
                {
                    int step = Math.Min(end - start, compressor.StepLength);
                    bool isLast = start + step == end;
                    CompressionFlush flush = !isLast ? CompressionFlush.None
                        : exchange.ReplyBody.IsComplete ? CompressionFlush.Finish
                        : upstream.HasInput() ? CompressionFlush.None
                        : CompressionFlush.Flush;
                    if (!compressor.Write(exchange.Reply.AsSpan(start, step), flush))
                    {
                        return ProxyError.Of(
                            ProxyErrorKind.InvalidResponse, ProxyErrorSource.Upstream);
                    }

                    start += step;
                    ProxyError error = await SendCompressedAsync(exchange, compressor, flush);
                    if (error.IsError || flush == CompressionFlush.Finish)
                    {
                        return error;
                    }

                    await _reactor.Yield(client.Handle.Write);
                }
                while (start < end);

                // (2) More of it, or its end.
                start = 0;
                exchange.ReplyEnd = 0;
                ProxyError way = exchange.Spool is null
                    ? ProxyError.None
                    : await MakeWayAsync(exchange);
                if (way.IsError)
                {
                    return way;
                }

                client.Handle.Watch(IoWatch.Broken, upstream.Handle.Read);
                SyscallResult received = await upstream.ReceiveAsync(
                    exchange.Reply, 0, exchange.Reply.Length, exchange.Limits.ReadTimeoutMs);
                client.Handle.Unwatch();
                bool isEnd = received is { IsSuccess: true, Value: 0 }
                    && exchange.ReplyBody.TryEnd();
                if (!isEnd && (!received.IsSuccess || received.Value == 0))
                {
                    return ReceiveFailed(exchange, received);
                }

                exchange.ReplyEnd = received.IntValue;
                exchange.Store?.Take(exchange.Reply.AsSpan(0, received.IntValue));
            }
        }
        finally
        {
            _shard.Compressors.Return(compressor);
        }
    }

    /// <summary>
    /// What is in the buffer from <paramref name="start"/> on, without framing; its length.
    /// </summary>
    private static int TakeReplyData(Exchange exchange, int start)
    {
        if (exchange.ReplyBody.Framing == BodyFraming.Chunked)
        {
            return Unchunk(exchange, start);
        }

        int received = exchange.ReplyEnd - start;
        int length = exchange.ReplyBody.Take(exchange.Reply.AsSpan(start, received));
        exchange.HasExcess = length < received;
        return length;
    }

    private async ReactorTask<ProxyError> SendCompressedAsync(
        Exchange exchange, BodyCompressor compressor, CompressionFlush flush)
    {
        CompressedOutput output = compressor.Output;
        bool isLast = flush == CompressionFlush.Finish;
        bool isDue = isLast
            || (flush == CompressionFlush.Flush && output.Pending > 0)
            || output.Pending >= MinCompressedBytes;
        if (!isDue)
        {
            return ProxyError.None;
        }

        byte[] chunk = exchange.TakeChunk(output, isLast, out int start, out int length);
        SyscallResult sent = await SendPacedAsync(exchange, chunk, start, length);
        return sent.IsSuccess ? ProxyError.None : ClientSendFailed(sent);
    }
}
