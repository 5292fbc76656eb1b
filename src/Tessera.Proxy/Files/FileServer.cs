using System.Text;
using Tessera.Linux;
using Tessera.Linux.Files;
using Tessera.Proxy.Compression;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Http;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Telemetry;
using HttpMethod = Tessera.Proxy.Http.HttpMethod;

namespace Tessera.Proxy.Files;

/// <summary>
/// Answers requests with files: finds one, evaluates the request's conditions and ranges, and sends
/// it. One per shard; runs on its reactor, which waits for the disk when a file is opened, or sent
/// and not in the page cache.
/// </summary>
internal sealed partial class FileServer
{
    /// <summary>Of a head, without what a configuration adds.</summary>
    private const int HeadBytes = 2_048;

    /// <summary>Of a path in the error log.</summary>
    private const int MaxToldBytes = 200;

    private static ReadOnlySpan<byte> UnencodedInPath =>
        "-._~!$&'()*+,;=:@/0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"u8;

    private readonly Shard _shard;
    private readonly Reactor _reactor;
    private readonly FileCache _cache;
    private readonly FileFinder _finder;
    private byte[] _fields = new byte[HeadBytes];

    public FileServer(Shard shard, FileCache cache)
    {
        _shard = shard;
        _reactor = shard.Reactor;
        _cache = cache;
        _finder = new FileFinder(cache, shard.Compressors);
    }

    /// <summary>Without an error an answer has been given.</summary>
    public async ReactorTask<ProxyError> ServeAsync(Exchange exchange, FileSite site)
    {
        // (1) Files are read and nothing else; only a backend behind them may take more.
        bool isRead = exchange.Request.Method is HttpMethod.Get or HttpMethod.Head;
        if (!isRead && site.Tries.Length == 0)
        {
            return await RefuseMethodAsync(exchange);
        }

        // (2) The file, or what is said instead.
        FileMatch match = _finder.Find(exchange, site, _reactor.NowMs);
        switch (match.Outcome)
        {
            case FileOutcome.Backend when exchange.Route!.Backend is not null:
                return await _shard.Forwarder.ForwardAsync(exchange);
            case FileOutcome.Redirect:
                return await RedirectAsync(exchange);
            case FileOutcome.Listing:
                return await ListAsync(exchange, match.Folder);
            case FileOutcome.File:
                break;
            default:
                TellWhy(exchange, match);
                return await RefuseAsync(exchange, match.Status == 0 ? 404 : match.Status);
        }

        // (3) Send it. It stays open meanwhile, whatever becomes of its name.
        try
        {
            return isRead
                ? await SendAsync(exchange, site, match)
                : await RefuseMethodAsync(exchange);
        }
        finally
        {
            match.File!.Release();
        }
    }

    /// <summary>Closes the files that are not being sent.</summary>
    public void Close() => _cache.Clear();

    private async ReactorTask<ProxyError> SendAsync(
        Exchange exchange, FileSite site, FileMatch match)
    {
        FileReply reply = Decide(exchange, match);
        if (reply.Status == 416)
        {
            exchange.TryAddField(
                "Content-Range"u8, Encoding.ASCII.GetBytes($"bytes */{reply.File.Length}"));
        }

        if (reply.Status is 412 or 416)
        {
            return await RefuseAsync(exchange, reply.Status);
        }

        if (exchange.StatusOverride > 0)
        {
            reply = reply with { Status = exchange.StatusOverride };
        }

        exchange.Status = reply.Status;
        if (exchange.IsAsking)
        {
            exchange.NoteAsked(reply.Status);
            return ProxyError.None;
        }

        exchange.AddRouteFields();
        ConnectionOption option = exchange.Client.DecideConnection(exchange, isDelimited: true);
        bool hasBody = reply.Status != 304 && exchange.Request.Method != HttpMethod.Head;
        bool isCopied = hasBody && reply is { Parts: null, Content: not null }
            && reply.Length <= MaxCopiedBytes && !exchange.Pacer.IsLimited;
        byte[] buffer = RentHead(exchange, site, reply, isCopied ? (int)reply.Length : 0);
        int length = reply.WriteHead(
            buffer, _fields, site, exchange.AddedFields, option, _shard.Clock);
        if (isCopied)
        {
            reply.Content.AsSpan((int)reply.Offset, (int)reply.Length)
                .CopyTo(buffer.AsSpan(length));
            length += (int)reply.Length;
            exchange.BodyBytesSent = reply.Length;
        }

        exchange.HasReachedClient = true;
        exchange.NoteSentHead(buffer.AsSpan(0, length));
        bool isAll = isCopied || !hasBody || reply.BodyLength == 0;
        SyscallResult sent = await SendHead(exchange, buffer, length, isAll);
        _reactor.Buffers.Return(buffer);
        if (!sent.IsSuccess)
        {
            exchange.BodyBytesSent = 0;
            return SendFailed(sent);
        }

        return isAll ? ProxyError.None
            : reply.BodyLength < 0 ? await SendCompressedAsync(exchange, reply)
            : reply.Parts is null
                ? await SendPartAsync(
                    exchange, reply.File, reply.Content, reply.Offset, reply.Length)
                : await SendPartsAsync(exchange, reply);
    }

