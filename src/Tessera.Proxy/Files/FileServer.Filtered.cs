using Tessera.Linux;
using Tessera.Linux.Files;
using Tessera.Proxy.Answers;
using Tessera.Proxy.Compression;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Reactors;

namespace Tessera.Proxy.Files;

/// <summary>Files whose bodies change on their way: texts replaced, compressed.</summary>
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
            exchange, isDelimited: exchange.TakesChunks || !exchange.SendsBody);
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
            : exchange.SendsBody ? await SendFilteredBodyAsync(exchange, reply.File)
            : ProxyError.None;
    }

    private async ReactorTask<ProxyError> SendFilteredBodyAsync(Exchange exchange, OpenFile file)
    {
        byte[] buffer = _reactor.Buffers.Rent(BodyCompressor.StepBytes);
        BodyCompressor filter = _shard.Compressors.Rent(
            exchange.ReplyCoding, exchange.CompressionLevel, exchange.Substitution);
        try
        {
            long done = 0;
            do
            {
                int step = (int)Math.Min(BodyCompressor.StepBytes, file.Length - done);
                if (!TryRead(file, buffer.AsSpan(0, step), done))
                {
                    return FileChanged(file);
                }

                done += step;
                bool isLast = done == file.Length;
                filter.Write(
                    buffer.AsSpan(0, step),
                    isLast ? CompressionFlush.Finish : CompressionFlush.None);
                if (isLast || filter.Output.Pending >= MinChunkBytes)
                {
                    byte[] chunk = filter.Output.TakeChunk(
                        isLast, out int start, out int length, exchange.TakesChunks);
                    SyscallResult sent = await _shard.Forwarder.SendPacedAsync(
                        exchange, chunk, start, length);
                    if (!sent.IsSuccess)
                    {
                        return SendFailed(sent);
                    }
                }

                await _reactor.Yield(exchange.Client.Transport.Handle.Write);
            }
            while (done < file.Length);

            return ProxyError.None;
        }
        finally
        {
            _shard.Compressors.Return(filter);
            _reactor.Buffers.Return(buffer);
        }
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
