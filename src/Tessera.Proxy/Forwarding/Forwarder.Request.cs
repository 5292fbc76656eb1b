using Tessera.Linux;
using Tessera.Linux.Net;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Transports;

namespace Tessera.Proxy.Forwarding;

/// <summary>The request's way: its body, piece by piece, to the endpoint.</summary>
internal sealed partial class Forwarder
{
    private static readonly byte[] ContinueReply =
        CreatePinned("HTTP/1.1 100 Continue\r\n\r\n"u8);

    /// <summary>
    /// Relays what is not in the client's buffer. Ends early, without an error, when the endpoint
    /// answers before it has read all: then <see cref="Exchange.RequestBody"/> stays incomplete.
    /// </summary>
    private async ReactorTask<ProxyError> RelayRequestBodyAsync(Exchange exchange)
    {
        Transport client = exchange.Client.Transport;
        Transport upstream = exchange.Upstream!.Transport;
        ProxyError error = await SendContinueAsync(exchange);
        for (int burst = 1; !error.IsError && !exchange.IsRequestSent; burst++)
        {
            if (burst % RelayBurst == 0)
            {
                await _reactor.Yield(client.Handle.Read);
            }

            // (1) The endpoint may have something to say.
            if (upstream.HasInput())
            {
                return ProxyError.None;
            }

            // (2) What is kept goes first. Then a piece from the client, unless the last one did
            // not leave.
            bool isStored = exchange.Stored is { IsSent: false };
            if (!isStored && exchange.PieceStart == exchange.PieceEnd)
            {
                upstream.Handle.Watch(IoWatch.Readable, client.Handle.Read);
                long startMs = _reactor.NowMs;
                // What lies behind the body may be a request, whose head will grow.
                SyscallResult received = await client.ReceiveRentedAsync(
                    exchange.RequestBody.ReceiveLimit(
                        _reactor.Buffers.RelayLength - RequestWriter.MaxAddedBytes),
                    0,
                    exchange.BodyFloor.TimeoutMs(
                        exchange.BodyTimeoutMs, _options.MinBodyBytesPerSecond));
                upstream.Handle.Unwatch();
                exchange.BodyFloor.Note(
                    _reactor.NowMs - startMs, Math.Max(0, received.Value),
                    _options.MinBodyBytesPerSecond);
                if (received.Errno == Errno.Canceled)
                {
                    continue;
                }

                if (!received.IsSuccess || received.Value == 0)
                {
                    return BodyReceiveFailed(received);
                }

                TakePiece(exchange, received.IntValue);
                if (exchange.IsBodyTooLarge)
                {
                    return ProxyError.Of(ProxyErrorKind.BodyTooLarge, ProxyErrorSource.Client);
                }
            }

            // (3) To the endpoint, unless it answers instead of reading.
            upstream.Handle.Watch(IoWatch.Readable, upstream.Handle.Write);
            byte[] buffer = PeekUnsent(exchange, isStored, out int start, out int length);
            if (length == 0 && isStored)
            {
                upstream.Handle.Unwatch();
                return NotKept(exchange.Stored!);
            }
            SyscallResult sent = await upstream.SendAsync(
                buffer, start, length, exchange.Limits.SendTimeoutMs);
            upstream.Handle.Unwatch();
            NoteBodySent(exchange, isStored, upstream.Sent);
            if (sent.Errno == Errno.Canceled)
            {
                continue;
            }

            error = NotePieceSent(exchange, sent);
            if (!sent.IsSuccess)
            {
                return error;
            }
        }

        return error;
    }

    /// <summary>
    /// A client that waits for it gets 100 now: there is an endpoint that takes its body (RFC 9110
    /// section 10.1.1). Expect itself is not passed on. nginx answers even who did not wait, and
    /// whoever wants the body only to throw it away (ngx_http_test_expect).
    /// </summary>
    public async ReactorTask<ProxyError> SendContinueAsync(Exchange exchange)
    {
        bool isHere = exchange.BodyInBuffer > 0 || exchange.RequestBody.IsComplete;
        if (!exchange.Request.ExpectsContinue || exchange.HasContinued || exchange.IsExpectTested
            || exchange.IsAsking
            || (isHere && exchange.Server is null && exchange.Route?.Pass is null))
        {
            return ProxyError.None;
        }

        exchange.HasContinued = true;
        SyscallResult sent = await exchange.Client.Transport.SendAsync(
            ContinueReply, 0, ContinueReply.Length, exchange.SendTimeoutMs);
        return sent.IsSuccess ? ProxyError.None : ClientSendFailed(sent);
    }

    private static byte[] PeekUnsent(
        Exchange exchange, bool isStored, out int start, out int length)
    {
        if (isStored)
        {
            return exchange.Stored!.PeekUnsent(out start, out length);
        }

        start = exchange.PieceStart;
        length = exchange.PieceEnd - start;
        return exchange.Piece;
    }

    private static void NoteBodySent(Exchange exchange, bool isStored, int length)
    {
        if (isStored)
        {
            exchange.Stored!.NoteSent(length);
        }
        else
        {
            exchange.PieceStart += length;
        }
    }

    /// <summary>Takes over what was received.</summary>
    private void TakePiece(Exchange exchange, int received)
    {
        exchange.Piece = exchange.Client.Transport.TakeReceived();
        exchange.PieceStart = 0;
        exchange.PieceEnd = TakeRequestBody(exchange, exchange.Piece.AsSpan(0, received));
        KeepPiece(exchange);
    }

    private ProxyError NotePieceSent(Exchange exchange, SyscallResult sent)
    {
        if (sent.IsSuccess)
        {
            ReturnPiece(exchange);
            return exchange.RequestBody.IsInvalid
                ? ProxyError.Of(ProxyErrorKind.InvalidBody, ProxyErrorSource.Client)
                : ProxyError.None;
        }

        // An endpoint that stops reading may have said why: its answer is worth a look.
        return sent.Errno == Errno.TimedOut
            ? UpstreamFailed(exchange, ProxyErrorKind.SendTimeout, sent.Errno)
            : ProxyError.None;
    }

    private void ReturnPiece(Exchange exchange)
    {
        _reactor.Buffers.Return(exchange.Piece);
        exchange.Piece = [];
        exchange.PieceStart = 0;
        exchange.PieceEnd = 0;
    }

    private static ProxyError BodyReceiveFailed(SyscallResult received) => ProxyError.Of(
        received.Errno == Errno.TimedOut
            ? ProxyErrorKind.ClientTimeout
            : ProxyErrorKind.ClientGone,
        ProxyErrorSource.Client);

    private static byte[] CreatePinned(ReadOnlySpan<byte> text)
    {
        byte[] bytes = GC.AllocateUninitializedArray<byte>(text.Length, pinned: true);
        text.CopyTo(bytes);
        return bytes;
    }
}