    /// <summary>Conditions first, then ranges, then the form (RFC 9110 section 13.2.2).</summary>
    private FileReply Decide(Exchange exchange, FileMatch match)
    {
        OpenFile file = match.File!;
        RequestHead head = exchange.Request;
        ReadOnlySpan<byte> received = exchange.Received;
        var reply = new FileReply(200, file)
        {
            Type = match.Type!,
            Content = file.Content,
            Length = file.Length,
            Coding = match.Coding,
            Varies = match.Varies,
        };
        if (match.Compression != ContentCoding.Identity)
        {
            reply = Compress(exchange, reply, match.Compression);
        }

        // What stands in the place of an error is neither known to the client nor partial.
        if (exchange.StatusOverride > 0)
        {
            return reply;
        }

        long modified = file.Status.ModifiedSeconds;
        FileCondition condition = FileConditions.Evaluate(
            head, received, file.ETag, reply.IsCompressed, modified);
        if (condition != FileCondition.Holds)
        {
            return reply with { Status = condition == FileCondition.Failed ? 412 : 304 };
        }

        return head.Method == HttpMethod.Get && !reply.IsCompressed
            ? TakeRanges(head, received, reply, modified)
            : reply;
    }

    private FileReply Compress(Exchange exchange, FileReply reply, ContentCoding coding)
    {
        if (reply.Content is null)
        {
            return reply with { Coding = coding, IsCompressed = true };
        }

        byte[] compressed = reply.File.CompressedBy(
            _shard.Compressors, coding, exchange.Route!.Compression!.Level);
        _cache.NoteGrowth(reply.File);
        return compressed.Length == 0 ? reply : reply with
        {
            Coding = coding,
            IsCompressed = true,
            Content = compressed,
            Length = compressed.Length,
        };
    }

    private static FileReply TakeRanges(
        RequestHead head, ReadOnlySpan<byte> received, FileReply reply, long modified)
    {
        ReadOnlySpan<byte> field = default;
        int fields = 0;
        foreach (ref readonly HeaderField candidate in head.Headers.AsSpan(0, head.HeaderCount))
        {
            if (candidate.Kind == HeaderKind.Range)
            {
                field = candidate.Value(received);
                fields++;
            }
        }

        if (fields != 1
            || !FileConditions.IsRangeOfThis(head, received, reply.File.ETag, modified))
        {
            return reply;
        }

        Span<ByteRange> ranges = stackalloc ByteRange[ByteRange.MaxRanges];
        return ByteRange.Parse(field, reply.Length, ranges, out int count) switch
        {
            RangeOutcome.NotSatisfiable => reply with { Status = 416 },
            RangeOutcome.Parts when count == 1 => reply with
            {
                Status = 206,
                Offset = ranges[0].First,
                Length = ranges[0].Length,
            },
            RangeOutcome.Parts => reply with
            {
                Status = 206,
                Parts = ranges[..count].ToArray(),
                Boundary = Random.Shared.NextInt64(),
            },
            _ => reply,
        };
    }

    private byte[] RentHead(Exchange exchange, FileSite site, in FileReply reply, int bodyBytes)
    {
        int needed = HeadBytes + site.CacheControl.Length;
        if (_fields.Length < needed)
        {
            _fields = new byte[needed];
        }

        return _reactor.Buffers.Rent(
            HeadBytes + site.CacheControl.Length + reply.Type.Length
            + exchange.AddedFields.Length + bodyBytes);
    }

    /// <summary>A line for the person who set the rights or the limits of files.</summary>
    private void TellWhy(Exchange exchange, in FileMatch match)
    {
        if (match.Errno != 0)
        {
            RequestHead head = exchange.Request;
            ReadOnlySpan<byte> sent = exchange.Received.Slice(head.PathStart, head.PathLength);
            string path = Encoding.Latin1.GetString(sent[..Math.Min(sent.Length, MaxToldBytes)]);
            _shard.ErrorLog.Write($"the file of \"{path}\" cannot be opened: "
                + $"{FileErrno.Describe(match.Errno)}");
        }
    }

