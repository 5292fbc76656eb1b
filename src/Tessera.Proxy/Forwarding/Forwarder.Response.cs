using Tessera.Linux;
using Tessera.Linux.Net;
using Tessera.Proxy.Compression;
using Tessera.Proxy.Http;
using Tessera.Proxy.Listening;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Transports;
using HttpMethod = Tessera.Proxy.Http.HttpMethod;

namespace Tessera.Proxy.Forwarding;

/// <summary>The response's way: receive its head, edit it, relay its body.</summary>
internal sealed partial class Forwarder
{
    /// <summary>
    /// Operations of a relay that may finish at once before others get their turn.
    /// </summary>
    private const int RelayBurst = 16;

    /// <summary>What one connection may move before others get their turn.</summary>
    private const int RelayBurstBytes = 1_024 * 1_024;

    /// <summary>Of all interim responses to a request: each begins the time-out anew.</summary>
    private const int MaxInterimBytes = 64 * 1_024;

    /// <summary>
    /// Takes over what was received first. <paramref name="isWhole"/> is false when the head of the
    /// final response is not complete yet.
    /// </summary>
    private ProxyError TakeReply(Exchange exchange, SyscallResult received, out bool isWhole)
    {
        isWhole = false;
        if (!received.IsSuccess || received.Value == 0)
        {
            return ReceiveFailed(exchange, received);
        }

        exchange.Reply = exchange.Upstream!.Transport.TakeReceived();
        exchange.ReplyEnd = exchange.ReplyStart + received.IntValue;
        return ParseReply(exchange, out isWhole);
    }

    private ProxyError ParseReply(Exchange exchange, out bool isWhole)
    {
        ResponseHead head = exchange.Response;
        ParseStatus status = head.Parse(
            exchange.Reply.AsSpan(exchange.ReplyStart..exchange.ReplyEnd),
            exchange.Route?.Pass?.Config.MaxHeadBytes ?? _options.MaxHeadBytes);
        if (status != ParseStatus.Complete && exchange.Route?.Pass is not null)
        {
            status = TakeAsBare(exchange, status);
        }

        if (status == ParseStatus.Complete)
        {
            exchange.Client.Listener.Learn(LearntProtocol.Http);
        }

        isWhole = status == ParseStatus.Complete
            && head.StatusCode is >= 200 or HttpStatus.SwitchingProtocols;
        bool isUnasked = head.StatusCode == HttpStatus.SwitchingProtocols
            && !exchange.IsUpgradeAsked;
        if (isWhole)
        {
            exchange.NoteUpstreamHead(_reactor.NowMs);
        }

        return status == ParseStatus.Invalid || (isWhole && isUnasked)
            ? UpstreamFailed(exchange, ProxyErrorKind.InvalidResponse)
            : ProxyError.None;
    }

    /// <summary>The head comes in pieces, or interim responses come before it.</summary>
    private async ReactorTask<ProxyError> ReceiveReplyHeadAsync(Exchange exchange)
    {
        IoHandle client = exchange.Client.Transport.Handle;
        Transport upstream = exchange.Upstream!.Transport;
        for (int burst = 1; ; burst++)
        {
            // A flood of interim responses must not keep the reactor from others.
            if (burst % RelayBurst == 0)
            {
                await _reactor.Yield(upstream.Handle.Read);
            }

            // An interim response (1xx) is complete: pass it on and look behind it.
            ProxyError error;
            if (exchange.Response.StatusCode != 0 && exchange.Response.Length > 0)
            {
                error = await PassInterimAsync(exchange);

                // It may have come amid the request's body, whose rest still has to go.
                if (!error.IsError && !exchange.IsRequestSent)
                {
                    error = await RelayRequestBodyAsync(exchange);
                }

                if (error.IsError)
                {
                    return error;
                }
            }
            else
            {
                // A receive into no room would look like the end of the stream.
                int room = exchange.Reply.Length - exchange.ReplyEnd;
                if (room == 0)
                {
                    return UpstreamFailed(exchange, ProxyErrorKind.InvalidResponse);
                }

                error = ProxyError.None;
                if (!TryWatchClient(exchange, ref error))
                {
                    return error;
                }

                SyscallResult received = await upstream.ReceiveAsync(
                    exchange.Reply, exchange.ReplyEnd, room, exchange.HeadTimeoutMs);
                client.Unwatch();
                if (!received.IsSuccess || received.Value == 0)
                {
                    return ReceiveFailed(exchange, received);
                }

                exchange.ReplyEnd += received.IntValue;
            }

            error = ParseReply(exchange, out bool isWhole);
            if (error.IsError || isWhole)
            {
                return error;
            }
        }
    }

