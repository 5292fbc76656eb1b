using Tessera.Linux;
using Tessera.Proxy.Answers;
using Tessera.Proxy.Files;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Routing;
using Tessera.Proxy.Variables;
using HttpMethod = Tessera.Proxy.Http.HttpMethod;

namespace Tessera.Proxy.Forwarding;

/// <summary>Routes that ask for more than forwarding.</summary>
internal sealed partial class ClientConnection
{
    /// <summary>Text that a route answers with, variables filled in; more is cut.</summary>
    private const int MaxReplyBytes = 16 * 1_024;

    /// <summary>The same in nginx's dress, where a buffer grows with its text.</summary>
    private const int MaxStyledBytes = 16 * 1_024 * 1_024;

    /// <summary>
    /// The steps of a route, in the order in which nginx takes them. Without an error an answer has
    /// been given, or the exchange goes on elsewhere in its server.
    /// </summary>
    private async ReactorTask<ProxyError> ServeRouteAsync(Exchange exchange)
    {
        Route route = exchange.Route!;

        route.RealIp?.Apply(exchange);

        // (1) Is there room for it, and may it?
        if (route.IsGuarded && !exchange.IsAsking
            && !await TryAdmitAsync(exchange, route))
        {
            return ProxyError.None;
        }

        // (2) A file in the place of the content, or another location.
        if (route.TryFiles is { } files && !await TryFilesAsync(exchange, files))
        {
            return ProxyError.None;
        }

        // (3) The route's one action.
        if (route.Location is not null)
        {
            await RedirectAsync(exchange, route);
            return ProxyError.None;
        }

        if (route.ReplyBody is not null)
        {
            ReplyConfig reply = route.Config.Reply!;
            bool isRefused = reply.IsOnlyRead
                && exchange.Request.Method is not (HttpMethod.Get or HttpMethod.Head);
            await (isRefused
                ? RefuseAsync(exchange, 405, "this is only read")
                : ReplyAsync(
                    exchange, reply.Status, route.ReplyBody, route.ReplyType,
                    reply.ModifiedSeconds));
            return ProxyError.None;
        }

        // (4) To an endpoint, perhaps under another path.
        if (route.Rewrite is { } rewrite
            && !exchange.TryRewrite(rewrite, Options.MaxHeadBytes))
        {
            exchange.Status = 414;
            await RefuseAsync(exchange);
            return ProxyError.None;
        }

        if (route.Documents is { } documents)
        {
            return await _shard.Files.ServeDocumentAsync(exchange, documents);
        }

        if (route.Files is { } site)
        {
            return await _shard.Files.ServeAsync(exchange, site);
        }

        return await _shard.Forwarder.ForwardAsync(exchange);
    }

    private ReactorTask<bool> RedirectAsync(Exchange exchange, Route route)
    {
        byte[] location = Reactor.Buffers.Rent(MaxReplyBytes);
        byte[] escaped = Reactor.Buffers.Rent(MaxReplyBytes);
        var text = new ByteWriter(location.AsSpan(0, MaxReplyBytes));
        route.Location!.Write(ref text, exchange);

        // What was decoded for the route must not become a line break or a space again.
        var uri = new ByteWriter(escaped.AsSpan(0, MaxReplyBytes));
        UriText.WriteUri(ref uri, text.Written);
        bool fits = !text.HasOverflowed && !uri.HasOverflowed
            && exchange.TryAddField("Location"u8, uri.Written);
        Reactor.Buffers.Return(location);
        Reactor.Buffers.Return(escaped);
        if (!fits)
        {
            exchange.Status = 414;
            return RefuseAsync(exchange);
        }

        return ReplyAsync(exchange, route.Config.Redirect!.Status, Template.Empty, []);
    }

    private static bool TrySetLocation(Exchange exchange, ReadOnlySpan<byte> uri)
    {
        if (exchange.Style is null)
        {
            return exchange.TryAddField("Location"u8, uri);
        }

        exchange.SetRedirect(uri);
        return true;
    }

    /// <param name="type">Media type; empty for a reply that has none.</param>
    /// <param name="modifiedSeconds">-1 when nothing is known of it.</param>
    private async ReactorTask<bool> ReplyAsync(
        Exchange exchange, int status, Template template, byte[] type,
        long modifiedSeconds = -1)
    {
        exchange.Status = exchange.StatusOverride > 0 ? exchange.StatusOverride : status;
        if (exchange.IsAsking)
        {
            exchange.NoteAsked(exchange.Status);
            return true;
        }

        if (exchange.Style is { } style)
        {
            return await ReplyInStyleAsync(exchange, style, template, type, modifiedSeconds);
        }

        exchange.AddRouteFields();
        ConnectionOption option = DecideConnection(exchange, isDelimited: true);
        byte[] buffer = Reactor.Buffers.Rent(
            ErrorReplyBytes + exchange.AddedFields.Length + MaxReplyBytes);
        int length = WriteReply(exchange, template, type, option, buffer);
        exchange.HasReachedClient = true;
        exchange.NoteSentHead(buffer.AsSpan(0, length));
        SyscallResult sent = await Transport.SendAsync(buffer, 0, length, exchange.SendTimeoutMs);
        Reactor.Buffers.Return(buffer);
        return NoteAnswered(exchange, sent);
    }

    /// <summary>
    /// A text; errors without one get their page (ngx_http_script_return_code).
    /// </summary>
    private async ReactorTask<bool> ReplyInStyleAsync(
        Exchange exchange, AnswerStyle style, Template template, byte[] type,
        long modifiedSeconds)
    {
        if (modifiedSeconds >= 0 && exchange.Status == 200)
        {
            exchange.Status = DocumentConditions.Evaluate(
                exchange.Request, exchange.Received, etag: default, modifiedSeconds,
                ModifiedSinceRule.Exact) switch
            {
                FileCondition.NotModified => 304,
                FileCondition.Failed => 412,
                _ => 200,
            };
        }

        ConnectionOption option = DecideConnection(exchange, isDelimited: true);
        if (template.IsEmpty && exchange.Status >= 400)
        {
            return await AnswerAsync(exchange, "", option);
        }

        byte[] text = WriteTemplate(exchange, template, out int length);
        return await SendTextAsync(
            exchange, style, text, length,
            type.Length > 0 ? type : style.TypeOf(exchange.Path), option, modifiedSeconds);
    }

    private byte[] WriteTemplate(Exchange exchange, Template template, out int length)
    {
        for (int size = MaxReplyBytes; ; size *= 4)
        {
            byte[] text = Reactor.Buffers.RentAny(size);
            var writer = new ByteWriter(text);
            template.Write(ref writer, exchange);
            length = writer.Length;
            if (!writer.HasOverflowed || size >= MaxStyledBytes)
            {
                return text;
            }

            Reactor.Buffers.Return(text);
        }
    }

    private int WriteReply(
        Exchange exchange, Template template, ReadOnlySpan<byte> type, ConnectionOption option,
        byte[] buffer)
    {
        // The head says how long the body is, so the body comes first.
        byte[] text = Reactor.Buffers.Rent(MaxReplyBytes);
        var body = new ByteWriter(text.AsSpan(0, MaxReplyBytes));
        template.Write(ref body, exchange);
        var writer = new ByteWriter(buffer);
        LocalReply.WriteHead(
            ref writer, exchange.Status, type, body.Length, default, exchange.AddedFields, option,
            _shard.Clock);
        if (exchange.Request.Method != HttpMethod.Head)
        {
            writer.Write(body.Written);
            exchange.BodyBytesSent = body.Length;
        }

        Reactor.Buffers.Return(text);
        return writer.Length;
    }
}
