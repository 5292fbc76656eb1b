using Tessera.Linux;
using Tessera.Proxy.Answers;
using Tessera.Proxy.Compression;
using Tessera.Proxy.Http;
using Tessera.Proxy.Reactors;

namespace Tessera.Proxy.Forwarding;

/// <summary>Answers in a route's style: nginx's pages, its fields, its rules of closing.</summary>
internal sealed partial class ClientConnection
{
    /// <summary>A head without what a route adds to it.</summary>
    private const int StyledHeadBytes = 2_048;

    /// <summary>
    /// The page of the exchange's status, or nothing for those that close without a word. False
    /// when the client is gone.
    /// </summary>
    private ReactorTask<bool> AnswerInStyleAsync(
        Exchange exchange, AnswerStyle style, ConnectionOption option)
    {
        byte[] page = Reactor.Buffers.Rent(MaxReplyBytes);
        ReadOnlySpan<byte> type = "text/html"u8;
        int length = WritePage(exchange, style, page, ref type);
        return SendTextAsync(exchange, style, page, length, type.ToArray(), option);
    }

    /// <summary>Nothing is said to these clients: nginx's 444, 408 and 499.</summary>
    private static bool IsSilent(int status) => status is 408 or 444 or 499;

    private static int WritePage(
        Exchange exchange, AnswerStyle style, byte[] buffer, ref ReadOnlySpan<byte> type)
    {
        var page = new ByteWriter(buffer);
        bool isRedirect = exchange.Status is 301 or 302;
        if (isRedirect && style.Config.RefreshesPages && exchange.IsMsie
            && !exchange.RedirectLocation.IsEmpty)
        {
            StatusPage.WriteRefresh(ref page, exchange.RedirectLocation);
            exchange.SetRedirect(default);
            exchange.Status = 200;
            return page.Length;
        }

        // nginx answers these as kinds of 400 (NGX_HTTP_NGINX_CODES).
        ReadOnlySpan<byte> detail = exchange.Status switch
        {
            431 or 494 => "Request Header Or Cookie Too Large"u8,
            495 => "The SSL certificate error"u8,
            496 => "No required SSL certificate was sent"u8,
            497 => "The plain HTTP request was sent to HTTPS port"u8,
            _ => default,
        };
        exchange.Status = detail.IsEmpty ? exchange.Status : 400;
        bool isPadded = exchange.Status >= 400 && style.Config.PadsPages
            && exchange.WantsLongPages && !exchange.Request.IsSimple;
        if (!StatusPage.TryWrite(
            ref page,
            exchange.Status,
            detail,
            style,
            isPadded))
        {
            type = default;
        }

        return page.Length;
    }

    /// <summary>
    /// A text with its head. The buffer is of the pool, and is given back.
    /// </summary>
    private async ReactorTask<bool> SendTextAsync(
        Exchange exchange,
        AnswerStyle style,
        byte[] text,
        int length,
        byte[] type,
        ConnectionOption option)
    {
        exchange.AddRouteFields();
        bool hasBody = exchange.SendsBody;
        exchange.PrepareFilters(exchange.Status, type, length, coding: default, default);
        if (exchange.IsFiltered)
        {
            option = DecideConnection(
                exchange, isDelimited: exchange.TakesChunks || !hasBody || !exchange.LosesLength);
            text = FilterText(exchange, text, ref length);
        }

        byte[] buffer = Reactor.Buffers.RentAny(
            StyledHeadBytes + exchange.AddedFields.Length + exchange.RedirectLocation.Length
            + length);
        int headLength = WriteStyledHead(exchange, style, buffer, length, type, option);
        int sentLength = headLength;
        if (hasBody)
        {
            text.AsSpan(0, length).CopyTo(buffer.AsSpan(headLength));
            sentLength += length;
            exchange.BodyBytesSent = length;
        }

        Reactor.Buffers.Return(text);
        exchange.HasReachedClient = true;
        exchange.NoteSentHead(buffer.AsSpan(0, sentLength));
        SyscallResult sent = await Transport.SendAsync(
            buffer, 0, sentLength, exchange.SendTimeoutMs);
        Reactor.Buffers.Return(buffer);
        return NoteAnswered(exchange, sent);
    }

    /// <summary>
    /// The text as it leaves, with its framing, in a buffer that takes the first one's place.
    /// </summary>
    private byte[] FilterText(Exchange exchange, byte[] text, ref int length)
    {
        BodyCompressor filter = exchange.BeginFilter();
        filter.Write(text.AsSpan(0, length), CompressionFlush.Finish);
        byte[] chunk = exchange.TakeChunk(filter.Output, isLast: true, out int start, out length);
        byte[] filtered = Reactor.Buffers.RentAny(length);
        chunk.AsSpan(start, length).CopyTo(filtered);
        _shard.Compressors.Return(filter);
        Reactor.Buffers.Return(text);
        return filtered;
    }

    private int WriteStyledHead(
        Exchange exchange, AnswerStyle style, byte[] buffer, int length, byte[] type,
        ConnectionOption option)
    {
        var writer = new ByteWriter(buffer);
        bool isCompressed = exchange.ReplyCoding == ContentCoding.Gzip;
        var head = new AnswerHead(exchange.Status)
        {
            Type = type,
            Length = exchange.LosesLength ? -1 : length,
            IsChunked = exchange.LosesLength && exchange.TakesChunks && exchange.SendsBody,
            LastModified = exchange.ModifiedSeconds >= 0 && !exchange.LosesValidators
                ? HttpDate.Format(exchange.ModifiedSeconds)
                : default,
            Varies = exchange.Varies,
            TrailingLines = isCompressed ? "Content-Encoding: gzip\r\n"u8 : default,
        };
        AnswerHead.Write(ref writer, head, style, exchange, option, _shard.Clock);
        return writer.Length;
    }

    /// <summary>
    /// Reads on to the end of a body that nobody wanted, so that the next request can follow. False
    /// when it does not come in time.
    /// </summary>
    private async ReactorTask<bool> DiscardBodyAsync(Exchange exchange)
    {
        ClientConfig rules = exchange.ClientRules ?? ClientConfig.Default;
        long deadlineMs = Reactor.NowMs + rules.LingerMs;
        while (!exchange.RequestBody.IsComplete)
        {
            long leftMs = Math.Min(rules.LingerIdleMs, deadlineMs - Reactor.NowMs);
            if (leftMs <= 0)
            {
                return false;
            }

            SyscallResult received = await Transport.ReceiveRentedAsync(
                Reactor.Buffers.HeadBytes, 0, (int)leftMs);
            if (!received.IsSuccess || received.Value == 0)
            {
                return false;
            }

            byte[] buffer = Transport.TakeReceived();
            int taken = exchange.RequestBody.Take(buffer.AsSpan(0, received.IntValue));
            if (exchange.RequestBody.IsComplete && taken < received.IntValue)
            {
                KeepForNext(buffer.AsSpan(taken, received.IntValue - taken));
            }

            Reactor.Buffers.Return(buffer);
            if (exchange.RequestBody.IsInvalid)
            {
                return false;
            }

            await Reactor.Yield(Transport.Handle.Read);
        }

        return true;
    }
}
