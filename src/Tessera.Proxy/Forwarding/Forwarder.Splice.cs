using Tessera.Linux;
using Tessera.Linux.Net;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Transports;

namespace Tessera.Proxy.Forwarding;

/// <summary>Long bodies, which go from socket to socket without being read.</summary>
internal sealed partial class Forwarder
{
    /// <summary>Below this a buffer costs less than a pipe.</summary>
    private const int MinSplicedBytes = 512 * 1_024;

    /// <summary>
    /// As the relay, through a pipe that is emptied before it is filled again: a client that is
    /// slow stops its endpoint once the pipe is full.
    /// </summary>
    private async ReactorTask<ProxyError> RelaySplicedAsync(Exchange exchange, SplicePipe pipe)
    {
        ReturnReply(exchange);
        Transport client = exchange.Client.Transport;
        Transport upstream = exchange.Upstream!.Transport;
        ProxyError error = ProxyError.None;
        for (int burst = 1; !error.IsError && !exchange.ReplyBody.IsComplete; burst++)
        {
            if (burst % RelayBurst == 0)
            {
                await _reactor.Yield(upstream.Handle.Read);
            }

            client.Handle.Watch(IoWatch.Broken, upstream.Handle.Read);
            SyscallResult filled = await upstream.FillAsync(
                pipe,
                exchange.ReplyBody.ReceiveLimit(PipeStock.PipeBytes),
                exchange.Limits.ReadTimeoutMs);
            client.Handle.Unwatch();
            if (!filled.IsSuccess || filled.Value == 0)
            {
                error = ReceiveFailed(exchange, filled);
                break;
            }

            exchange.ReplyBody.Skip(filled.IntValue);
            SyscallResult sent = await client.DrainAsync(
                pipe, filled.IntValue, _options.SendTimeoutMs);
            exchange.BodyBytesSent += client.Sent;
            error = sent.IsSuccess ? ProxyError.None : ClientSendFailed(sent);
        }

        _shard.Pipes.Return(pipe);
        return error;
    }
}
