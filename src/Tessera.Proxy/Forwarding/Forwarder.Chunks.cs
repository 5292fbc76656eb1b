using System.Buffers.Text;
using Tessera.Linux;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Transports;

namespace Tessera.Proxy.Forwarding;

/// <summary>
/// Bodies without a length, which go on in chunks of this proxy's own making, and the fields behind
/// them: nginx's chunked filter, proxy_pass_trailers and $upstream_trailer_….
/// </summary>
internal sealed partial class Forwarder
{
    /// <summary>The head of a chunk of the largest buffer, with its CRLF.</summary>
    private const int MaxChunkHeadBytes = 10;

    /// <summary>The end of a chunk, and the last chunk without fields behind it.</summary>
    private const int MaxTailBytes = 7;

    /// <summary>
    /// Relays a body to a client that is told in chunks where it ends and keeps its connection.
    /// </summary>
    private async ReactorTask<ProxyError> RelayInChunksAsync(Exchange exchange)
    {
        Transport client = exchange.Client.Transport;
        Transport upstream = exchange.Upstream!.Transport;
        var error = ProxyError.None;

        // What came with the head has left with it, unless there is a pace to keep to.
        bool isLeft = exchange.Pacer.IsLimited;
        for (int burst = 1; ; burst++)
        {
            if (isLeft)
            {
                int start = exchange.ReplyBodyStart;
                int data = TakeReplyData(exchange, start);
                if (exchange.ReplyBody.IsInvalid)
                {
                    return ProxyError.Of(
                        ProxyErrorKind.InvalidResponse, ProxyErrorSource.Upstream);
                }

                exchange.ReplyEnd = start + data;
                start = BeginChunk(exchange, start, data);
                int end = EndChunk(exchange, exchange.ReplyBodyStart, data);
                SyscallResult sent = await SendPacedAsync(
                    exchange, exchange.Reply, start, end - start);
                if (!sent.IsSuccess)
                {
                    return ClientSendFailed(sent);
                }
            }

            ReturnReply(exchange);
            if (exchange.ReplyBody.IsComplete || exchange.ReplyBody.IsInvalid)
            {
                return exchange.ReplyBody.IsComplete
                    ? ProxyError.None
                    : ProxyError.Of(ProxyErrorKind.InvalidResponse, ProxyErrorSource.Upstream);
            }

            if (burst % RelayBurst == 0)
            {
                await _reactor.Yield(upstream.Handle.Read);
            }

            error = exchange.Spool is null ? error : await MakeWayAsync(exchange);
            if (error.IsError || !TryWatchClient(exchange, ref error))
            {
                return error;
            }

            SyscallResult received = await upstream.ReceiveRentedAsync(
                _reactor.Buffers.RelayLength - MaxChunkHeadBytes - MaxTailBytes,
                MaxChunkHeadBytes,
                exchange.Limits.ReadTimeoutMs);
            client.Handle.Unwatch();
            bool isEnd = received is { IsSuccess: true, Value: 0 };
            if (!received.IsSuccess || (isEnd && !exchange.ReplyBody.TryEnd()))
            {
                return ReceiveFailed(exchange, received);
            }

            exchange.Reply = isEnd
                ? _reactor.Buffers.Rent(BufferPool.SmallBytes)
                : upstream.TakeReceived();
            exchange.ReplyBodyStart = MaxChunkHeadBytes;
            exchange.ReplyEnd = MaxChunkHeadBytes + received.IntValue;
            exchange.Store?.Take(exchange.Reply.AsSpan(MaxChunkHeadBytes, received.IntValue));
            isLeft = true;
        }
    }

    /// <summary>Room to leave behind data that becomes a chunk.</summary>
    private static int TailBytes(Exchange exchange) => MaxTailBytes
        + (PassesTrailers(exchange) ? exchange.UpstreamTrailers.Length : 0);

    private static bool PassesTrailers(Exchange exchange) =>
        exchange.Route?.Pass is { Config.PassesTrailers: true };

    /// <summary>Writes a chunk's head before its data; returns where it begins.</summary>
    private static int BeginChunk(Exchange exchange, int start, int data)
    {
        if (data == 0)
        {
            return start;
        }

        int length = ChunkHeadLength(data);
        var writer = new ByteWriter(exchange.Reply.AsSpan(start - length, length));
        WriteChunkHead(ref writer, data);
        return start - length;
    }

    /// <summary>
    /// Writes what follows the data of a chunk, and behind the last one the end of all, fields
    /// included where they pass. Returns where it ends. The buffer may be another one then.
    /// </summary>
    private int EndChunk(Exchange exchange, int start, int data)
    {
        int end = start + data;
        if (end + TailBytes(exchange) > exchange.Reply.Length)
        {
            byte[] larger = _reactor.Buffers.RentAny(end + TailBytes(exchange));
            exchange.Reply.AsSpan(0, end).CopyTo(larger);
            ReturnReply(exchange);
            exchange.Reply = larger;
        }

        var writer = new ByteWriter(exchange.Reply.AsSpan(end));
        writer.Write(data > 0 ? "\r\n"u8 : default);
        if (exchange.ReplyBody.IsComplete)
        {
            ReadOnlySpan<byte> trailers = PassesTrailers(exchange)
                ? exchange.UpstreamTrailers
                : default;
            writer.Write("0\r\n"u8);
            writer.Write(trailers.IsEmpty ? "\r\n"u8 : trailers[Exchange.TrailersStart..]);
        }

        return end + writer.Length;
    }

    private static int ChunkHeadLength(int length)
    {
        int digits = 1;
        for (int rest = length >> 4; rest > 0; rest >>= 4)
        {
            digits++;
        }

        return digits + 2;
    }

    private static void WriteChunkHead(ref ByteWriter writer, int length)
    {
        Span<byte> digits = stackalloc byte[MaxChunkHeadBytes];
        Utf8Formatter.TryFormat(length, digits, out int count, new('x'));
        writer.Write(digits[..count]);
        writer.Write("\r\n"u8);
    }
}
