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

    /// <summary>The client is slow: what the pipe holds waits elsewhere.</summary>
    private bool TrySpoolHeld(Exchange exchange, SplicePipe pipe)
    {
        byte[] buffer = _reactor.Buffers.Rent(_reactor.Buffers.RelayBytes);
        bool isTaken = true;
        while (isTaken && pipe.Held > 0)
        {
            SyscallResult read = pipe.Read(buffer);
            isTaken = read is { IsSuccess: true, Value: > 0 }
                && TrySpool(exchange, buffer.AsSpan(0, read.IntValue));
        }

        _reactor.Buffers.Return(buffer);
        return isTaken;
    }

    /// <summary>
    /// As the relay, through a pipe that is emptied before it is filled again: a client that is
    /// slow stops its endpoint once the pipe is full. Ends early, without an error, where the
    /// kernel does not splice: nothing has been moved then.
    /// </summary>
    private async ReactorTask<ProxyError> RelaySplicedAsync(Exchange exchange, SplicePipe pipe)
    {
        Transport client = exchange.Client.Transport;
        Transport upstream = exchange.Upstream!.Transport;
        var error = ProxyError.None;
        int burstBytes = 0;
        try
        {
            while (!exchange.ReplyBody.IsComplete && TryWatchClient(exchange, ref error))
            {
                SyscallResult filled = await upstream.FillAsync(
                    pipe,
                    exchange.ReplyBody.ReceiveLimit(PipeStock.PipeBytes),
                    exchange.Limits.ReadTimeoutMs);
                client.Handle.Unwatch();
                if (filled.Errno is Errno.InvalidArgument or Errno.NoSuchCall
                    or Errno.NotPermitted)
                {
                    _shard.Pipes.GiveUp();
                    return ProxyError.None;
                }

                if (!filled.IsSuccess || filled.Value == 0)
                {
                    return ReceiveFailed(exchange, filled);
                }

                exchange.ReplyBody.Skip(filled.IntValue);
                SyscallResult sent = await client.DrainAsync(
                    pipe, filled.IntValue, SendTimeoutOf(exchange));
                exchange.BodyBytesSent += client.Sent;
                if (sent.Errno == Errno.TimedOut && exchange.MaySpool
                    && TrySpoolHeld(exchange, pipe))
                {
                    return ProxyError.None;
                }

                if (!sent.IsSuccess)
                {
                    return ClientSendFailed(sent);
                }

                burstBytes += filled.IntValue;
                if (burstBytes >= RelayBurstBytes && !exchange.ReplyBody.IsComplete)
                {
                    burstBytes = 0;
                    await _reactor.Yield(upstream.Handle.Read);
                }
            }

            return error;
        }
        finally
        {
            _shard.Pipes.Return(pipe);
        }
    }
}
