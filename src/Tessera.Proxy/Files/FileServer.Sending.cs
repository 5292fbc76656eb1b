using Tessera.Linux;
using Tessera.Linux.Files;
using Tessera.Linux.Net;
using Tessera.Proxy.Compression;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Transports;
using HttpMethod = Tessera.Proxy.Http.HttpMethod;

namespace Tessera.Proxy.Files;

/// <summary>The bodies: from memory, from the disk, in parts, compressed, or a list.</summary>
internal sealed partial class FileServer
{
    /// <summary>
    /// Content that is copied behind its head, so that one call sends both; copying more would cost
    /// more than a second call.
    /// </summary>
    private const int MaxCopiedBytes = 16 * 1_024;

    /// <summary>Sent of a large file before others get their turn.</summary>
    private const int TurnBytes = 1_024 * 1_024;

    /// <summary>Compressed data worth a send of its own.</summary>
    private const int MinChunkBytes = 16 * 1_024;

    /// <summary>The head of an answer or of a part; what follows it leaves with it.</summary>
    /// <param name="isAll">Nothing follows.</param>
    private static IoOperation SendHead(
        Exchange exchange, byte[] buffer, int length, bool isAll) => isAll
        ? exchange.Client.Transport.SendAsync(buffer, 0, length, exchange.SendTimeoutMs)
        : exchange.Client.Transport.SendMoreAsync(buffer, 0, length, exchange.SendTimeoutMs);

    /// <summary>
    /// Bytes of the file or of its content. A file that changes while it is sent ends the
    /// connection: what was announced cannot be kept any more.
    /// </summary>
    private async ReactorTask<ProxyError> SendPartAsync(
        Exchange exchange, OpenFile file, byte[]? content, long offset, long length)
    {
        Transport client = exchange.Client.Transport;
        if (content is not null)
        {
            SyscallResult sent = await _shard.Forwarder.SendPacedAsync(
                exchange, content, (int)offset, (int)length);
            return sent.IsSuccess ? ProxyError.None : SendFailed(sent);
        }

        for (long done = 0; done < length;)
        {
            int turn = exchange.Pacer.Allow(
                (int)Math.Min(length - done, TurnBytes), _reactor.NowMs);
            if (turn == 0)
            {
                if (!await _shard.Forwarder.RestForPaceAsync(exchange))
                {
                    return ProxyError.Of(ProxyErrorKind.ClientGone, ProxyErrorSource.Client);
                }

                continue;
            }

            if (done > 0)
            {
                await _reactor.Yield(client.Handle.Write);
                if (HasChanged(file))
                {
                    return FileChanged(file);
                }
            }

            SyscallResult sent = await client.SendFileAsync(
                file.Descriptor, offset + done, turn, exchange.SendTimeoutMs);
            exchange.BodyBytesSent += client.Sent;
            exchange.Pacer.NoteSent(client.Sent);
            done += client.Sent;
            if (!sent.IsSuccess)
            {
                return SendFailed(sent);
            }

            if (sent.Value < turn)
            {
                return FileChanged(file);
            }
        }

        return ProxyError.None;
    }

    /// <summary>Each part with its head, then the end (RFC 9110 section 14.6).</summary>
    private async ReactorTask<ProxyError> SendPartsAsync(Exchange exchange, FileReply reply)
    {
        Transport client = exchange.Client.Transport;
        ByteRange[] parts = reply.Parts!;
        byte[] buffer = _reactor.Buffers.Rent(FileReply.MaxPartHeadBytes);
        ProxyError error = ProxyError.None;
        for (int i = 0; i <= parts.Length && !error.IsError; i++)
        {
            bool isEnd = i == parts.Length;
            int length = isEnd ? reply.WriteEnd(buffer) : reply.WritePartHead(buffer, parts[i]);
            SyscallResult sent = await SendHead(exchange, buffer, length, isEnd);
            exchange.BodyBytesSent += client.Sent;
            error = !sent.IsSuccess ? SendFailed(sent)
                : isEnd ? ProxyError.None
                : await SendPartAsync(
                    exchange, reply.File, reply.Content, parts[i].First, parts[i].Length);
        }

        _reactor.Buffers.Return(buffer);
        return error;
    }

