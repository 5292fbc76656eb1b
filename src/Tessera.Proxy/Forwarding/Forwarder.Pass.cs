using System.Buffers.Text;
using System.Net;
using System.Text;
using Tessera.Linux;
using Tessera.Linux.Net;
using Tessera.Proxy.Compression;
using Tessera.Proxy.Flow;
using Tessera.Proxy.Http;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Resolving;
using Tessera.Proxy.Routing;
using Tessera.Proxy.Telemetry;
using Tessera.Proxy.Transports;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Forwarding;

/// <summary>
/// Requests that are made anew for their backend, and answers that are made anew for the client:
/// nginx's proxy module.
/// </summary>
internal sealed partial class Forwarder
{
    /// <summary>
    /// Of a head that variables and rewritten fields make longer than it came: as long as nginx
    /// would have memory for, within reason.
    /// </summary>
    private const int MaxPassHeadBytes = 4 * 1_024 * 1_024;

    /// <summary>In place of a length: what is made anew is longer than it may be.</summary>
    private const int TooLong = -1;

    /// <summary>
    /// What has to be known and here before an endpoint is taken: where it goes, and as with nginx
    /// all of a body that is buffered, without its chunks, and of one that goes nowhere.
    /// </summary>
    private ReactorTask<ProxyError> PreparePassAsync(Exchange exchange, PassRule rule) =>
        rule.Url is null
            ? PreparePassBodyAsync(exchange, rule)
            : PrepareTargetAsync(exchange, rule, rule.Url);

    private async ReactorTask<ProxyError> PrepareTargetAsync(
        Exchange exchange, PassRule rule, Template url)
    {
        // (1) What does it come to? It may be a backend of the configuration.
        if (!TryNoteUrl(exchange, url))
        {
            return ProxyError.Of(ProxyErrorKind.InvalidAddress, ProxyErrorSource.Proxy);
        }

        string host = Encoding.UTF8.GetString(exchange.PassHost);
        Backend? backend = exchange.Route!.Backends?.GetValueOrDefault(host)
            ?? _shard.Targets.TryFind(host, rule.Config.Resolver);

        // (2) A name has to be asked for.
        int code = ResolveCode.None;
        if (backend is null && rule.Config.Resolver is { } resolver)
        {
            (backend, code) = await _shard.Targets.ResolveAsync(host, resolver, exchange.Wait);
        }

        if (backend is null)
        {
            TellUnresolved(exchange, host, code);
            return ProxyError.Of(ProxyErrorKind.UnknownHost, ProxyErrorSource.Proxy);
        }

        exchange.Backend = backend;
        return await PreparePassBodyAsync(exchange, rule);
    }

    /// <param name="code">0 where nobody could be asked.</param>
    private void TellUnresolved(Exchange exchange, string host, int code)
    {
        if (_shard.ErrorLog.Takes(exchange, ErrorLevel.Error))
        {
            int colon = host.LastIndexOf(':');
            string name = colon < 0 ? host : host[..colon];
            _shard.ErrorLog.Tell(exchange, ErrorLevel.Error, code == ResolveCode.None
                ? $"no resolver defined to resolve {name}"
                : $"{name} could not be resolved {ResolveCode.Describe(code)}");
        }
    }

    private static bool TryNoteUrl(Exchange exchange, Template template)
    {
        using var url = EvaluatedText.Of(template, exchange);
        return exchange.TryNotePassUrl(url.Text);
    }

    /// <summary>Over the wire, or through the file system, from where the route says.</summary>
    private SyscallResult BeginConnect(Exchange exchange, out Transport transport)
    {
        Endpoint endpoint = exchange.Endpoint!;
        if (endpoint.UnixPath is { } path)
        {
            return Transport.TryBeginConnect(_reactor, path, out transport);
        }

        if (exchange.Route?.Stream is { } stream)
        {
            return Transport.TryBeginConnect(
                _reactor, endpoint.Address, out transport, LocalEndOf(exchange, stream));
        }

        return exchange.Route?.Pass is { } pass
            ? Transport.TryBeginConnect(
                _reactor, endpoint.Address, out transport, LocalEndOf(exchange, pass))
            : Transport.TryBeginConnect(_reactor, endpoint.Address, out transport);
    }