    private void TellAsNginx(Exchange exchange, in FileMatch match)
    {
        RouteConfig route = exchange.Route!.Config;
        bool isMissing = match.Status is 0 or 404;
        if ((isMissing && !route.TellsMissingFiles)
            || !_shard.ErrorLog.Takes(exchange, ErrorLevel.Error))
        {
            return;
        }

        string path = Encoding.UTF8.GetString(
            exchange.Path[..Math.Min(exchange.Path.Length, MaxToldBytes)]);
        string file = (route.Files?.Root.TrimEnd('/') ?? "") + path;
        _shard.ErrorLog.Tell(exchange, ErrorLevel.Error, (isMissing, match.Errno) switch
        {
            (false, 0) => $"directory index of \"{file}\" is forbidden",
            (true, 0) => $"open() \"{file}\" failed (2: No such file or directory)",
            var (_, errno) => $"open() \"{file}\" failed {NginxErrorText.Cause(errno)}",
        });
    }

    /// <summary>To the same path with a slash behind it, and the same query.</summary>
    private async ReactorTask<ProxyError> RedirectAsync(Exchange exchange)
    {
        exchange.TryAddField("Location"u8, WriteLocation(exchange));
        return await RefuseAsync(exchange, 301);
    }

    /// <summary>
    /// Made of the path as it is understood: as the client spelt it, it could name another host
    /// ("//example.com/..%2F").
    /// </summary>
    private static byte[] WriteLocation(Exchange exchange)
    {
        ReadOnlySpan<byte> path = exchange.Path;
        ReadOnlySpan<byte> query = exchange.Query;
        var writer = new ByteWriter(new byte[(path.Length * 3) + query.Length + 2]);
        foreach (byte value in path)
        {
            if (UnencodedInPath.Contains(value))
            {
                writer.Write(value);
                continue;
            }

            writer.Write((byte)'%');
            writer.Write((byte)"0123456789ABCDEF"[value >> 4]);
            writer.Write((byte)"0123456789ABCDEF"[value & 15]);
        }

        writer.Write((byte)'/');
        if (!query.IsEmpty)
        {
            writer.Write((byte)'?');
            writer.Write(query);
        }

        return writer.Written.ToArray();
    }

    private ReactorTask<ProxyError> RefuseMethodAsync(Exchange exchange)
    {
        exchange.TryAddField("Allow"u8, "GET, HEAD"u8);
        return RefuseAsync(exchange, 405);
    }

    private async ReactorTask<ProxyError> RefuseAsync(Exchange exchange, int status)
    {
        exchange.Status = status;
        ConnectionOption option = exchange.Client.DecideConnection(exchange, isDelimited: true);
        if (status == 204)
        {
            return await SendEmptyAsync(exchange, option);
        }

        string reason = status switch
        {
            403 => "this may not be read",
            404 => "there is no such file",
            405 => "files are only read",
            412 => "the file is another one by now",
            416 => "the file has no such part",
            _ => "",
        };
        await exchange.Client.AnswerAsync(exchange, reason, option);
        return ProxyError.None;
    }

    /// <summary>204 has no body and no length (RFC 9110 section 15.3.5).</summary>
    private async ReactorTask<ProxyError> SendEmptyAsync(
        Exchange exchange, ConnectionOption option)
    {
        exchange.AddRouteFields();
        byte[] buffer = _reactor.Buffers.Rent(HeadBytes + exchange.AddedFields.Length);
        int length = WriteHead(exchange, buffer, default, -1, option);
        exchange.HasReachedClient = true;
        exchange.NoteSentHead(buffer.AsSpan(0, length));
        SyscallResult sent = await exchange.Client.Transport.SendAsync(
            buffer, 0, length, exchange.SendTimeoutMs);
        _reactor.Buffers.Return(buffer);
        return sent.IsSuccess ? ProxyError.None : SendFailed(sent);
    }

    private int WriteHead(
        Exchange exchange,
        byte[] buffer,
        ReadOnlySpan<byte> type,
        long contentLength,
        ConnectionOption option)
    {
        var writer = new ByteWriter(buffer);
        LocalReply.WriteHead(
            ref writer, exchange.Status, type, contentLength, default, exchange.AddedFields,
            option, _shard.Clock);
        return writer.Length;
    }

    private static ProxyError SendFailed(SyscallResult sent) => ProxyError.Of(
        sent.Errno == Linux.Net.Errno.TimedOut
            ? ProxyErrorKind.ClientStalled
            : ProxyErrorKind.ClientGone,
        ProxyErrorSource.Client);
}