    /// <summary>A large file, compressed step by step, in chunks.</summary>
    private async ReactorTask<ProxyError> SendCompressedAsync(Exchange exchange, FileReply reply)
    {
        Transport client = exchange.Client.Transport;
        OpenFile file = reply.File;
        byte[] buffer = _reactor.Buffers.Rent(BodyCompressor.StepBytes);
        BodyCompressor compressor = _shard.Compressors.Rent(
            reply.Coding, exchange.Route!.Compression!.Level);
        try
        {
            for (long done = 0; done < file.Length;)
            {
                int step = (int)Math.Min(BodyCompressor.StepBytes, file.Length - done);
                SyscallResult read = FileCalls.Read(
                    file.Descriptor, buffer.AsSpan(0, step), done);
                if (!read.IsSuccess || read.Value == 0 || HasChanged(file))
                {
                    return FileChanged(file);
                }

                done += read.Value;
                bool isLast = done == file.Length;
                compressor.Write(
                    buffer.AsSpan(0, read.IntValue),
                    isLast ? CompressionFlush.Finish : CompressionFlush.None);
                if (isLast || compressor.Output.Pending >= MinChunkBytes)
                {
                    byte[] chunk = compressor.Output.TakeChunk(
                        isLast, out int start, out int length);
                    SyscallResult sent = await _shard.Forwarder.SendPacedAsync(
                        exchange, chunk, start, length);
                    if (!sent.IsSuccess)
                    {
                        return SendFailed(sent);
                    }
                }

                await _reactor.Yield(client.Handle.Write);
            }

            return ProxyError.None;
        }
        finally
        {
            _shard.Compressors.Return(compressor);
            _reactor.Buffers.Return(buffer);
        }
    }

    private async ReactorTask<ProxyError> ListAsync(Exchange exchange, int folder)
    {
        byte[]? page = TryList(exchange, folder);
        if (page is null)
        {
            return await RefuseAsync(exchange, 403);
        }

        exchange.Status = 200;
        exchange.AddRouteFields();
        ConnectionOption option = exchange.Client.DecideConnection(exchange, isDelimited: true);
        bool hasBody = exchange.Request.Method == HttpMethod.Get;
        byte[] buffer = _reactor.Buffers.Rent(HeadBytes + exchange.AddedFields.Length);
        int length = WriteHead(
            exchange, buffer, "text/html; charset=utf-8"u8, page.Length, option);
        exchange.HasReachedClient = true;
        exchange.NoteSentHead(buffer.AsSpan(0, length));
        Transport client = exchange.Client.Transport;
        int timeoutMs = exchange.SendTimeoutMs;
        SyscallResult sent = hasBody
            ? await client.SendMoreAsync(buffer, 0, length, timeoutMs)
            : await client.SendAsync(buffer, 0, length, timeoutMs);
        if (sent.IsSuccess && hasBody)
        {
            sent = await _shard.Forwarder.SendPacedAsync(exchange, page, 0, page.Length);
        }

        _reactor.Buffers.Return(buffer);
        return sent.IsSuccess ? ProxyError.None : SendFailed(sent);
    }

    private static byte[]? TryList(Exchange exchange, int folder)
    {
        try
        {
            return FolderListing.Write(folder, exchange.Path);
        }
        catch (Exception exception)
            when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
        finally
        {
            FileCalls.Close(folder);
        }
    }

    /// <summary>
    /// A file whose name was given to another one goes on being sent: it has not changed.
    /// </summary>
    private static bool HasChanged(OpenFile file) =>
        !FileCalls.GetStatus(file.Descriptor, out FileStatus status).IsSuccess
        || !status.HasSameContent(file.Status);

    private ProxyError FileChanged(OpenFile file)
    {
        string path = System.Text.Encoding.UTF8.GetString(file.Key.AsSpan(1));
        _shard.ErrorLog.Write($"{path} changed while it was sent: the client was cut off");
        return ProxyError.Of(ProxyErrorKind.FileChanged, ProxyErrorSource.Proxy);
    }
}