    /// <summary>
    /// 1xx goes to the client (RFC 9110 section 15.2), except to HTTP/1.0 clients, which do not
    /// know it, and except 100 when it was answered here already.
    /// </summary>
    private async ReactorTask<ProxyError> PassInterimAsync(Exchange exchange)
    {
        ResponseHead head = exchange.Response;
        int start = exchange.ReplyStart;
        int end = start + head.Length;
        exchange.InterimBytes += head.Length;
        if (exchange.InterimBytes
            > (exchange.Route?.Pass?.Config.MaxHeadBytes ?? MaxInterimBytes))
        {
            return UpstreamFailed(exchange, ProxyErrorKind.InvalidResponse);
        }

        if (exchange.Route?.Pass is { } pass)
        {
            ProxyError error = await PassHintsAsync(exchange, pass);
            return error.IsError ? error : DropInterim(exchange, start, end);
        }

        bool isWanted = exchange.Request.MinorVersion == 1
            && !(head.StatusCode == 100 && exchange.HasContinued);
        if (isWanted)
        {
            exchange.HasPassedInterim = true;

            // What is for the server's own hop stays here (RFC 9110 section 7.6.1).
            int editedStart = ResponseEditor.Edit(
                head,
                exchange.Reply,
                start,
                ConnectionOption.Implied,
                keepsChunks: false,
                exchange.Route?.ResponseFields,
                added: default,
                date: default);
            SyscallResult sent = await exchange.Client.Transport.SendAsync(
                exchange.Reply, editedStart, end - editedStart, exchange.SendTimeoutMs);
            if (!sent.IsSuccess)
            {
                return ClientSendFailed(sent);
            }
        }

        return DropInterim(exchange, start, end);
    }

    /// <summary>
    /// What follows moves to the front, so that any number of interim responses has room.
    /// </summary>
    private static ProxyError DropInterim(Exchange exchange, int start, int end)
    {
        int left = exchange.ReplyEnd - end;
        exchange.Reply.AsSpan(end, left).CopyTo(exchange.Reply.AsSpan(start));
        exchange.ReplyEnd = start + left;
        exchange.Response.Reset();
        return ProxyError.None;
    }

    private ProxyError ReceiveFailed(Exchange exchange, SyscallResult received) =>
        received.Errno switch
        {
            Errno.Canceled => ProxyError.Of(ProxyErrorKind.ClientGone, ProxyErrorSource.Client),
            Errno.TimedOut => UpstreamFailed(exchange, ProxyErrorKind.ReadTimeout),
            _ => UpstreamFailed(exchange, ProxyErrorKind.Closed, received.Errno),
        };

    /// <summary>
    /// Makes the head the client's. Returns the bytes to send of what is in the buffer.
    /// </summary>
    private int EditReply(Exchange exchange)
    {
        if (exchange.Route?.Pass is { } pass)
        {
            return EditPassReply(exchange, pass);
        }

        ResponseHead head = exchange.Response;
        RequestHead request = exchange.Request;
        BodyFraming framing = head.BodyFor(request.Method);
        int headEnd = exchange.ReplyStart + head.Length;
        exchange.ReplyBodyStart = headEnd;
        exchange.Status = head.StatusCode;
        exchange.AddRouteFields();
        exchange.ReplyBody = new BodyReader(framing, head.ContentLength);

        if (exchange.Route?.Compression is { } compression)
        {
            exchange.ReplyCoding = ReplyCompression.Prepare(
                exchange, compression, framing, _shard.Compressors.HasRoom);
        }

        // Chunks mean nothing to an HTTP/1.0 client (RFC 9112 section 6.1): it gets the data alone,
        // and the end of the connection as its end.
        bool isCompressed = exchange.ReplyCoding != ContentCoding.Identity;
        bool keepsChunks = request.MinorVersion == 1 && !isCompressed;
        bool isUnchunked = framing == BodyFraming.Chunked && !keepsChunks;
        ConnectionOption option = exchange.Client.DecideConnection(
            exchange, isCompressed || (framing != BodyFraming.UntilClose && !isUnchunked));
        exchange.NoteReplyHead(_reactor.NowMs);
        exchange.ReplyStart = ResponseEditor.Edit(
            head,
            exchange.Reply,
            exchange.ReplyStart,
            option,
            keepsChunks,
            exchange.Route?.ResponseFields,
            exchange.AddedFields,
            _shard.Clock.HttpDate);
        exchange.HasReachedClient = true;
        exchange.NoteSentHead(exchange.Reply.AsSpan(exchange.ReplyStart..headEnd));
        bool isPaced = exchange.Pacer.IsLimited && !exchange.IsReplyComplete
            && head.StatusCode != HttpStatus.SwitchingProtocols;
        if (isUnchunked || isCompressed || isPaced)
        {
            return headEnd - exchange.ReplyStart;
        }

        ReadOnlySpan<byte> behind = exchange.Reply.AsSpan(headEnd..exchange.ReplyEnd);
        int body = head.StatusCode == HttpStatus.SwitchingProtocols
            ? behind.Length
            : exchange.ReplyBody.Take(behind);
        exchange.HasExcess = body < behind.Length;
        exchange.BodyBytesSent = body;
        return headEnd + body - exchange.ReplyStart;
    }

