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
        if (route.RedirectTarget is not null)
        {
            await RedirectAsync(exchange, route);
            return ProxyError.None;
        }

        if (route.ReplyBody is not null)
        {
            await ReplyForAsync(exchange, route, route.Config.Reply!);
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

        if (exchange.Server is not null && exchange.RequestBody.IsInvalid)
        {
            await RefuseAsync(exchange, 400, "the request's body is not valid");
            return ProxyError.None;
        }

        return await _shard.Forwarder.ForwardAsync(exchange);
    }

    private ReactorTask<bool> ReplyForAsync(Exchange exchange, Route route, ReplyConfig reply)
    {
        if (reply.IsForReading
            && exchange.Request.Method is not (HttpMethod.Get or HttpMethod.Head))
        {
            return RefuseAsync(exchange, 405, "nothing is served here for this method");
        }

        exchange.ModifiedSeconds = reply.ModifiedSeconds;
        return ReplyAsync(exchange, reply.Status, route.ReplyBody!, route.ReplyType);
    }

    private ReactorTask<bool> RedirectAsync(Exchange exchange, Route route)
    {
        byte[] location = Reactor.Buffers.Rent(MaxReplyBytes);
        byte[] escaped = Reactor.Buffers.Rent(MaxReplyBytes);
        var text = new ByteWriter(location.AsSpan(0, MaxReplyBytes));
        route.RedirectTarget!.Write(ref text, exchange);

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

        return ReplyAsync(exchange, route.Config.Redirect!.Status, Template.Empty, null);
    }

    /// <param name="type">Media type; null for a reply that has none of its own.</param>
    private async ReactorTask<bool> ReplyAsync(
        Exchange exchange, int status, Template template, byte[]? type)
    {
        exchange.Status = exchange.StatusOverride > 0 ? exchange.StatusOverride : status;
        if (exchange.IsAsking)
        {
            exchange.NoteAsked(exchange.Status);
            return true;
        }

        if (exchange.Style is { } style)
        {
            return await ReplyInStyleAsync(exchange, style, template, type);
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
    /// <param name="type">Null takes that of the path's name.</param>
    private async ReactorTask<bool> ReplyInStyleAsync(
        Exchange exchange, AnswerStyle style, Template template, byte[]? type)
    {
        if (template.IsEmpty && exchange.Status >= 400)
        {
            return await RefuseAsync(exchange, exchange.Status, "");
        }

        await _shard.Forwarder.SendContinueAsync(exchange);
        if (exchange.RequestBody.IsInvalid)
        {
            return await RefuseAsync(exchange, 400, "the request's body is not valid");
        }

        // Texts of scripts have neither a time nor a tag, and are asked for both all the same.
        FileCondition condition = exchange.Status != 200 ? FileCondition.Holds
            : DocumentConditions.Evaluate(
                exchange.Request, exchange.Received, default, exchange.ModifiedSeconds,
                ModifiedSinceRule.Exact);
        if (condition == FileCondition.Failed)
        {
            exchange.ModifiedSeconds = -1;
            return await RefuseAsync(exchange, 412, "");
        }

        exchange.Status = condition == FileCondition.NotModified ? 304 : exchange.Status;
        template = exchange.Status == 304 ? Template.Empty : template;
        byte[] text = WriteTemplate(exchange, template, out int length);
        return await SendTextAsync(
            exchange, style, text, length,
            type ?? style.TypeOf(exchange.Path),
            DecideConnection(exchange, isDelimited: true));
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
