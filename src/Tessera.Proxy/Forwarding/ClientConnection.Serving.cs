using System.Text;
using Tessera.Linux;
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

    /// <summary>
    /// The steps of a route, in the order in which nginx takes them. Without an error an answer has
    /// been given.
    /// </summary>
    private async ReactorTask<ProxyError> ServeAsync(Exchange exchange)
    {
        Route route = exchange.Route!;

        // (1) Is there room for it, and may it?
        if ((route.Flow is not null || route.Gate is not null)
            && !await TryAdmitAsync(exchange, route))
        {
            return ProxyError.None;
        }

        // (2) The route's one action.
        if (route.Config.Redirect is { } redirect)
        {
            await RedirectAsync(exchange, redirect);
            return ProxyError.None;
        }

        if (route.Config.Reply is { } reply)
        {
            await ReplyAsync(exchange, reply);
            return ProxyError.None;
        }

        if (route.Files is { } site)
        {
            return await _shard.Files.ServeAsync(exchange, site);
        }

        return await _shard.Forwarder.ForwardAsync(exchange);
    }

    private ReactorTask<bool> RedirectAsync(Exchange exchange, RedirectConfig redirect)
    {
        exchange.TryAddField("Location"u8, Evaluate(exchange, redirect.Location));
        return ReplyAsync(exchange, new ReplyConfig(redirect.Status));
    }

    private async ReactorTask<bool> ReplyAsync(Exchange exchange, ReplyConfig reply)
    {
        exchange.Status = reply.Status;
        ConnectionOption option = DecideConnection(exchange, isDelimited: true);
        byte[] body = Evaluate(exchange, reply.Body);
        byte[] buffer = _reactor.Buffers.Rent(
            ErrorReplyBytes + exchange.AddedFields.Length + body.Length);
        int length = WriteReply(exchange, reply, body, option, buffer);
        exchange.HasReachedClient = true;
        SyscallResult sent = await Transport.SendAsync(buffer, 0, length, _options.SendTimeoutMs);
        _reactor.Buffers.Return(buffer);
        exchange.KeepsClient &= sent.IsSuccess;
        return sent.IsSuccess;
    }

    private int WriteReply(
        Exchange exchange, ReplyConfig reply, byte[] body, ConnectionOption option, byte[] buffer)
    {
        var writer = new ByteWriter(buffer);
        LocalReply.WriteHead(
            ref writer, reply.Status, Encoding.ASCII.GetBytes(reply.ContentType), body.Length,
            default, exchange.AddedFields, option, _shard.Clock);
        if (exchange.Request.Method != HttpMethod.Head)
        {
            writer.Write(body);
            exchange.BodyBytesSent = body.Length;
        }

        return writer.Length;
    }

    private static byte[] Evaluate(Exchange exchange, string text)
    {
        var writer = new ByteWriter(new byte[MaxReplyBytes]);
        Template.Parse(text).Write(ref writer, exchange);
        return writer.Written.ToArray();
    }
}