    /// <summary>What is no address binds nothing, as with nginx's empty value.</summary>
    private static LocalEnd LocalEndOf(Exchange exchange, PassRule rule) => LocalEndOf(
        exchange, rule.LocalAddress, rule.Config.IsTransparent, rule.Config.ProbesIdleSockets);

    private static LocalEnd LocalEndOf(Exchange exchange, StreamRule rule) => LocalEndOf(
        exchange, rule.LocalAddress, rule.Config.IsTransparent, rule.Config.ProbesIdleSockets);

    private static LocalEnd LocalEndOf(
        Exchange exchange, Template? address, bool isTransparent, bool probesIdle)
    {
        if (address is null)
        {
            return new LocalEnd(default, IsTransparent: false, probesIdle);
        }

        Span<byte> buffer = stackalloc byte[128];
        var text = new ByteWriter(buffer);
        address.Write(ref text, exchange);
        return IPEndPoint.TryParse(Encoding.ASCII.GetString(text.Written), out IPEndPoint? local)
            ? new LocalEnd(new InternetAddress(local), isTransparent, probesIdle)
            : new LocalEnd(default, IsTransparent: false, probesIdle);
    }

    private byte[] WritePassRequest(Exchange exchange, PassRule rule, out int length)
    {
        RequestHead head = exchange.Request;
        bool hasBody =
            !exchange.SkipsBody && !exchange.HasWholeBody && !exchange.IsAsking;
        int bodyBytes = hasBody ? exchange.BodyInBuffer : 0;
        int size = head.Length + bodyBytes + RequestWriter.MaxAddedBytes;
        while (true)
        {
            byte[] buffer = _reactor.Buffers.RentAny(size);
            var writer = new ByteWriter(buffer);
            if (!PassRequestWriter.TryWrite(ref writer, exchange, rule))
            {
                _reactor.Buffers.Return(buffer);
                length = TooLong;
                return [];
            }

            if (hasBody)
            {
                writer.Write(exchange.Received.Slice(head.Length, exchange.BodyInBuffer));
            }

            if (!writer.HasOverflowed)
            {
                length = writer.Length;
                return buffer;
            }

            _reactor.Buffers.Return(buffer);
            size = Math.Max(size * 4, bodyBytes + (size * 2));
        }
    }

    /// <summary>
    /// Makes the head the client's, right before the body behind it. Returns the bytes to send of
    /// what is in the buffer.
    /// </summary>
    private int EditPassReply(Exchange exchange, PassRule rule)
    {
        ResponseHead head = exchange.Response;
        RequestHead request = exchange.Request;
        BodyFraming framing = head.BodyFor(request.Method);
        int headEnd = exchange.ReplyStart + head.Length;
        exchange.ReplyBodyStart = headEnd;
        exchange.Status = exchange.StatusOverride > 0 ? exchange.StatusOverride : head.StatusCode;
        exchange.AddRouteFields();
        exchange.ReplyBody = new BodyReader(framing, head.ContentLength, isTolerant: true);
        exchange.Store = ReplyStore.TryBegin(exchange, rule, framing);
        exchange.Store?.Take(exchange.Reply.AsSpan(headEnd..exchange.ReplyEnd));
        if (exchange.Route?.Compression is { } compression)
        {
            exchange.ReplyCoding = ReplyCompression.Prepare(
                exchange, compression, framing, _shard.Compressors.HasRoom);
        }

        PassFilters.Prepare(exchange, rule, framing);
        SetPace(exchange, rule);
        DecideSpooling(exchange, rule);
        bool isTunnel = head.StatusCode == HttpStatus.SwitchingProtocols;
        bool isCompressed = exchange.IsFiltered
            && (framing != BodyFraming.None || exchange.FiltersNothing);
        bool knowsChunks = exchange.TakesChunks && !exchange.IsReplyBare;
        exchange.AddsChunks = framing is BodyFraming.UntilClose or BodyFraming.Chunked
            && knowsChunks && !isCompressed && !isTunnel;
        bool isDelimited = knowsChunks || framing == BodyFraming.None
            || (framing == BodyFraming.Length && !exchange.LosesLength);
        ConnectionOption option = exchange.Client.DecideConnection(exchange, isDelimited);
        exchange.NoteReplyHead(_reactor.NowMs);
        bool isRelayedLater = isCompressed
            || (framing == BodyFraming.Chunked && !knowsChunks)
            || (exchange.Pacer.IsLimited && !exchange.IsReplyComplete && !isTunnel);
        bool isInChunks = exchange.AddsChunks && !isRelayedLater;
        int data = isInChunks ? TakeReplyData(exchange, headEnd) : 0;
        exchange.ReplyEnd = isInChunks ? headEnd + data : exchange.ReplyEnd;
        if (!TryWritePassHead(exchange, rule, option, data))
        {
            return TooLong;
        }

        exchange.HasReachedClient = true;
        headEnd = exchange.ReplyBodyStart;
        exchange.NoteSentHead(exchange.Reply.AsSpan(exchange.ReplyStart..headEnd));
        if (isRelayedLater)
        {
            return headEnd - exchange.ReplyStart;
        }

        if (isInChunks)
        {
            int end = EndChunk(exchange, headEnd, data);
            exchange.BodyBytesSent = end - headEnd + (data > 0 ? ChunkHeadLength(data) : 0);
            return end - exchange.ReplyStart;
        }

        int behind = exchange.ReplyEnd - headEnd;
        int body = isTunnel
            ? behind
            : TakeBody(exchange, exchange.Reply.AsSpan(headEnd, behind));
        exchange.BodyBytesSent = body;
        return headEnd + body - exchange.ReplyStart;
    }