    /// <summary>
    /// The end of the last response leaves in one segment with the end of the connection, which is
    /// closed right after it.
    /// </summary>
    private IoOperation SendReply(Exchange exchange, int length)
    {
        Transport client = exchange.Client.Transport;
        bool isLast = exchange.IsReplyComplete && !exchange.FiltersNothing
            && !exchange.KeepsClient
            && exchange.Client.ClosesAtOnce;
        return isLast
            ? client.SendMoreAsync(
                exchange.Reply, exchange.ReplyStart, length, SendTimeoutOf(exchange))
            : client.SendAsync(
                exchange.Reply, exchange.ReplyStart, length, SendTimeoutOf(exchange));
    }

    private ProxyError NoteReplySent(Exchange exchange, SyscallResult sent, int length)
    {
        if (sent.IsSuccess)
        {
            return ProxyError.None;
        }

        int sentBytes = exchange.Client.Transport.Sent;
        int lost = length - sentBytes;
        exchange.BodyBytesSent = Math.Max(0, exchange.BodyBytesSent - lost);
        if (exchange.MaySpool && sent.Errno == Errno.TimedOut
            && TrySpool(
                exchange, exchange.Reply.AsSpan(exchange.ReplyStart + sentBytes, lost)))
        {
            return ProxyError.None;
        }

        return ClientSendFailed(sent);
    }

    private static ProxyError ClientSendFailed(SyscallResult sent) => ProxyError.Of(
        sent.Errno == Errno.TimedOut ? ProxyErrorKind.ClientStalled : ProxyErrorKind.ClientGone,
        ProxyErrorSource.Client);

    /// <summary>The rest of the body, in pieces of the relay buffer, until it ends.</summary>
    private ReactorTask<ProxyError> RelayReplyAsync(Exchange exchange)
    {
        if (exchange.Status == HttpStatus.SwitchingProtocols)
        {
            return TunnelAsync(exchange);
        }

        if (exchange.IsFiltered)
        {
            return RelayCompressedAsync(exchange);
        }

        bool isUnchunked = exchange.ReplyBody.Framing == BodyFraming.Chunked
            && (!exchange.TakesChunks || exchange.IsReplyBare);
        return exchange.AddsChunks ? RelayInChunksAsync(exchange)
            : isUnchunked ? RelayUnchunkedAsync(exchange)
            : exchange.Pacer.IsLimited ? RelayPacedAsync(exchange)
            : RelayAsItIsAsync(exchange);
    }

