using Tessera.Linux;
using Tessera.Linux.Files;
using Tessera.Proxy.Answers;
using Tessera.Proxy.Compression;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Reactors;

namespace Tessera.Proxy.Files;

/// <summary>Files whose bodies change on their way.</summary>
internal sealed partial class FileServer
{
    /// <summary>
    /// A file that was compressed beforehand (ngx_http_gzip_static_module). Null when there is
    /// none, or this client gets the file itself; else acquired.
    /// </summary>
    private OpenFile? FindPrecompressed(Exchange exchange, DocumentSite site)
    {
        DocumentsConfig config = site.Config;
        if (!config.IsPrecompressed && !config.IsAlwaysPrecompressed)
        {
            return null;
        }

        GzipRule? rule = exchange.Route!.Gzip;
        bool isTaken = config.IsAlwaysPrecompressed
            || rule?.IsTakenBy(exchange, default) == true;
        if ((!isTaken && rule?.SaysVary != true) || _nameLength + 4 > MaxNameBytes)
        {
            return null;
        }

        int length = _nameLength;
        ".gz\0"u8.CopyTo(_name.AsSpan(length));
        _nameLength += 3;
        LookUp found = LookUpName();
        _nameLength = length;
        _name[length] = 0;
        exchange.Varies = found.File is not null && config.IsPrecompressed
            && rule?.SaysVary == true;
        if (found.File is null || !isTaken)
        {
            return null;
        }

        found.File.Acquire();
        return found.File;
    }

    /// <summary>The head, then the body step by step, in chunks or until the end.</summary>
    private async ReactorTask<ProxyError> SendFilteredAsync(
        Exchange exchange, DocumentReply reply)
    {
        ConnectionOption option = exchange.Client.DecideConnection(
            exchange,
            isDelimited: exchange.TakesChunks || !exchange.SendsBody || !exchange.LosesLength);
        byte[] head = _reactor.Buffers.Rent(
            HeadBytes + reply.Type.Length + exchange.AddedFields.Length);
        int length = reply.WriteHead(head, exchange, option, _shard.Clock);
        exchange.HasReachedClient = true;
        exchange.NoteSentHead(head.AsSpan(0, length));
        SyscallResult sent = exchange.SendsBody
            ? await exchange.Client.Transport.SendMoreAsync(
                head, 0, length, exchange.SendTimeoutMs)
            : await exchange.Client.Transport.SendAsync(head, 0, length, exchange.SendTimeoutMs);
        _reactor.Buffers.Return(head);
        return !sent.IsSuccess ? SendFailed(sent)
            : exchange.SendsBody ? await SendFilteredBodyAsync(exchange, reply)
            : ProxyError.None;
    }

    private async ReactorTask<ProxyError> SendFilteredBodyAsync(
        Exchange exchange, DocumentReply reply)
    {
        OpenFile file = reply.File;
        byte[] buffer = _reactor.Buffers.Rent(BodyCompressor.StepBytes);
        BodyCompressor filter = exchange.BeginFilter();
        try
        {
            long done = 0;
            do
            {
                int step = (int)Math.Min(filter.StepLength, reply.Length - done);
                if (!TryRead(file, buffer.AsSpan(0, step), reply.Offset + done))
                {
                    return FileChanged(file);
                }

                done += step;
                bool isLast = done == reply.Length;
                if (!filter.Write(
                    buffer.AsSpan(0, step),
                    isLast ? CompressionFlush.Finish : CompressionFlush.None))
                {
                    return ProxyError.Of(ProxyErrorKind.FileChanged, ProxyErrorSource.Proxy);
                }

                if (isLast || filter.Output.Pending >= MinChunkBytes)
                {
                    byte[] chunk = exchange.TakeChunk(
                        filter.Output, isLast, out int start, out int length);
                    SyscallResult sent = await _shard.Forwarder.SendPacedAsync(
                        exchange, chunk, start, length);
                    if (!sent.IsSuccess)
                    {
                        return SendFailed(sent);
                    }
                }

                await _reactor.Yield(exchange.Client.Transport.Handle.Write);
            }
            while (done < reply.Length);

            return ProxyError.None;
        }
        finally
        {
            _shard.Compressors.Return(filter);
            _reactor.Buffers.Return(buffer);
        }
    }

    /// <summary>
    /// The page is said to have no length, so it goes in chunks, or until the connection ends.
    /// </summary>
    private async ReactorTask<ProxyError> SendListingAsync(
        Exchange exchange, byte[] page, byte[] type)
    {
        exchange.AddRouteFields();
        exchange.IsUnsized = true;
        exchange.PrepareFilters(exchange.Status, type, -1, coding: default, default);
        ConnectionOption option = exchange.Client.DecideConnection(
            exchange, isDelimited: exchange.TakesChunks || !exchange.SendsBody);
        byte[] head = _reactor.Buffers.Rent(HeadBytes + exchange.AddedFields.Length);
        int length = WriteListingHead(exchange, type, option, head);
        exchange.HasReachedClient = true;
        exchange.NoteSentHead(head.AsSpan(0, length));
        SyscallResult sent = exchange.SendsBody
            ? await exchange.Client.Transport.SendMoreAsync(
                head, 0, length, exchange.SendTimeoutMs)
            : await exchange.Client.Transport.SendAsync(head, 0, length, exchange.SendTimeoutMs);
        _reactor.Buffers.Return(head);
        if (!sent.IsSuccess || !exchange.SendsBody)
        {
            return sent.IsSuccess ? ProxyError.None : SendFailed(sent);
        }

        BodyCompressor filter = exchange.BeginFilter();
        try
        {
            int done = 0;
            do
            {
                int step = Math.Min(filter.StepLength, page.Length - done);
                bool isLast = done + step == page.Length;
                filter.Write(
                    page.AsSpan(done, step),
                    isLast ? CompressionFlush.Finish : CompressionFlush.None);
                done += step;
                byte[] chunk = exchange.TakeChunk(
                    filter.Output, isLast, out int start, out int bytes);
                sent = await _shard.Forwarder.SendPacedAsync(exchange, chunk, start, bytes);
                await _reactor.Yield(exchange.Client.Transport.Handle.Write);
            }
            while (sent.IsSuccess && done < page.Length);

            return sent.IsSuccess ? ProxyError.None : SendFailed(sent);
        }
        finally
        {
            _shard.Compressors.Return(filter);
        }
    }

    private int WriteListingHead(
        Exchange exchange, byte[] type, ConnectionOption option, byte[] buffer)
    {
        var writer = new ByteWriter(buffer);
        var head = new AnswerHead(exchange.Status)
        {
            Type = type,
            IsChunked = exchange.TakesChunks && exchange.SendsBody,
            Varies = exchange.Varies,
            TrailingLines = exchange.ReplyCoding == ContentCoding.Gzip
                ? "Content-Encoding: gzip\r\n"u8
                : default,
        };
        AnswerHead.Write(ref writer, head, exchange.Style!, exchange, option, _shard.Clock);
        return writer.Length;
    }

    private static bool TryRead(OpenFile file, Span<byte> step, long offset)
    {
        if (file.Content is { } content)
        {
            content.AsSpan((int)offset, step.Length).CopyTo(step);
            return true;
        }

        SyscallResult read = FileCalls.Read(file.Descriptor, step, offset);
        return read.IsSuccess && read.Value == step.Length && !HasChanged(file);
    }
}