    /// <summary>
    /// Puts the client's head where the backend's was, so that it ends where the body begins, or
    /// both into a larger buffer.
    /// </summary>
    /// <param name="chunk">Bytes of body that are a chunk; 0 for none.</param>
    private bool TryWritePassHead(
        Exchange exchange, PassRule rule, ConnectionOption option, int chunk)
    {
        int size = _reactor.Buffers.HeadBytes;
        while (true)
        {
            byte[] written = _reactor.Buffers.RentAny(size);
            var writer = new ByteWriter(written);
            PassReplyWriter.Write(
                ref writer, exchange, rule, exchange.Reply.AsSpan(exchange.ReplyStart), option);
            if (chunk > 0)
            {
                WriteChunkHead(ref writer, chunk);
            }

            bool fits = !writer.HasOverflowed;
            if (fits)
            {
                PlaceHead(exchange, writer.Written);
            }

            _reactor.Buffers.Return(written);
            if (fits || size >= MaxPassHeadBytes)
            {
                return fits;
            }

            size = Math.Min(size * 4, MaxPassHeadBytes);
        }
    }

    private void PlaceHead(Exchange exchange, ReadOnlySpan<byte> head)
    {
        int body = exchange.ReplyBodyStart;
        int behind = exchange.ReplyEnd - body;
        bool hasRoom = head.Length <= body
            && exchange.ReplyEnd + TailBytes(exchange) <= exchange.Reply.Length;
        if (!hasRoom)
        {
            int size = head.Length + behind + TailBytes(exchange);
            byte[] larger = _reactor.Buffers.RentAny(size);
            exchange.Reply.AsSpan(body, behind).CopyTo(larger.AsSpan(head.Length));
            ReturnReply(exchange);
            exchange.Reply = larger;
            exchange.ReplyBodyStart = head.Length;
            exchange.ReplyEnd = head.Length + behind;
        }

        exchange.ReplyStart = exchange.ReplyBodyStart - head.Length;
        head.CopyTo(exchange.Reply.AsSpan(exchange.ReplyStart));
    }

    /// <summary>
    /// The pace that proxy_limit_rate asks for, or the backend (X-Accel-Limit-Rate, which counts
    /// for nginx's limit_rate).
    /// </summary>
    private static void SetPace(Exchange exchange, PassRule rule)
    {
        long rate = 0;
        if (!rule.Ignores("X-Accel-Limit-Rate"))
        {
            ReadOnlySpan<byte> asked = FieldText.Find(
                exchange.Reply.AsSpan(exchange.ReplyStart, exchange.Response.Length),
                "x_accel_limit_rate"u8);
            rate = Utf8Parser.TryParse(asked, out long bytes, out _) ? bytes : 0;
        }

        if (rule.BytesPerSecond is { } template)
        {
            Span<byte> buffer = stackalloc byte[64];
            var text = new ByteWriter(buffer);
            template.Write(ref text, exchange);
            if (SizeText.TryParse(text.Written, out long own) && own > 0)
            {
                rate = rate > 0 ? Math.Min(rate, own) : own;
            }
        }

        if (rate > 0)
        {
            exchange.Pacer = new Pacer(rate, bytesBeforeLimit: 0);
        }
    }
}