    private async ReactorTask<ProxyError> RelayAsItIsAsync(Exchange exchange)
    {
        ReturnReply(exchange);
        var error = ProxyError.None;
        if (exchange.ReplyBody.Remaining >= MinSplicedBytes
            && exchange.Store is null
            && _shard.Pipes.TryRent(_reactor.NowMs) is { } pipe)
        {
            error = await RelaySplicedAsync(exchange, pipe);
            if (error.IsError)
            {
                return error;
            }
        }

        Transport client = exchange.Client.Transport;
        Transport upstream = exchange.Upstream!.Transport;
        int burstBytes = 0;
        while (!exchange.ReplyBody.IsComplete)
        {
            if (burstBytes >= RelayBurstBytes)
            {
                burstBytes = 0;
                await _reactor.Yield(upstream.Handle.Read);
            }

            error = exchange.Spool is null ? error : await MakeWayAsync(exchange);
            if (error.IsError)
            {
                return error;
            }

            if (!TryWatchClient(exchange, ref error))
            {
                return error;
            }

            SyscallResult received = await upstream.ReceiveRentedAsync(
                _reactor.Buffers.RelayLength, 0, exchange.Limits.ReadTimeoutMs);
            client.Handle.Unwatch();
            if (received is { IsSuccess: true, Value: 0 } && exchange.ReplyBody.TryEnd())
            {
                break;
            }

            if (!received.IsSuccess || received.Value == 0)
            {
                return ReceiveFailed(exchange, received);
            }

            burstBytes += received.IntValue;
            byte[] buffer = upstream.TakeReceived();
            exchange.Store?.Take(buffer.AsSpan(0, received.IntValue));
            int length = TakeBody(exchange, buffer.AsSpan(0, received.IntValue));
            SyscallResult sent;
            if (exchange.MaySpool)
            {
                sent = await SendPieceAsync(exchange, buffer, 0, length);
            }
            else
            {
                sent = await client.SendAsync(buffer, 0, length, exchange.SendTimeoutMs);
                exchange.BodyBytesSent += client.Sent;
            }

            _reactor.Buffers.Return(buffer);
            if (!sent.IsSuccess)
            {
                return ClientSendFailed(sent);
            }

            if (exchange.ReplyBody.IsInvalid)
            {
                return ProxyError.Of(ProxyErrorKind.InvalidResponse, ProxyErrorSource.Upstream);
            }
        }

        return ProxyError.None;
    }

    /// <summary>
    /// As the relay, for an HTTP/1.0 client: the data of the chunks without their framing.
    /// </summary>
    private async ReactorTask<ProxyError> RelayUnchunkedAsync(Exchange exchange)
    {
        Transport client = exchange.Client.Transport;
        Transport upstream = exchange.Upstream!.Transport;
        int start = exchange.ReplyBodyStart;
        for (int burst = 1; ; burst++)
        {
            int length = Unchunk(exchange, start);
            SyscallResult sent = await SendPacedAsync(exchange, exchange.Reply, start, length);
            if (!sent.IsSuccess)
            {
                return ClientSendFailed(sent);
            }

            if (exchange.ReplyBody.IsComplete)
            {
                return ProxyError.None;
            }

            if (exchange.ReplyBody.IsInvalid)
            {
                return ProxyError.Of(ProxyErrorKind.InvalidResponse, ProxyErrorSource.Upstream);
            }

            if (burst % RelayBurst == 0)
            {
                await _reactor.Yield(upstream.Handle.Read);
            }

            start = 0;
            ProxyError error = exchange.Spool is null
                ? ProxyError.None
                : await MakeWayAsync(exchange);
            if (error.IsError || !TryWatchClient(exchange, ref error))
            {
                return error;
            }

            SyscallResult received = await upstream.ReceiveAsync(
                exchange.Reply, 0, exchange.Reply.Length, exchange.Limits.ReadTimeoutMs);
            client.Handle.Unwatch();
            if (!received.IsSuccess || received.Value == 0)
            {
                return ReceiveFailed(exchange, received);
            }

            exchange.ReplyEnd = received.IntValue;
            exchange.Store?.Take(exchange.Reply.AsSpan(0, received.IntValue));
        }
    }

    /// <summary>
    /// Moves the data between <paramref name="start"/> and the end together. Returns its length.
    /// </summary>
    private static int Unchunk(Exchange exchange, int start)
    {
        int read = start;
        int write = start;
        while (read < exchange.ReplyEnd)
        {
            Span<byte> rest = exchange.Reply.AsSpan(read..exchange.ReplyEnd);
            bool isTrailer = exchange.ReplyBody.IsInTrailers && exchange.Route?.Pass is not null;
            int taken = exchange.ReplyBody.TakeChunkData(
                rest, out int dataStart, out int dataLength);
            if (isTrailer)
            {
                exchange.NoteTrailers(rest[..taken]);
            }

            rest.Slice(dataStart, dataLength).CopyTo(exchange.Reply.AsSpan(write));
            write += dataLength;
            read += taken;
            if (taken == 0)
            {
                break;
            }
        }

        exchange.HasExcess = read < exchange.ReplyEnd;
        return write - start;
    }
}
