using Tessera.Linux;
using Tessera.Linux.Net;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Transports;

namespace Tessera.Proxy.Forwarding;

/// <summary>Responses that leave no quicker than their route allows: nginx's limit_rate.</summary>
internal sealed partial class Forwarder
{
    /// <summary>
    /// Sends a piece of a response's body in as many parts as the pace asks for; at once when there
    /// is none. ECANCELED when the client went away meanwhile.
    /// </summary>
    public async ReactorTask<SyscallResult> SendPacedAsync(
        Exchange exchange, byte[] buffer, int start, int length)
    {
        if (exchange.MaySpool)
        {
            return await SendPieceAsync(exchange, buffer, start, length);
        }

        Transport client = exchange.Client.Transport;
        for (int end = start + length; start < end;)
        {
            int allowed = exchange.Pacer.Allow(end - start, _reactor.NowMs);
            if (allowed == 0)
            {
                if (!await RestForPaceAsync(exchange))
                {
                    return SyscallResult.Failure(Errno.Canceled);
                }

                continue;
            }

            SyscallResult sent = await client.SendAsync(
                buffer, start, allowed, exchange.SendTimeoutMs);
            exchange.BodyBytesSent += client.Sent;
            if (!sent.IsSuccess)
            {
                return sent;
            }

            exchange.Pacer.NoteSent(allowed);
            start += allowed;
        }

        return SyscallResult.Success(length);
    }

    /// <summary>Until the next piece is due; false when the client is gone.</summary>
    public ReactorTask<bool> RestForPaceAsync(Exchange exchange)
    {
        exchange.NotePaced();
        return RestAsync(exchange, exchange.Pacer.DelayMs(_reactor.NowMs), IoWatch.Broken);
    }

    /// <summary>
    /// Lets the time pass. False when the client went away meanwhile: when
    /// <paramref name="condition"/> has come about.
    /// </summary>
    public async ReactorTask<bool> RestAsync(Exchange exchange, int restMs, IoWatch condition)
    {
        IoHandle client = exchange.Client.Transport.Handle;
        if (client.IsBroken)
        {
            return false;
        }

        client.Watch(condition, exchange.Wait);
        SyscallResult rested = await _reactor.Start(
            exchange.Wait, IoKind.Wait, [], 0, 0, Math.Max(1, restMs));
        client.Unwatch();
        return rested.Errno == Errno.TimedOut;
    }

    /// <summary>
    /// The whole body, or what is left of it behind the head. What is not due yet stays with the
    /// endpoint: while it rests the exchange holds no buffer.
    /// </summary>
    private async ReactorTask<ProxyError> RelayPacedAsync(Exchange exchange)
    {
        // (1) What came with the head.
        int start = exchange.ReplyBodyStart;
        int length = TakeBody(exchange, exchange.Reply.AsSpan(start..exchange.ReplyEnd));
        SyscallResult sent = await SendPacedAsync(exchange, exchange.Reply, start, length);
        ReturnReply(exchange);
        if (!sent.IsSuccess)
        {
            return ClientSendFailed(sent);
        }

        var error = ProxyError.None;
        Transport client = exchange.Client.Transport;
        Transport upstream = exchange.Upstream!.Transport;
        for (int burst = 1; !exchange.ReplyBody.IsComplete; burst++)
        {
            if (exchange.ReplyBody.IsInvalid)
            {
                return ProxyError.Of(ProxyErrorKind.InvalidResponse, ProxyErrorSource.Upstream);
            }

            if (burst % RelayBurst == 0)
            {
                await _reactor.Yield(upstream.Handle.Read);
            }

            // (2) A piece as large as may leave now, once one may.
            int allowed = exchange.Pacer.Allow(_reactor.Buffers.RelayLength, _reactor.NowMs);
            if (allowed == 0)
            {
                if (!await RestForPaceAsync(exchange))
                {
                    return ProxyError.Of(ProxyErrorKind.ClientGone, ProxyErrorSource.Client);
                }

                continue;
            }

            if (!TryWatchClient(exchange, ref error))
            {
                return error;
            }

            SyscallResult received = await upstream.ReceiveRentedAsync(
                allowed, 0, exchange.Limits.ReadTimeoutMs);
            client.Handle.Unwatch();
            if (received is { IsSuccess: true, Value: 0 } && exchange.ReplyBody.TryEnd())
            {
                break;
            }

            if (!received.IsSuccess || received.Value == 0)
            {
                return ReceiveFailed(exchange, received);
            }

            // (3) To the client.
            byte[] buffer = upstream.TakeReceived();
            exchange.Store?.Take(buffer.AsSpan(0, received.IntValue));
            length = TakeBody(exchange, buffer.AsSpan(0, received.IntValue));
            sent = await client.SendAsync(buffer, 0, length, exchange.SendTimeoutMs);
            _reactor.Buffers.Return(buffer);
            exchange.BodyBytesSent += client.Sent;
            exchange.Pacer.NoteSent(client.Sent);
            if (!sent.IsSuccess)
            {
                return ClientSendFailed(sent);
            }
        }

        return ProxyError.None;
    }

    private static int TakeBody(Exchange exchange, ReadOnlySpan<byte> received)
    {
        int length = exchange.ReplyBody.Take(received);
        exchange.HasExcess = length < received.Length;
        return length;
    }

    /// <summary>
    /// How much to receive with a response's head. What cannot leave soon is not worth a large
    /// buffer.
    /// </summary>
    private int ReplyLength(Exchange exchange)
    {
        int size = exchange.Pacer.IsLimited
            ? _reactor.Buffers.HeadBytes
            : _reactor.Buffers.RelayLength;
        return size - exchange.ReplyStart - MaxTailBytes;
    }
}
